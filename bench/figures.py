"""Figures from a store; nothing is measured here."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets.images import write_atomically
from ..reports.figures import Spectra, spectrum_figure
from .leaderboard import FormatError
from .objects import StoreError
from .store import Store, open_store

KINDS = ("spectrum",)
_FLOOR = 1e-12
_GRID = 256
"""Frequencies to which spectra of images of different sizes are brought."""


def write_figures(root: Path, kinds: Sequence[str], out: Path) -> list[Path]:
    """Write each figure as PDF and PNG and return the paths.

    Raises:
        FormatError: a kind that does not exist.
        StoreError: no store there, or none of what the figures show.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise FormatError(f"unknown figure '{unknown[0]}' (known: {', '.join(KINDS)})")
    paths = []
    with open_store(root) as store:
        for spectra in _spectra(store):
            figure = spectrum_figure(spectra)
            for suffix in ("pdf", "png"):
                buffer = io.BytesIO()
                figure.savefig(
                    buffer, format=suffix, dpi=200, metadata={"CreationDate": None} if suffix == "pdf" else {}
                )
                path = out / f"spectrum-{spectra.dataset}-{spectra.protocol}.{suffix}"
                write_atomically(path, buffer.getvalue())
                paths.append(path)
    if not paths:
        raise StoreError(f"{root}: has no spectra; run the metric 'lsd' first")
    return paths


def _spectra(store: Store) -> Iterator[Spectra]:
    """Geometric means over images: what a log-spectral distance compares."""
    order = store.outputs()["method"].unique()
    found: dict[tuple[str, str], dict[str, list[NDArray[np.float64]]]] = {}
    references: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    for (protocol, _, dataset, image, method, _), payload in store.payloads("lsd"):
        sr, hr = (_on_grid(profile) for profile in payload.astype(np.float64))
        found.setdefault((protocol, dataset), {}).setdefault(method, []).append(sr)
        references.setdefault((protocol, dataset), {})[image] = hr
    for (protocol, dataset), methods in found.items():
        yield Spectra(
            dataset=dataset,
            protocol=protocol,
            images=len(references[protocol, dataset]),
            frequencies=np.linspace(0, 1, _GRID),
            reference=_geometric_mean(list(references[protocol, dataset].values())),
            methods={name: _geometric_mean(methods[name]) for name in order if name in methods},
        )


def _on_grid(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of a profile at common frequencies."""
    return np.interp(np.linspace(0, 1, _GRID), np.linspace(0, 1, len(profile)), np.log(profile + _FLOOR))


def _geometric_mean(logarithms: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.exp(np.mean(logarithms, axis=0))
    return mean
