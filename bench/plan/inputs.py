"""Read or make the LQ and HR pixels of one image from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.errors import BenchError
from ...datasets.ground_truth.kinds import TruthSource
from ...datasets.images import crop_to_multiple, file_digest, read_image_and_file
from ...datasets.imresize import imresize
from ...datasets.lq import make_lq, rule_version
from ...datasets.png import pixels_alone
from ...datasets.scales import hr_unit, lq_size, lq_unit
from ..metrics.similarity import luma, round_half_up
from ..store.images import Objects, Pixels
from ..store.keys import input_key


class InputError(BenchError, ValueError):
    """The files of an image do not fit together; the message names them and both sizes."""


@dataclass(frozen=True)
class Input:
    """One image of a dataset in the form that a group of methods takes."""

    image: str
    hr: Path | None
    lq: Path | None
    lq_rule: str
    scale: float
    on_luma: bool
    """LQ is the float Y plane of HR, made by bicubic and never rounded."""
    crop: int | None = None
    """Side of a centre crop in HR pixels."""
    truths: tuple[TruthSource, ...] = ()
    """Ground truth of the image; it changes no pixel."""

    def key(self, file_digests: dict[Path, str]) -> str:
        """Key of the pixels; each file is read once, and its digest is kept in ``file_digests``.

        Raises:
            InputError: a file cannot be read.
        """
        for path in (self.hr, self.lq):
            if path is not None and path not in file_digests:
                try:
                    file_digests[path] = file_digest(path)
                except OSError as error:
                    raise InputError(
                        f"{path}: cannot be read ({error.strerror}); check that the file is there"
                    ) from None
        return input_key(
            hr_file=file_digests[self.hr] if self.hr else None,
            lq_file=file_digests[self.lq] if self.lq else None,
            lq_rule=self.lq_rule,
            rule_version=rule_version(self.lq_rule),
            scale=self.scale,
            on_luma=self.on_luma,
            crop=self.crop,
        )


InputPlace = tuple[str, str, bool]
"""Dataset, image, and whether LQ is a Y plane."""


@dataclass(frozen=True)
class PreparedInput:
    """The stored pixels of an input."""

    lq: str = ""
    """Digest of the LQ pixels; '' if there are none."""
    reference: str | None = None
    """Digest of the HR pixels; None if the set has no HR."""
    error: str = ""
    """Why there are no pixels; '' if there are."""


@dataclass(frozen=True)
class _Loaded:
    """LQ and HR of an input, with the PNG files that have exactly these pixels."""

    lq: Pixels
    hr: Pixels | None
    lq_png: bytes | None = None
    hr_png: bytes | None = None


def load_input(item: Input) -> tuple[Pixels, Pixels | None]:
    """Read or make the LQ of one image and read its HR, cut to the sizes of its scale (``datasets/scales.py``).

    Returns LQ (uint8, or float64 0..255 for a Y plane) and HR uint8 (None for LQ-only sets).

    Raises:
        ImageError: a file cannot be used.
        InputError: LQ and HR sizes do not belong to the scale.
    """
    loaded = _load(item)
    return loaded.lq, loaded.hr


def _load(item: Input) -> _Loaded:
    hr, hr_png = (None, None) if item.hr is None else _whole_pixels(item.hr, item.scale)
    whole = None if hr is None else hr.shape[:2]
    if hr is not None and item.crop is not None:
        hr, hr_png = _centre(hr, item.crop // hr_unit(item.scale), hr_unit(item.scale), str(item.hr)), None
    if item.on_luma:
        assert hr is not None
        y = hr.astype(np.float64) if hr.ndim == 2 else round_half_up(luma(hr))
        return _Loaded(imresize(y, output_shape=lq_size(hr.shape, item.scale)), hr, None, hr_png)
    if item.lq is None:
        assert hr is not None
        return _Loaded(make_lq(hr, item.lq_rule, item.scale), hr, None, hr_png)
    lq, lq_file = read_image_and_file(item.lq)
    if whole is not None:
        expected = lq_size(whole, item.scale)
        if lq.shape[:2] != expected:
            raise InputError(
                f"{item.lq} is {lq.shape[1]}x{lq.shape[0]} pixels, but {item.hr} at scale {item.scale} needs"
                f" {expected[1]}x{expected[0]}; give the right LQ folder or --scale"
            )
    if item.crop is None:
        return _Loaded(lq, hr, pixels_alone(lq_file), hr_png)
    return _Loaded(_centre(lq, item.crop // hr_unit(item.scale), lq_unit(item.scale), str(item.lq)), hr)


def _whole_pixels(path: Path, scale: float) -> tuple[Pixels, bytes | None]:
    """HR cut as its scale needs it, and its file where nothing was cut."""
    pixels, file = read_image_and_file(path)
    hr = np.ascontiguousarray(crop_to_multiple(pixels, hr_unit(scale)))
    if 0 in hr.shape:
        least = "one pixel" if lq_unit(scale) == 1 else f"{hr_unit(scale)} pixels a side, the least"
        raise InputError(f"{path}: smaller than {least} at scale {scale}")
    return hr, pixels_alone(file) if hr.shape == pixels.shape else None


def _centre(image: Pixels, side: int, unit: int, name: str) -> Pixels:
    """A centre crop of ``side`` times ``unit`` pixels that begins at a multiple of it, so that HR and LQ fit."""
    height, width = (length // unit for length in image.shape[:2])
    if min(height, width) < side:
        raise InputError(f"{name}: {image.shape[1]}x{image.shape[0]} is smaller than the crop of {side * unit} pixels")
    top, left = unit * ((height - side) // 2), unit * ((width - side) // 2)
    return np.ascontiguousarray(image[top : top + side * unit, left : left + side * unit])


def store_input(item: Input, objects: Objects) -> tuple[str, str | None]:
    """Load one input, store its pixels, and return the digests of LQ and HR."""
    loaded = _load(item)
    reference = None if loaded.hr is None else objects.put(loaded.hr, loaded.hr_png)
    return objects.put(loaded.lq, loaded.lq_png), reference
