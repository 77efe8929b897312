"""Degradations of a stated strength, from which grids of severity are built: blur, noise and JPEG around bicubic.

The classical model of blind super-resolution, ``LQ = JPEG(downscale(HR * blur) + noise)`` (Wang et al., Real-ESRGAN,
ICCV Workshops 2021, equation 1), with nothing drawn but the noise: an image has the same noise at every strength, so
that cases differ in what they say alone.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from ..errors import UsageError
from ..images import as_rgb, pixel_digest
from ..imresize import imresize
from ..scales import lq_size

VERSION = 1
"""Changes with every change of what a case gives; it is part of what names an LQ image."""
KIND = "severity"
CLEAN = "clean"
_PARTS = ("blur", "noise", "jpeg")
_TRUNCATE = 4.0


class SeverityError(UsageError, ValueError):
    """A strength that cannot be read, or that no image can have."""


@dataclass(frozen=True)
class Severity:
    """One case: how strong each degradation is."""

    blur: float = 0.0
    """Standard deviation of a Gaussian in pixels of HR."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise on LQ in levels of 255, for each channel its own."""
    jpeg: int | None = None
    """Quality of LQ's JPEG with 4:2:0 chroma, 1 to 100; None: it is not compressed."""

    def __post_init__(self) -> None:
        if not (0 <= self.blur <= 50 and 0 <= self.noise <= 255):
            raise SeverityError(f"severity: blur is 0 to 50 pixels and noise 0 to 255 levels, not {self.text}")
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise SeverityError(f"severity: the quality of JPEG is 1 to 100, not {self.jpeg}")

    @property
    def text(self) -> str:
        """Such as ``blur=2,jpeg=40``; what is absent is left out, and ``clean`` has nothing."""
        strengths = {"blur": self.blur, "noise": self.noise, "jpeg": self.jpeg}
        return ",".join(f"{name}={value:g}" for name, value in strengths.items() if value) or CLEAN

    @property
    def title(self) -> str:
        """Such as ``blur 2, JPEG 40``."""
        return self.text.replace(",", ", ").replace("=", " ").replace("jpeg", "JPEG")


def parse_severity(text: str) -> Severity:
    """The case that a text such as ``blur=2,jpeg=40`` describes.

    Raises:
        SeverityError: the text has another form; the message shows the right one.
    """
    if text == CLEAN:
        return Severity()
    values: dict[str, float] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if name not in _PARTS or name in values or not np.isfinite(number) or (name == "jpeg" and number % 1):
            raise SeverityError(
                f"severity '{text}': '{item}' cannot be read; it is such as blur=2,noise=10,jpeg=40, or {CLEAN}"
            )
        values[name] = number
    jpeg = values.get("jpeg")
    return Severity(values.get("blur", 0.0), values.get("noise", 0.0), None if jpeg is None else int(jpeg))


def grid(
    blur: tuple[float, ...], noise: tuple[float, ...], jpeg: tuple[int | None, ...], *, crossed: bool
) -> tuple[Severity, ...]:
    """Cases from lists of strengths, each list with its mildest strength first.

    Args:
        blur: standard deviations in pixels of HR.
        noise: standard deviations in levels of 255.
        jpeg: qualities; None: no compression.
        crossed: every combination of strengths; otherwise one degradation varies while the others stay at their first.
    """
    cases = [Severity(*strengths) for strengths in product(blur, noise, jpeg)]
    first = cases[0]
    if not crossed:
        changes = [sum(getattr(case, name) != getattr(first, name) for name in _PARTS) for case in cases]
        cases = [case for case, count in zip(cases, changes, strict=True) if count <= 1]
    return tuple(dict.fromkeys(cases))


def degrade_to(hr: NDArray[np.uint8], case: Severity, scale: float, seed: int = 0) -> NDArray[np.uint8]:
    """LQ of one picture, determined by its pixels, the case, the scale and the seed.

    Args:
        hr: ``[H, W, 3]`` or ``[H, W]``, sides multiples of ``hr_unit``; with noise or JPEG a grey picture becomes RGB.
        case: ``Severity()`` is MATLAB's bicubic to the last bit.
        scale: of HR to LQ.
        seed: of the noise.
    """
    source: NDArray[np.uint8] | NDArray[np.float64] = hr
    if case.blur:
        sigma = (case.blur, case.blur) + (0,) * (hr.ndim - 2)
        source = gaussian_filter(hr.astype(np.float64), sigma, mode="mirror", truncate=_TRUNCATE)
    lq = np.asarray(imresize(source, output_shape=lq_size(hr.shape, scale)))
    if case.noise:
        words = hashlib.sha256(f"{KIND}:{seed}:{pixel_digest(hr)}".encode()).digest()
        colour = as_rgb(_rounded(lq)) if lq.ndim == 2 else lq
        rng = np.random.default_rng(np.frombuffer(words, dtype="<u4"))
        lq = colour + case.noise * rng.standard_normal(colour.shape)
    pixels = _rounded(lq)
    return pixels if case.jpeg is None else _compressed(as_rgb(pixels), case.jpeg)


def _rounded(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.asarray(values if values.dtype == np.uint8 else np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _compressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer).convert("RGB"))
