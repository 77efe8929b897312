"""Score finished images, a folder or a file, alone or against HR images, without a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.dataset import Sample, folder_dataset
from ...datasets.errors import BenchError, DatasetError
from ...datasets.images import crop_to_multiple, read_image
from ...datasets.scales import hr_unit
from ..metrics.measure import ahead, grouped, images_together, measure_each
from ..metrics.metric import MetricError
from ..metrics.metric_input import MetricInput, Pixels
from ..metrics.registry import get_metric
from ..plan.part import parts_of
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
    """Images cannot be compared or measured; the message names them."""


@dataclass(frozen=True)
class ScoredSet:
    """The images to score."""

    samples: tuple[Sample, ...]
    """SR as ``lq``, and HR."""
    whole: int
    """Images of the folder, of which these may be a part."""


def scored_set(
    sr: Path, hr: Path | None, scale: float, patterns: Sequence[str] = (), limit: int | None = None
) -> ScoredSet:
    """Pair SR with HR: two folders by names, or two files.

    Args:
        sr: folder of restored images, or one file.
        hr: folder of HR images, or one file; None: there is no HR.
        scale: scale factor; names of SR files may end in ``x{scale}``.
        patterns: names of images to take, with ``*`` and ``?``; empty: all.
        limit: number of images to take, by name; None: all.

    Raises:
        DatasetError: a folder is missing or empty, an image has no partner, or no image has such a name.
    """
    if sr.is_file():
        if hr is not None and not hr.is_file():
            raise DatasetError(f"{hr}: is no file; {sr} is one, and is scored against one HR file")
        return ScoredSet((Sample(sr.stem, hr, sr),), 1)
    if hr is not None and hr.is_file():
        raise DatasetError(f"{hr}: is a file; the images of folder {sr} are scored against a folder of HR images")
    whole = folder_dataset("score", hr=hr, lq=sr, scale=scale)
    (part,) = parts_of([whole], patterns, limit)
    return ScoredSet(part.samples, len(whole.samples))


def score_images(
    samples: Sequence[Sample],
    protocol: Protocol,
    metrics: Sequence[str],
    *,
    device: str = "cpu",
    batch: int | None = None,
) -> Iterator[ImageScore]:
    """Score finished images, each against its HR if it has one.

    HR is cut as the protocol's scale needs it, as it is before an LQ is made from it.

    Args:
        samples: files of SR (as ``lq``) and of HR.
        protocol: conventions of the measurement.
        metrics: ids of metrics.
        device: device of networks: ``auto``, ``cpu``, ``cuda:1``.
        batch: number of images that networks measure together; no value depends on it.

    Raises:
        MetricError: a metric is unknown, or needs HR or LQ that are not given.
        ImageError: an image cannot be read.
        ScoreError: SR and HR differ in size or colour.
    """
    functions = [get_metric(metric) for metric in metrics]
    if from_lq := [metric.id for metric in functions if metric.card.needs in ("lq", "pair")]:
        raise MetricError(f"{', '.join(from_lq)} compares with LQ images, which are not given here; use 'run'")
    without_hr = any(sample.hr is None for sample in samples)
    if without_hr and (needing := [metric.id for metric in functions if metric.card.needs != "nothing"]):
        raise MetricError(
            f"{', '.join(needing)} compares with HR, which is not given; add --hr, or score what needs none, such as"
            " piqe"
        )
    if gaps := [f"{metric.id}: {metric.missing()}" for metric in functions if metric.missing()]:
        raise MetricError("; ".join(gaps))
    if of_sets := [metric.id for metric in functions if metric.of_set is not None]:
        raise MetricError(f"{', '.join(of_sets)} has no mean over images: a set is scored as a whole; use 'run'")
    unit = hr_unit(protocol.scale or 1)

    def load(sample: Sample) -> MetricInput:
        assert sample.lq is not None
        pixels = read_image(sample.lq)
        if sample.hr is None:
            return MetricInput(pixels, None, protocol)
        reference = crop_to_multiple(read_image(sample.hr), unit)
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
