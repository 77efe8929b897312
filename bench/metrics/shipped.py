"""The metrics of images that come with the package; the code of each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from .metric import Metric

_FAMILIES: dict[str, tuple[str, ...]] = {
    "fidelity": ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"),
    "structural": ("ms_ssim", "fsim", "gmsd"),
    "deep_features": ("lpips_alex", "lpips_vgg", "dists"),
    "naturalness": ("niqe",),
    "piqe": ("piqe",),
    "perceptual": (
        "vif",
        "vsi",
        "topiq_fr_kadid",
        "afine_all_scale",
        "afine_fr",
        "afine_nr",
        "brisque",
        "piqe_pyiqa",
        "musiq_koniq",
        "maniqa_koniq",
        "maniqa_pipal",
        "clipiqa",
        "clipiqa+",
        "topiq_nr_koniq",
    ),
    "set_distances.frechet": ("fid",),
    "set_distances.kernel_distance": ("kid",),
    "spectral": ("lsd", "lsd_2d", "lsd_dc", "spectral_slope", "hf_ratio", "hf_bias", "hs_residual"),
    "lattice": ("grid_artifacts",),
    "faithfulness.ring_correlation": ("frc", "frc_cutoff", "frc_high", "error_high"),
    "faithfulness.artifact_maps": ("ldl", "desra"),
    "faithfulness.features": ("dino_distance", "clip_distance"),
    "faithfulness.low_resolution": ("lr_consistency", "lr_colour"),
}
"""The file of each family and the ids of its ``METRICS``, in the order in which tables and lists show them."""


class _ShippedMetrics(Mapping[str, Metric]):
    """Ids without any import; a metric with that of its family alone."""

    def __getitem__(self, id: str) -> Metric:
        for family, ids in _FAMILIES.items():
            if id in ids:
                metrics: tuple[Metric, ...] = import_module(f".{family}", __package__).METRICS
                return metrics[ids.index(id)]
        raise KeyError(id)

    def __iter__(self) -> Iterator[str]:
        for ids in _FAMILIES.values():
            yield from ids

    def __len__(self) -> int:
        return sum(map(len, _FAMILIES.values()))


def shipped_metrics() -> Mapping[str, Metric]:
    """The package's metrics of images by id, in the order in which tables and lists show them.

    Metrics of tasks are made from their ids, and users may add metrics. So use ``get_metric`` to find a metric by its
    id, and ``metrics_of`` for the metrics of a store.
    """
    return _ShippedMetrics()
