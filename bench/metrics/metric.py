"""What a metric is, and how it is found by its id."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import UsageError
from ...datasets.ground_truth.kinds import Truth
from ...datasets.images import as_rgb
from ..protocols import Protocol
from .similarity import STRIP, Plane, luma, shave

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Payload = NDArray[Any]
"""What is stored beside the value of one image; any numeric type."""
Need = Literal["reference", "lq", "nothing", "text", "instances", "labels"]
"""HR, LQ, SR alone, or ground truth of one kind."""
Direction = Literal["higher", "lower", "zero", "none"]
"""Which values are better: the greater, the smaller, those near 0; or a description that ranks nobody."""


@dataclass(frozen=True)
class Pair:
    """An SR image with what it is compared with under a protocol; what several metrics need is computed once."""

    sr: Pixels
    """uint8 ``[H, W]`` or ``[H, W, 3]``."""
    hr: Pixels | None
    """uint8 of the same height and width; None where the set has none."""
    protocol: Protocol
    lq: NDArray[Any] | None = None
    """What SR was made from: uint8, or a float64 Y plane."""
    truths: Mapping[str, Truth] = field(default_factory=dict)
    """Ground truth by kind: ``text``, ``instances``, ``labels``; what the set has of them."""
    findings: dict[str, Any] = field(default_factory=dict, compare=False)
    """What an engine found in this image, by the engine's name: metrics that share an engine run it once."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is compared: both images, shaved."""
        assert self.hr is not None
        if self.sr.shape[:2] != self.hr.shape[:2]:
            raise ValueError(f"images of shape {self.sr.shape} and {self.hr.shape} cannot be compared")
        height, width = shave(self.sr, self.protocol.shave).shape[:2]
        return height, width

    def luma_of(self, rows: slice) -> tuple[Plane, Plane]:
        """Some rows of ``luma``; those of large images are made anew each time instead of keeping all of them."""
        if self.sr.shape[0] * self.sr.shape[1] <= STRIP:
            a, b = self.luma
            return a[rows], b[rows]
        assert self.hr is not None
        return self._luma(self.sr, self._sr_is_y, rows), self._luma(self.hr, self._hr_is_y, rows)

    @cached_property
    def sr_luma(self) -> Plane:
        """Y of SR in 0..255, shaved, not rounded."""
        return self._luma(self.sr, self._sr_is_y)

    @cached_property
    def luma(self) -> tuple[Plane, Plane]:
        """Y of SR and HR in 0..255, shaved, not rounded."""
        assert self.hr is not None
        return self.sr_luma, self._luma(self.hr, self._hr_is_y)

    @cached_property
    def rgb(self) -> tuple[Pixels, Pixels]:
        """SR and HR as RGB, shaved."""
        assert self.hr is not None
        self.require_colours()
        return as_rgb(shave(self.sr, self.protocol.shave)), as_rgb(shave(self.hr, self.protocol.shave))

    def require_colours(self) -> None:
        """For metrics of RGB.

        Raises:
            ValueError: SR is the Y plane of a colour image.
        """
        if self._made_on_y and self.hr is not None and self.hr.ndim == 3:
            raise ValueError(f"protocol {self.protocol.name} restores Y alone here; RGB metrics do not apply")

    @property
    def _made_on_y(self) -> bool:
        """The classic bicubic row is computed on Y from end to end: its LQ is a float plane. Any other grey is grey."""
        return self.sr.ndim == 2 and self.lq is not None and self.lq.dtype != np.uint8

    @property
    def _sr_is_y(self) -> bool:
        grey = self.sr.ndim == 2 and (self.hr is None or self.hr.ndim == 2)
        return self._made_on_y or (grey and not self.protocol.grey_as_rgb)

    @property
    def _hr_is_y(self) -> bool:
        assert self.hr is not None
        return not self.protocol.grey_as_rgb and self.sr.ndim == self.hr.ndim == 2

    def _luma(self, pixels: Pixels, is_y: bool, rows: slice = slice(None)) -> Plane:
        shaved = shave(pixels, self.protocol.shave)[rows]
        return shaved.astype(np.float64) if is_y else luma(as_rgb(shaved))


@dataclass(frozen=True)
class Metric:
    """One metric: a value of each image, and that of a set."""

    id: str
    title: str
    """As tables print it."""
    unit: str
    digits: int
    """Decimals that tables print."""
    direction: Direction
    version: str
    """Raised whenever the implementation may give another number; part of every score key."""
    measure: Callable[[Pair], float]
    needs: Need = "reference"
    """What it compares SR with."""
    lq_rules: tuple[str, ...] = ()
    """Rules of making LQ for which it is defined; empty: all."""
    payload: Callable[[Pair], Payload] | None = None
    """What ``combine`` or figures need beside the value; stored with it."""
    combine: Callable[[Sequence[Payload]], float] | None = None
    """The value of a set from the payloads of its images, where it is not an aggregate of their values (mIoU, AP).

    ``measure`` then gives the value of the image as a set of its own, or NaN where that is not defined (an image
    without objects): such an image counts in the set all the same.
    """
    resample: Callable[[Sequence[Payload], Floats], Floats] | None = None
    """``combine`` of many sets at once: how often each image is in each of them ``[R, N]`` to values ``[R]``."""

    bounded: bool = False
    """Tables show it for HR itself and for bicubic as well: between them lies what a method can win."""

    any_size: bool = False
    """It goes through large images in strips; others take up to ``measure.MOST_AT_ONCE`` pixels."""

    missing: Callable[[], str] = field(default=lambda: "", compare=False)
    """Why it cannot be measured on this machine and what to do; '' if it can."""

    weights: Callable[[], str] = field(default=lambda: "", compare=False)
    """Digests of its weight files, which every score key carries; '' without any."""

    code: str = field(default="", compare=False)
    """Where somebody else's metric comes from, as a worker finds it; '' for the package's own."""

    note: str = ""
    """What a reader of its values must know."""
    range: str = ""
    """Lowest and highest value as its library states them; ``~`` means about, or unbounded."""
    measure_many: Callable[[Sequence[Pair], str], list[float]] | None = field(default=None, compare=False)
    """Values of several pairs of one size on a device; None for a metric that goes image by image on the CPU."""
    tolerance: float = 0.0
    """Relative difference that batch size, threads and device may make to its value."""

    def compared(self, values: Floats) -> Floats:
        """What sets, tests and ranks take of the values of outputs: their size where 0 is best, else themselves.

        It comes before every mean, over seeds too: otherwise two opposite errors would make a perfect value. So the
        value of a set is the mean of what is compared, and the smaller is better where 0 is best.
        """
        return np.abs(values) if self.direction == "zero" else values

    def losses(self, values: Floats) -> Floats:
        """The same with the sign by which smaller is better, whatever the direction; 0 where it ranks nobody."""
        if self.direction == "none":
            return np.zeros_like(values)
        return -values if self.direction == "higher" else self.compared(values)

    @property
    def implementation(self) -> str:
        """What determines its values beside the images: its version, and its weights, which must not be missing."""
        return f"{self.version} {self.weights()}".rstrip()

    def applies(self, *, reference: bool, lq_rule: str, truths: Container[str] = ()) -> bool:
        """Whether it is defined for an image; ``truths`` are the kinds of ground truth that it has."""
        given = {"lq", "nothing", "reference" if reference else ""}
        return (self.needs in given or self.needs in truths) and (not self.lq_rules or lq_rule in self.lq_rules)


class MetricError(UsageError, ValueError):
    """Unknown metric."""
