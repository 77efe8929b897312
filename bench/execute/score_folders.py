"""Score a folder of finished images against a folder of HR images, without a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.dataset import Sample, folder_dataset
from ...datasets.errors import BenchError
from ...datasets.images import crop_to_multiple, read_image
from ..metrics.measure import ahead, grouped, images_together, measure_each
from ..metrics.metric import MetricError
from ..metrics.metric_input import MetricInput, Pixels
from ..metrics.registry import get_metric
from ..protocols import Protocol
from .check_output import has_colours
from .restore_image import torch_device
from .threads import fixed_threads


@dataclass(frozen=True)
class ImageScore:
    """One value of one image."""

    image: str
    metric: str
    protocol: str
    value: float


class ScoreError(BenchError, ValueError):
    """Images that cannot be compared or measured; the message names them."""


def score_folders(
    sr: Path,
    hr: Path,
    protocol: Protocol,
    metrics: Sequence[str],
    *,
    device: str = "cpu",
    batch: int | None = None,
) -> Iterator[ImageScore]:
    """Score every image of ``sr`` against the one of the same name in ``hr``.

    HR is cut to a multiple of the protocol's scale, as it is before an LQ is made from it.

    Args:
        device: where networks run: ``auto``, ``cpu``, ``cuda:1``.
        batch: images that networks measure together; no value depends on it.

    Raises:
        DatasetError: a folder is missing or empty, or an image has no partner.
        MetricError: an unknown metric.
        ImageError: an image cannot be read.
        ScoreError: SR and HR differ in size or colour.
    """
    functions = [get_metric(metric) for metric in metrics]
    if from_lq := [metric.id for metric in functions if metric.card.needs in ("lq", "pair")]:
        raise MetricError(f"{', '.join(from_lq)} compares with LQ images, which are not given here; use 'run'")
    if gaps := [f"{metric.id}: {metric.missing()}" for metric in functions if metric.missing()]:
        raise MetricError("; ".join(gaps))
    if of_sets := [metric.id for metric in functions if metric.of_set is not None]:
        raise MetricError(f"{', '.join(of_sets)} has no mean over images: a set is scored as a whole; use 'run'")
    scale = protocol.scale or 1
    samples = folder_dataset("score", hr=hr, lq=sr, scale=scale).samples

    def load(sample: Sample) -> MetricInput:
        assert sample.lq is not None
        assert sample.hr is not None
        pixels, reference = read_image(sample.lq), crop_to_multiple(read_image(sample.hr), scale)
        if pixels.shape[:2] != reference.shape[:2]:
            raise ScoreError(
                f"{sample.lq} is {_size(pixels)} pixels, but {sample.hr} is {_size(reference)};"
                " nothing is resized to fit"
            )
        if pixels.ndim < reference.ndim and has_colours(reference):
            raise ScoreError(f"{sample.lq} is grey, but {sample.hr} has colours; save the restored image as RGB")
        return MetricInput(pixels, reference, protocol)

    size = images_together(batch, device)
    target = torch_device(device) if any(metric.batched for metric in functions) else "cpu"
    for group in grouped(zip(samples, ahead(load, samples, 2 * size), strict=True), size):
        with fixed_threads(1):  # as runs do, to the last digit
            results = [measure_each(metric, [image for _, image in group], target) for metric in functions]
        for index, (sample, _) in enumerate(group):
            for metric, scores in zip(functions, results, strict=True):
                score = scores[index]
                if isinstance(score, Exception):
                    raise ScoreError(f"{sample.lq}: {metric.id}: {score}") from score
                yield ImageScore(sample.image, metric.id, protocol.name, score.value)


def values_by_metric(rows: Iterable[ImageScore]) -> dict[str, list[float]]:
    """Metric to its values over the images."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.metric, []).append(row.value)
    return values


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
