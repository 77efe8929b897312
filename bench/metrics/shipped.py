"""The metrics of images that come with the package."""

from __future__ import annotations

from . import (
    deep_features,
    fidelity,
    lattice,
    naturalness,
    perceptual,
    piqe,
    spectral,
    structural,
)
from .faithfulness import artifact_maps, low_resolution, ring_correlation
from .metric import Metric
from .set_distances import frechet, kernel_distance


def shipped_metrics() -> dict[str, Metric]:
    """The package's metrics of images by id, in the order in which tables and lists show them.

    Those of tasks are made by their id, and anybody may add more: whoever has an id asks ``get_metric``, and who reads
    a store ``metrics_of``.
    """
    rooms = (
        fidelity,
        structural,
        deep_features,
        naturalness,
        piqe,
        perceptual,
        frechet,
        kernel_distance,
        spectral,
        lattice,
        ring_correlation,
        artifact_maps,
        low_resolution,
    )
    return {metric.id: metric for room in rooms for metric in room.METRICS}
