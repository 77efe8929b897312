"""``create_metric``: a metric as a function of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import UsageError
from ..execute.check_output import has_colours
from ..execute.restore_image import torch_device
from ..execute.threads import fixed_threads
from ..metrics.measure import grouped, images_together, measure_each
from ..metrics.metric import Metric, MetricError, Score
from ..metrics.metric_input import MetricInput, Pixels
from ..metrics.registry import get_metric
from ..protocols import Protocol, get_protocol
from .images import pixels_of

if TYPE_CHECKING:
    from .images import AnyImages

PLAIN = "osediff-512"
"""The default protocol: whole images at any scale."""
_COMPARED = {"reference": ("hr",), "lq": ("lq",), "pair": ("hr", "lq"), "nothing": ()}


class MeasuringError(UsageError, ValueError):
    """A metric cannot measure an image; the message names the image and the cause."""


@dataclass(frozen=True)
class ImageMetric:
    """A metric under a protocol, which is called with images; made by ``create_metric``."""

    metric: Metric
    protocol: Protocol
    device: str
    threads: int = 1

    @property
    def id(self) -> str:
        """Id of the metric in specs and stores."""
        return self.metric.id

    @property
    def direction(self) -> str:
        """``higher``, ``lower`` or ``zero`` (nearest to 0) is better; ``none``: the metric has no direction."""
        return self.metric.card.direction

    @property
    def needs(self) -> tuple[str, ...]:
        """The images that it needs besides SR: ``hr``, ``lq``, both or none."""
        return _COMPARED[self.metric.card.needs]

    def __repr__(self) -> str:
        arguments = ", ".join(("sr", *self.needs))
        return (
            f"<metric {self.id}({arguments}) under {self.protocol.name}, {self.direction} is better, on {self.device}>"
        )

    def __call__(
        self, sr: AnyImages, hr: AnyImages | None = None, *, lq: AnyImages | None = None
    ) -> float | NDArray[np.float64]:
        """The value of an image, or the values ``[N]`` of a batch; for a metric of sets (FID, mIoU) the set's value.

        Args:
            sr: restored images: paths, PIL images, arrays ``[H, W, 3]`` or ``[N, H, W, 3]``, tensors ``[3, H, W]`` or
                ``[N, 3, H, W]``, or a list of single ones; uint8 in 0..255 or floating point in 0..1.
            hr: the reference images, of the same number and size.
            lq: the images from which SR was restored, for metrics that compare with them.

        Raises:
            ImageInputError: a value is not such an image.
            MeasuringError: numbers or sizes of images differ, or the metric is not defined for an image.
        """
        restored, alone = pixels_of(sr, "SR")
        images_given = {"hr": hr, "lq": lq}
        for name in self.needs:
            if images_given[name] is None:
                raise MeasuringError(f"{self.id} compares SR with {name.upper()}; give {name}=")
        references = {name: _beside(images, name.upper(), len(restored)) for name, images in images_given.items()}
        inputs = [
            self._input(image, references["hr"][number], references["lq"][number], "SR" if alone else f"SR {number}")
            for number, image in enumerate(restored)
        ]
        measured: list[Score | Exception] = []
        with fixed_threads(self.threads):  # as runs do, and as many together, to the last digit
            for group in grouped(inputs, images_together(None, self.device)):
                measured += measure_each(self.metric, group, self.device)
        scores = [_require(score, self.id, number, alone) for number, score in enumerate(measured)]
        if self.metric.of_set is not None:
            return float(self.metric.of_set.combine([score.payload for score in scores if score.payload is not None]))
        return scores[0].value if alone else np.array([score.value for score in scores])

    def _input(self, sr: Pixels, hr: Pixels | None, lq: Pixels | None, label: str) -> MetricInput:
        if hr is not None and sr.shape[:2] != hr.shape[:2]:
            raise MeasuringError(f"{label} is {_size(sr)} pixels, its HR {_size(hr)}; nothing is resized to fit")
        if hr is not None and sr.ndim < hr.ndim and has_colours(hr):
            raise MeasuringError(f"{label} is grey, its HR has colours; give both as RGB")
        return MetricInput(sr, hr, self.protocol, lq)


def create_metric(
    metric: str | Mapping[str, Any] | Metric,
    *,
    protocol: str | Mapping[str, Any] = PLAIN,
    scale: float | None = None,
    device: str = "auto",
    threads: int = 1,
) -> ImageMetric:
    """A metric as a function of images, with exactly the values of a run.

    >>> import numpy as np
    >>> from asasr_bench import create_metric
    >>> hr = np.zeros((32, 32, 3), np.uint8)
    >>> psnr = create_metric("psnr_y", protocol="classic-x4")
    >>> round(psnr(hr + np.uint8(2), hr), 2)  # Y counts 219 levels of 255, and is rounded
    42.11
    >>> create_metric("hf_ratio")(hr / 255, hr / 255)
    0.0

    Args:
        metric: an id (``list_metrics``), a user's own metric as ``FILE.py:NAME``, or a ``Metric``.
        protocol: conventions of colour, rounding and crop (``asasr-bench list protocols``); the default takes whole
            images.
        scale: scale factor, for a protocol written with S.
        device: device of networks: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: number of threads; the last digits of values depend on it.

    Raises:
        MetricError: the metric is unknown, or lacks weights or a library; the message says how to get them.
        ProtocolError: the protocol is unknown, or is for another scale.
    """
    chosen = metric if isinstance(metric, Metric) else get_metric(metric)
    if chosen.card.needs not in _COMPARED:
        raise MetricError(
            f"metric '{chosen.id}' needs ground truth ({chosen.card.needs}) of a dataset: use evaluate, or compare with"
            f" HR: '{chosen.id}:hr'"
        )
    if missing := chosen.missing():
        raise MetricError(f"{chosen.id}: {missing}")
    target = torch_device(device) if chosen.batched else "cpu"
    return ImageMetric(chosen, get_protocol(protocol, scale), target, threads)


def _beside(images: AnyImages | None, label: str, count: int) -> Sequence[Pixels | None]:
    if images is None:
        return [None] * count
    pixels, _ = pixels_of(images, label)
    if len(pixels) != count:
        raise MeasuringError(f"{count} SR images with {len(pixels)} {label} images; give as many")
    return pixels


def _require(score: Score | Exception, id: str, number: int, alone: bool) -> Score:
    if isinstance(score, Exception):
        label = id if alone else f"{id}, image {number}"
        raise MeasuringError(f"{label}: {score}") from score
    return score


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
