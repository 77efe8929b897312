"""The type of metrics: a card, a measuring function, and a second function if a set has a value of its own."""

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
"""Array of any numeric type that is stored with the value of an image."""


@dataclass(frozen=True, eq=False)
class Score:
    """Result of measuring one image."""

    value: float
    """The value; NaN if it is not defined for a single image, which is an error unless the metric is ``of_set``."""
    payload: Payload | None = None
    """Array that the value of a set, or a figure, needs in addition to the value."""


Measure = Callable[[Sequence[MetricInput], str], list[Score]]
"""Scores of images, in their order, from the images and the name of a device (``cpu``, ``cuda:1``)."""


@dataclass(frozen=True)
class SetMetric:
    """The value of a set of images that is not the mean of their values (mIoU, AP, FID).

    The value of an image is then that of a set with this image alone, or NaN if that is not defined (an image without
    objects). Such an image still counts in the set.
    """

    combine: Callable[[Sequence[Payload]], float]
    """Computes the value of a set from the payloads of its images."""
    resample: Callable[[Sequence[Payload], Floats], Floats] | None = None
    """``combine`` for many sets at once: from how often each image is in each set ``[R, N]`` to values ``[R]``."""


@dataclass(frozen=True)
class Metric:
    """A metric: its card, how an image is measured, and how a set gets its value."""

    card: MetricCard
    measure: Measure = field(compare=False)
    """Measures images. If ``batched``, a call gets images of one size; else a single image, on the CPU."""
    of_set: SetMetric | None = None
    """None: the value of a set is the mean of its images' values."""
    requires: tuple[Requirement, ...] = ()
    """Libraries, weight files and engines without which it cannot be measured."""
    batched: bool = False
    """Whether it takes several images of one size together and computes on the run's device."""
    any_size: bool = False
    """Whether it processes large images in strips; others take up to ``measure.MAX_UNTILED_PIXELS`` pixels."""
    fidelity: bool = False
    """Whether it is PSNR or SSIM, since some protocols shave images for these alone."""
    lq_rules: tuple[str, ...] = ()
    """LQ rules for which it is defined; empty: all."""
    code: ObjectReference | None = field(default=None, compare=False)
    """Reference with which a worker imports a user's own metric or engine; None for a metric of the package."""

    @property
    def id(self) -> str:
        """Id of the metric in specs and stores."""
        return self.card.id

    @property
    def implementation(self) -> str:
        """Its version and the digests of its weights, which determine its values; the weights must not be missing."""
        return f"{self.card.version} {self.weights()}".rstrip()

    def weights(self) -> str:
        """Digests of its weight files, which must not be missing; '' without any."""
        return " ".join(filter(None, (requirement.weights() for requirement in self.requires)))

    def missing(self) -> str:
        """The reason why it cannot be measured on this machine, with the remedy; '' if it can."""
        return next(filter(None, (requirement.missing() for requirement in self.requires)), "")

    def applies(self, *, reference: bool, lq_rule: str, truths: Container[str] = ()) -> bool:
        """Whether it is defined for an image; ``truths`` are the kinds of ground truth that it has."""
        available = {"lq", "nothing", *(("reference", "pair") if reference else ())}
        defined = not self.lq_rules or lq_rule in self.lq_rules
        return defined and (self.card.needs in available or self.card.needs in truths)


class MetricError(UsageError, ValueError):
    """A metric is unknown or cannot be used."""


def per_image(function: Callable[[MetricInput], float | Score]) -> Measure:
    """The measuring function of a function of one image, on the CPU."""

    def measure(images: Sequence[MetricInput], device: str) -> list[Score]:
        scores = (function(image) for image in images)
        return [score if isinstance(score, Score) else Score(score) for score in scores]

    return measure
