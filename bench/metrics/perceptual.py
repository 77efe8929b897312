"""Metrics through pyiqa, an extra under a non-commercial licence: the core runs without it.

Every metric takes uint8 RGB / 255 of SR and HR under the protocol's crop. Networks run on the run's device, in batches;
the others on the CPU, image by image, since they round and count, which a GPU does otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .batches import TOLERANCE, over_batches
from .card import Direction, MetricCard
from .library import load_network
from .metric import Metric, Score
from .metric_input import MetricInput
from .networks import musiq
from .requirements import Library, WeightFiles, library_version
from .structural import full_range_y

PYIQA = Library("pyiqa", "iqa", " (pyiqa is for non-commercial use)")
_AFINE_STEP = 32


def version(number: str = "2") -> str:
    """Of a metric here and of the library, both of which determine its values."""
    return f"{number}, pyiqa {library_version('pyiqa')}"


def _metric(
    id: str,
    title: str,
    digits: int,
    direction: Direction,
    range: str,
    needs: str = "reference",
    weights: tuple[str, ...] = (),
    *,
    name: str = "",
    network: bool = False,
    **options: Any,
) -> Metric:
    """A metric of the library.

    Args:
        id, title, digits, direction, range, needs: see ``MetricCard``.
        weights: ids of the files that it reads.
        name: the library's name where it is not the id, which names the variant.
        network: it goes through the device in batches.
        options: for the library's constructor.
    """
    load = partial(load_network, name or id, weights, tuple(sorted(options.items())))
    tolerance = TOLERANCE if network else 0.0
    return Metric(
        MetricCard(id, title, "", digits, direction, "", range, needs, tolerance=tolerance, version=version()),
        over_batches(load, needs),
        requires=(PYIQA, WeightFiles(weights)),
        batched=network,
    )


def _afine(id: str, title: str, range: str) -> Metric:
    """A-FINE takes one image at a time, of sides that are multiples of 32, and writes into its input."""
    library = _metric(id, title, 4, "lower", range, weights=("clip-vit-b32", "afine"), network=True)

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        height, width = inputs[0].rgb[0].shape[:2]
        if height % _AFINE_STEP or width % _AFINE_STEP:
            raise ValueError(f"A-FINE is defined for sides that are multiples of 32 pixels, not for {width}x{height}")
        return [library.measure([image], device)[0] for image in inputs]

    return replace(library, measure=measure)


def _musiq() -> Metric:
    library = _metric("musiq_koniq", "MUSIQ", 2, "higher", "~0, ~100", "nothing", musiq.WEIGHTS, network=True)
    return replace(library, measure=over_batches(musiq.load, "nothing"))


def _vif() -> Metric:
    """VIF divides the information that SR keeps by that of HR; of a flat HR the library gives 0, even for itself."""
    library = _metric("vif", "VIF", 4, "higher", "0, ~1")

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        for image in inputs:
            hr = full_range_y(image.rgb[1])
            if hr.min() == hr.max():
                raise ValueError("VIF is not defined for a flat HR: it has no information that SR could keep")
        return library.measure(inputs, device)

    return replace(library, card=replace(library.card, version=version("3")), measure=measure)


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
    _musiq(),
    _metric("maniqa_koniq", "MANIQA", 4, "higher", "~0, ~1", "nothing", ("maniqa-koniq",), name="maniqa", network=True),
    _metric("maniqa_pipal", "MANIQA-PIPAL", 4, "higher", "~0, ~1", "nothing", ("maniqa-pipal",), name="maniqa-pipal",
            network=True),
    _metric("clipiqa", "CLIPIQA", 4, "higher", "0, 1", "nothing", ("clip-rn50",), network=True),
    _metric("clipiqa+", "CLIPIQA+", 4, "higher", "0, 1", "nothing", ("clip-rn50", "clipiqa-plus"), network=True),
    _metric("topiq_nr_koniq", "TOPIQ-NR", 4, "higher", "~0, ~1", "nothing", ("topiq-nr-koniq",), name="topiq_nr",
            network=True, backbone_pretrain=False),
)  # fmt: skip
