"""What a metric is: a card, one measuring function, and a second one where a set has a value of its own."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ...datasets.errors import UsageError
from ...methods.user_code.references import ObjectReference
from .card import Floats, MetricCard
from .metric_input import MetricInput
from .requirements import Requirement

Payload = NDArray[Any]
"""What is stored beside the value of one image; any numeric type."""


@dataclass(frozen=True, eq=False)
class Score:
    """What measuring one image gives."""

    value: float
    """NaN where it is not defined for an image alone: an error, unless the metric is ``of_set``."""
    payload: Payload | None = None
    """What the value of a set, or a figure, needs beside the value; stored with it."""


Measure = Callable[[Sequence[MetricInput], str], list[Score]]
"""Scores of images, in their order, from the images and the name of a device (``cpu``, ``cuda:1``)."""


@dataclass(frozen=True)
class SetMetric:
    """The value of a set of images, where it is not the mean of their values (mIoU, AP, FID).

    The value of an image is then that of the image as a set of its own, or NaN where that is not defined (an image
    without objects): such an image counts in the set all the same.
    """

    combine: Callable[[Sequence[Payload]], float]
    """From the payloads of the images."""
    resample: Callable[[Sequence[Payload], Floats], Floats] | None = None
    """``combine`` of many sets at once: how often each image is in each of them ``[R, N]`` to values ``[R]``."""


@dataclass(frozen=True)
class Metric:
    """One metric: a value of each image, and that of a set."""

    card: MetricCard
    measure: Measure = field(compare=False)
    """All images of a call have one size where ``batched``; else it gets one image at a time, and the CPU."""
    of_set: SetMetric | None = None
    """None: the value of a set is the mean of its images' values."""
    requires: tuple[Requirement, ...] = ()
    """Libraries, weight files and engines that it cannot be measured without."""
    batched: bool = False
    """It takes several images of one size together and computes on the run's device."""
    any_size: bool = False
    """It goes through large images in strips; others take up to ``measure.MAX_UNTILED_PIXELS`` pixels."""
    fidelity: bool = False
    """PSNR or SSIM: there are protocols that shave images for these alone."""
    lq_rules: tuple[str, ...] = ()
    """Rules by which LQ is derived from HR for which it is defined; empty: all."""
    code: ObjectReference | None = field(default=None, compare=False)
    """Where somebody else's metric or engine comes from, as a worker imports it; None for the package's own."""

    @property
    def id(self) -> str:
        """By which specs and stores name it."""
        return self.card.id

    @property
    def implementation(self) -> str:
        """What determines its values beside the images: its version, and its weights, which must not be missing."""
        return f"{self.card.version} {self.weights()}".rstrip()

    def weights(self) -> str:
        """Digests of its weight files, which must not be missing; '' without any."""
        return " ".join(filter(None, (each.weights() for each in self.requires)))

    def missing(self) -> str:
        """Why it cannot be measured on this machine and what to do; '' if it can."""
        return next(filter(None, (each.missing() for each in self.requires)), "")

    def applies(self, *, reference: bool, lq_rule: str, truths: Container[str] = ()) -> bool:
        """Whether it is defined for an image; ``truths`` are the kinds of ground truth that it has."""
        given = {"lq", "nothing", *(("reference", "pair") if reference else ())}
        defined = not self.lq_rules or lq_rule in self.lq_rules
        return defined and (self.card.needs in given or self.card.needs in truths)


class MetricError(UsageError, ValueError):
    """Unknown metric."""


def per_image(function: Callable[[MetricInput], float | Score]) -> Measure:
    """Measuring by a function of one image, on the CPU."""

    def measure(images: Sequence[MetricInput], device: str) -> list[Score]:
        scores = (function(image) for image in images)
        return [score if isinstance(score, Score) else Score(score) for score in scores]

    return measure
