"""Metrics through pyiqa, an extra under a non-commercial licence: the core runs without it.

Every metric takes uint8 RGB / 255 of SR and HR under the protocol's crop. Networks run on the run's device, in batches;
the others on the CPU, image by image, since they round and count, which a GPU does otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from ...datasets.fetch.digests import digest_of
from ...methods.weights.files import lacking, verified, weight_file
from .batches import TOLERANCE, measure_batch, rgb_tensors
from .library import load_network
from .metric import Direction, Metric, Need, Pair
from .structural import full_range_y

VERSION = "2"
_HOW = "install the extra: pip install 'asasr-bench[iqa]' (pyiqa is for non-commercial use)"
_AFINE_STEP = 32


def missing(weights: Sequence[str] = ()) -> str:
    """Why a metric cannot be measured here, by its weights' ids; '' if it can."""
    if find_spec("pyiqa") is None:
        return f"pyiqa is not installed; {_HOW}"
    return lacking([weight_file(id) for id in weights])


@lru_cache(maxsize=1)
def library_version() -> str:
    """Version of pyiqa, which every score key carries; '' where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyiqa")
    except PackageNotFoundError:
        return ""


def _metric(
    id: str,
    title: str,
    digits: int,
    direction: Direction,
    range: str,
    needs: Need = "reference",
    weights: tuple[str, ...] = (),
    *,
    name: str = "",
    network: bool = False,
    **options: Any,
) -> Metric:
    """A metric of the library.

    Args:
        name: the library's name where it is not the id, which names the variant.
        network: it goes through the device in batches.
        options: for the library's constructor.
    """
    frozen = tuple(sorted(options.items()))

    def measure_many(pairs: Sequence[Pair], device: str) -> list[float]:
        return measure_batch(load_network(name or id, weights, frozen, device), rgb_tensors(pairs, needs), device)

    return Metric(
        id, title, "", digits, direction, f"{VERSION}, pyiqa {library_version()}",
        lambda pair: measure_many([pair], "cpu")[0], needs=needs, range=range,
        missing=lambda: missing(weights),
        weights=lambda: " ".join(digest_of(verified(weight_file(id))) for id in weights),
        measure_many=measure_many if network else None, tolerance=TOLERANCE if network else 0.0,
    )  # fmt: skip


def _afine(id: str, title: str, range: str) -> Metric:
    """A-FINE takes one image at a time, of sides that are multiples of 32, and writes into its input."""

    def measure_many(pairs: Sequence[Pair], device: str) -> list[float]:
        return [value for pair in pairs for value in one(pair, device)]

    def one(pair: Pair, device: str) -> list[float]:
        images = rgb_tensors([pair], "reference")
        height, width = images[0].shape[-2:]
        if height % _AFINE_STEP or width % _AFINE_STEP:
            raise ValueError(f"A-FINE is defined for sides that are multiples of 32 pixels, not for {width}x{height}")
        return measure_batch(load_network(id, weights, (), device), images, device)

    weights = ("clip-vit-b32", "afine")
    return Metric(
        id, title, "", 4, "lower", f"{VERSION}, pyiqa {library_version()}",
        lambda pair: measure_many([pair], "cpu")[0], range=range, missing=lambda: missing(weights),
        weights=lambda: " ".join(digest_of(verified(weight_file(id))) for id in weights),
        measure_many=measure_many, tolerance=TOLERANCE,
    )  # fmt: skip


def _vif() -> Metric:
    """VIF divides the information that SR keeps by that of HR; of a flat HR the library makes 0, even for itself."""
    library = _metric("vif", "VIF", 4, "higher", "0, ~1")

    def measure(pair: Pair) -> float:
        hr = full_range_y(pair.rgb[1])
        if hr.min() == hr.max():
            raise ValueError("VIF is not defined for a flat HR: it has no information that SR could keep")
        return library.measure(pair)

    return replace(library, version=f"3, pyiqa {library_version()}", measure=measure)


METRICS = (
    _vif(),
    _metric("vsi", "VSI", 4, "higher", "0, ~1"),
    _metric("topiq_fr_kadid", "TOPIQ-FR", 4, "higher", "~0, ~1", weights=("topiq-fr-kadid",), name="topiq_fr",
            network=True, backbone_pretrain=False),
    _afine("afine_all_scale", "A-FINE", "0, 100"),
    _afine("afine_fr", "A-FINE fidelity", "-2, 2"),
    _afine("afine_nr", "A-FINE naturalness", "-2, 2"),
    _metric("brisque", "BRISQUE", 2, "lower", "~0, ~150", "nothing", ("brisque",)),
    _metric("piqe_pyiqa", "PIQE (pyiqa)", 2, "lower", "0, 100", "nothing", name="piqe"),
    _metric("musiq_koniq", "MUSIQ", 2, "higher", "~0, ~100", "nothing", ("musiq-koniq",), name="musiq", network=True),
    _metric("maniqa_koniq", "MANIQA", 4, "higher", "~0, ~1", "nothing", ("maniqa-koniq",), name="maniqa", network=True),
    _metric("maniqa_pipal", "MANIQA-PIPAL", 4, "higher", "~0, ~1", "nothing", ("maniqa-pipal",), name="maniqa-pipal",
            network=True),
    _metric("clipiqa", "CLIPIQA", 4, "higher", "0, 1", "nothing", ("clip-rn50",), network=True),
    _metric("clipiqa+", "CLIPIQA+", 4, "higher", "0, 1", "nothing", ("clip-rn50", "clipiqa-plus"), network=True),
    _metric("topiq_nr_koniq", "TOPIQ-NR", 4, "higher", "~0, ~1", "nothing", ("topiq-nr-koniq",), name="topiq_nr",
            network=True, backbone_pretrain=False),
)  # fmt: skip
