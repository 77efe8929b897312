"""The golden record: the authors' own values for OSEDiff's published outputs on RealSR, image by image.

``records/osediff-realsr512.csv`` has those values and the first 16 hex digits of each file's SHA-256.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from ...datasets.card import data_root
from ...datasets.errors import BenchError
from ...datasets.images import file_digest, read_image
from ..execute.restore_image import torch_device
from ..metrics.measure import ahead, grouped, images_together, measure_each
from ..metrics.metric_input import MetricInput
from ..metrics.registry import get_metric
from ..protocols import get_protocol

METRICS = ("psnr_y", "ssim_y", "lpips_alex", "dists", "clipiqa", "niqe", "musiq_koniq", "maniqa_pipal")
TOLERANCES = {"psnr_y": 1e-4, "ssim_y": 1e-5, "lpips_alex": 5e-4, "dists": 1e-4, "niqe": 0.05}
"""Largest difference of an image's value from the authors' value. Differences come from the order of additions on their
GPU, and for NIQE from rounding of Y, which has a tie in one pixel of a thousand."""
PROTOCOL = "osediff-512"
_SR, _HR = "results_osediff", "test_HR"
_SOURCE = "github.com/cswry/OSEDiff, preset/datasets/benchmark_realsr"


class GoldenError(BenchError, ValueError):
    """An image of the record is missing or has other content; the message names the file and the remedy."""


@dataclass(frozen=True)
class Row:
    """Comparison in one metric over the images of the record that were measured."""

    metric: str
    authors: float
    """Mean of the authors' values."""
    measured: float | None = None
    """Mean of the values that were measured here."""
    median: float | None = None
    largest: float | None = None
    """Largest absolute difference of an image."""
    unavailable: str = ""
    """Why the metric was not measured, and the remedy."""

    @property
    def agrees(self) -> bool | None:
        """Whether every image is within ``TOLERANCES``; None if the metric was not measured or has no tolerance."""
        if self.largest is None or self.metric not in TOLERANCES:
            return None
        return self.largest <= TOLERANCES[self.metric]


@lru_cache(maxsize=1)
def record() -> tuple[dict[str, str], ...]:
    """The authors' values by image."""
    text = files(__package__).joinpath("records", "osediff-realsr512.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def compare_with_record(
    folder: Path, *, device: str = "auto", metrics: tuple[str, ...] = METRICS, every: int = 1
) -> Iterator[Row]:
    """Measure the published outputs, and compare the values with those of the authors, metric by metric.

    Args:
        folder: folder with ``results_osediff``, and with ``test_HR`` unless the dataset RealSR-512 was fetched.
        device: ``auto``, ``cpu``, ``cuda`` or another name of torch.
        metrics: ids of the metrics to compare.
        every: measure every n-th image; 10 takes a tenth of the time.

    Raises:
        GoldenError: an image is missing or has other content.
    """
    rows = record()[::every]
    paths = [_checked(folder, row) for row in rows]
    for id in metrics:
        metric = get_metric(id)
        authors_values = np.array([float(row[id]) for row in rows])
        if reason := metric.missing():
            yield Row(id, float(authors_values.mean()), unavailable=reason)
            continue
        target = torch_device(device) if metric.batched else "cpu"
        size = images_together(None, device)
        own_values: list[float] = []
        for inputs in grouped(ahead(_loaded, paths, 2 * size), size):
            for score in measure_each(metric, inputs, target):
                if isinstance(score, Exception):
                    raise score
                own_values.append(score.value)
        differences = np.abs(np.array(own_values) - authors_values)
        yield Row(
            id,
            float(authors_values.mean()),
            float(np.mean(own_values)),
            float(np.median(differences)),
            float(differences.max()),
        )


def _checked(folder: Path, row: dict[str, str]) -> tuple[Path, Path]:
    hr_folder = folder / _HR if (folder / _HR).is_dir() else data_root() / "RealSR-512" / _HR
    paths = folder / _SR / f"{row['image']}.png", hr_folder / f"{row['image']}.png"
    for path, digest in zip(paths, (row["sr"], row["hr"]), strict=True):
        if not path.is_file():
            raise GoldenError(
                f"{path}: no such file; the record needs OSEDiff's published outputs ({_SOURCE}) in {_SR} and RealSR's"
                f" HR images in {_HR} (or 'asasr-bench data fetch RealSR-512')"
            )
        actual = file_digest(path)
        if not actual.startswith(digest):
            raise GoldenError(f"{path}: is not the file of the record (SHA-256 {actual[:16]}…, not {digest}…)")
    return paths


def _loaded(paths: tuple[Path, Path]) -> MetricInput:
    sr, hr = (read_image(path) for path in paths)
    return MetricInput(sr, hr, get_protocol(PROTOCOL, None))
