"""Score a folder of finished images against a folder of HR images, without a store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..datasets.dataset import Sample, folder_dataset
from ..datasets.images import crop_to_multiple, read_image
from .metrics.metric import MetricError, Pair, Pixels, get_metric
from .protocols import Protocol


@dataclass(frozen=True)
class ImageScore:
    """One value of one image."""

    image: str
    metric: str
    protocol: str
    value: float


class ScoreError(ValueError):
    """Two images that cannot be compared; the message names both."""


def score_folders(sr: Path, hr: Path, protocol: Protocol, metrics: Sequence[str]) -> Iterator[ImageScore]:
    """Score every image of ``sr`` against the one of the same name in ``hr``, image by image.

    HR is cut to a multiple of the protocol's scale, as it is before an LQ is made from it.

    Raises:
        DatasetError: a folder is missing or empty, or an image has no partner.
        MetricError: an unknown metric.
        ImageError: an image cannot be read.
        ScoreError: SR and HR differ in size or colour.
    """
    functions = [get_metric(metric) for metric in metrics]
    if from_lq := [metric.id for metric in functions if metric.needs == "lq"]:
        raise MetricError(f"{', '.join(from_lq)} compares with LQ images, which are not given here; use 'run'")
    if gaps := [f"{metric.id}: {metric.missing()}" for metric in functions if metric.missing()]:
        raise MetricError("; ".join(gaps))
    if of_sets := [metric.id for metric in functions if metric.combine is not None]:
        raise MetricError(f"{', '.join(of_sets)} has no mean over images: a set is scored as a whole; use 'run'")
    scale = protocol.scale or 1
    samples = folder_dataset("score", hr=hr, lq=sr, scale=scale).samples

    def load(sample: Sample) -> Pair:
        assert sample.lq is not None
        assert sample.hr is not None
        pixels, reference = read_image(sample.lq), crop_to_multiple(read_image(sample.hr), scale)
        if pixels.shape[:2] != reference.shape[:2]:
            raise ScoreError(
                f"{sample.lq} is {_size(pixels)} pixels, but {sample.hr} is {_size(reference)};"
                " nothing is resized to fit"
            )
        if pixels.ndim < reference.ndim:
            raise ScoreError(f"{sample.lq} is grey, but {sample.hr} has colours; save the restored image as RGB")
        return Pair(pixels, reference, protocol)

    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead: deque[Future[Pair]] = deque()  # the next image is decoded while one is measured
        for position, sample in enumerate(samples):
            while len(ahead) < 2 and position + len(ahead) < len(samples):
                ahead.append(pool.submit(load, samples[position + len(ahead)]))
            pair = ahead.popleft().result()
            for metric in functions:
                yield ImageScore(sample.image, metric.id, protocol.name, metric.measure(pair))


def values_by_metric(rows: Iterable[ImageScore]) -> dict[str, list[float]]:
    """Metric to its values over the images."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.metric, []).append(row.value)
    return values


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
