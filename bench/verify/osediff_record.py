"""The golden record: OSEDiff's published outputs on RealSR and their authors' own values, image by image.

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
"""Difference by image up to which a value is the authors': their GPU adds in another order, and of the ties of rounding
that Y has in one pixel of a thousand, NIQE sees each."""
PROTOCOL = "osediff-512"
_SR, _HR = "results_osediff", "test_HR"
_SOURCE = "github.com/cswry/OSEDiff, preset/datasets/benchmark_realsr"


class GoldenError(BenchError, ValueError):
    """The images of the record are not there, or are others; the message names the file and the remedy."""


@dataclass(frozen=True)
class Row:
    """One metric over the images of the record that were measured."""

    metric: str
    theirs: float
    """Mean of the authors' values."""
    ours: float | None = None
    median: float | None = None
    largest: float | None = None
    """Of the differences by image, without sign."""
    unavailable: str = ""
    """Why it was not measured, and what to do."""

    @property
    def agrees(self) -> bool | None:
        """Whether every image is within ``TOLERANCES``; None where it was not measured or nothing is known of it."""
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
    """Score the published outputs and tell, metric by metric, how far we are from the authors' values.

    Args:
        every: measure each so-many-th image; 10 takes a tenth of the time.
        folder: has ``results_osediff``, and ``test_HR`` unless the dataset RealSR-512 was fetched.

    Raises:
        GoldenError: an image is missing or is another one.
    """
    rows = record()[::every]
    paths = [_checked(folder, row) for row in rows]
    for id in metrics:
        metric = get_metric(id)
        theirs = np.array([float(row[id]) for row in rows])
        if reason := metric.missing():
            yield Row(id, float(theirs.mean()), unavailable=reason)
            continue
        target = torch_device(device) if metric.batched else "cpu"
        size = images_together(None, device)
        ours: list[float] = []
        for inputs in grouped(ahead(_loaded, paths, 2 * size), size):
            for score in measure_each(metric, inputs, target):
                if isinstance(score, Exception):
                    raise score
                ours.append(score.value)
        differences = np.abs(np.array(ours) - theirs)
        yield Row(
            id, float(theirs.mean()), float(np.mean(ours)), float(np.median(differences)), float(differences.max())
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
        found = file_digest(path)
        if not found.startswith(digest):
            raise GoldenError(f"{path}: is not the file of the record (SHA-256 {found[:16]}…, not {digest}…)")
    return paths


def _loaded(paths: tuple[Path, Path]) -> MetricInput:
    sr, hr = (read_image(path) for path in paths)
    return MetricInput(sr, hr, get_protocol(PROTOCOL, None))
