"""The input of a metric for one image: SR and everything that it can be compared with, under a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.ground_truth.kinds import Truth
from ...datasets.images import as_rgb
from ..protocols import Protocol
from .similarity import STRIP, Plane, luma, shave

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class MetricInput:
    """An SR image with what it is compared with under a protocol; what several metrics need is computed once."""

    sr: Pixels
    """SR pixels, uint8 ``[H, W]`` or ``[H, W, 3]``."""
    hr: Pixels | None
    """HR pixels, uint8 of the same height and width; None if the set has no HR."""
    protocol: Protocol
    lq: NDArray[Any] | None = None
    """LQ pixels from which SR was restored: uint8, or a float64 Y plane."""
    truths: Mapping[str, Truth] = field(default_factory=dict)
    """Ground truth by kind (``text``, ``instances``, ``labels``), as far as the set has it."""

    def seen_by(self, fidelity: bool) -> MetricInput:
        """What a metric gets: the whole images, where the protocol shaves for PSNR and SSIM alone and it is neither."""
        if fidelity or not self.protocol.shaves_fidelity_alone:
            return self
        return replace(self, protocol=replace(self.protocol, shave=0))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the shaved images, which are compared."""
        assert self.hr is not None
        if self.sr.shape[:2] != self.hr.shape[:2]:
            raise ValueError(f"images of shape {self.sr.shape} and {self.hr.shape} cannot be compared")
        height, width = shave(self.sr, self.protocol.shave).shape[:2]
        return height, width

    def luma_of(self, rows: slice) -> tuple[Plane, Plane]:
        """Some rows of ``luma``; for large images they are computed each time instead of being kept."""
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
        return self.sr_rgb, as_rgb(shave(self.hr, self.protocol.shave))

    @property
    def sr_rgb(self) -> Pixels:
        """SR as RGB, shaved."""
        return as_rgb(shave(self.sr, self.protocol.shave))

    def require_colours(self) -> None:
        """Check that SR is in RGB or grey, for metrics of RGB.

        Raises:
            ValueError: SR is the Y plane of a colour image.
        """
        if self._restored_on_y and self.hr is not None and self.hr.ndim == 3:
            raise ValueError(f"protocol {self.protocol.name} restores Y alone here; RGB metrics do not apply")

    @property
    def _restored_on_y(self) -> bool:
        """The classic bicubic row is computed on Y from end to end: its LQ is a float plane. Any other grey is grey."""
        return self.sr.ndim == 2 and self.lq is not None and self.lq.dtype != np.uint8

    @property
    def _sr_is_y(self) -> bool:
        grey = self.sr.ndim == 2 and (self.hr is None or self.hr.ndim == 2)
        return self._restored_on_y or (grey and not self.protocol.grey_as_rgb)

    @property
    def _hr_is_y(self) -> bool:
        assert self.hr is not None
        return not self.protocol.grey_as_rgb and self.sr.ndim == self.hr.ndim == 2

    def _luma(self, pixels: Pixels, is_y: bool, rows: slice = slice(None)) -> Plane:
        shaved = shave(pixels, self.protocol.shave)[rows]
        return shaved.astype(np.float64) if is_y else luma(shaved)
