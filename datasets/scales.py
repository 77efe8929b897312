"""Scales of HR to LQ, whole or not, and the sizes of images that follow from them.

A scale is an ``int`` where it is whole and a ``float`` where it is not, so that it prints as people write it: ``4``,
``1.5``. Those that are not whole are multiples of 0.05.

One rule gives all sizes, that of ArbSR's ``gen_LR_img.m`` (Wang et al., ICCV 2021; folder ``utils`` of
github.com/The-Learning-And-Vision-Atelier-LAVA/ArbSR): HR is cut at its bottom and right to a multiple of ``hr_unit``
pixels, the first whole product of the scale with 1, 2, 5, 10 or 20. LQ is then HR over the scale without a rest, so
that MATLAB's ``imresize(HR, 1 / scale)`` and ``imresize(HR, [h w])`` are the same, and so are those back to HR. For a
whole scale it is the literature's "modcrop". (LIIF's rule, ``floor(HR / scale)`` pixels of LQ and ``round(LQ * scale)``
of HR, cuts less, and stretches each side of each image by another factor than the scale.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Annotated

from pydantic import AfterValidator

from .errors import UsageError

LARGEST = 16
_STEPS = (1, 2, 5, 10, 20)
"""What ArbSR multiplies a scale with until the product is whole."""
_PARTS = _STEPS[-1]
"""Every scale is a number of twentieths."""
_SLIP = 1e-6
"""Twentieths by which a computed scale, such as 1.2000000000000002, may miss the one that is meant."""


class ScaleError(UsageError, ValueError):
    """A number that is no scale."""


def parse_scale(value: float | str) -> float:
    """The scale of a number or a text: ``int`` where it is whole, else ``float``.

    Raises:
        ScaleError: it is no number, below 1, above 16, or no multiple of 0.05.
    """
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not (isfinite(number) and 1 <= number <= LARGEST):
        raise ScaleError(f"scale {value}: a scale is a number from 1 to {LARGEST}, such as 4 or 1.5")
    parts = round(number * _PARTS)
    if abs(number * _PARTS - parts) > _SLIP:
        raise ScaleError(
            f"scale {value}: a scale that is not whole is a multiple of {1 / _PARTS:g}, so that HR and LQ fit to the"
            f" pixel; the nearest is {parts / _PARTS:g}"
        )
    return parts // _PARTS if parts % _PARTS == 0 else parts / _PARTS


Scale = Annotated[int | float, AfterValidator(parse_scale)]
"""A scale in text from outside."""


@cache
def lq_unit(scale: float) -> int:
    """Pixels of LQ that are a whole number of pixels of HR, 1 where the scale is whole; sides of LQ are multiples."""
    parts = _twentieths(scale)
    return next(step for step in _STEPS if parts * step % _PARTS == 0)


@cache
def hr_unit(scale: float) -> int:
    """Pixels of HR of which its sides are multiples: the scale itself where it is whole, 3 for 1.5 and 12 for 2.4."""
    return _twentieths(scale) * lq_unit(scale) // _PARTS


def lq_size(hr: Sequence[int], scale: float) -> tuple[int, int]:
    """Height and width of LQ, from those of HR (its shape), cut or not; 0 where HR is too small."""
    return hr[0] // hr_unit(scale) * lq_unit(scale), hr[1] // hr_unit(scale) * lq_unit(scale)


def sr_size(lq: Sequence[int], scale: float) -> tuple[int, int]:
    """Height and width of SR, from those of LQ (its shape): times the scale, rounded up as MATLAB's ``imresize`` does.

    Nothing is rounded where LQ was made from an HR here; LQ of other origin has any size.
    """
    return -(-lq[0] * _twentieths(scale) // _PARTS), -(-lq[1] * _twentieths(scale) // _PARTS)


def crop_problem(crop: int, scale: float) -> str:
    """Why a crop of HR cannot be taken at a scale, in words; '' where it can."""
    unit = hr_unit(scale)
    if crop % unit == 0:
        return ""
    multiple = f"the scale {scale}" if unit == scale else f"{unit}, of which sides of HR are at scale {scale}"
    return f"a crop of {crop} pixels is no multiple of {multiple}"


def _twentieths(scale: float) -> int:
    return round(scale * _PARTS)
