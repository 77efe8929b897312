"""Consistency of a configuration's sections, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from .choices import Basis, Kind
from .model_config import ModelConfig


def check_crop(model: ModelConfig, crop: int, scale: int) -> None:
    """Training crops must fit the scale and the backbone.

    Raises:
        ValueError: they do not.
    """
    side = model.reduction * model.multiple
    if crop % side:
        raise ValueError(
            f"'data.crop': {crop} does not fit a {model.family} backbone, whose images have sides of a multiple of"
            f" {side}; give {_nearest(crop, side)}"
        )
    if crop % scale:
        raise ValueError(f"'data.crop': {crop} is no multiple of the scale {scale}; give {_nearest(crop, scale)}")


def check_tiles(model: ModelConfig, tile: int, overlap: int) -> None:
    """Tiles of sampling must fit the backbone and be larger than what they share.

    Raises:
        ValueError: they do not.
    """
    if overlap >= tile:
        raise ValueError(
            f"'sampling.overlap': {overlap} is not smaller than 'sampling.tile', {tile}; give a quarter of it"
        )
    if tile % model.multiple:
        raise ValueError(
            f"'sampling.tile': {tile} does not fit a {model.family} backbone, whose latents have sides of a multiple of"
            f" {model.multiple}; give {_nearest(tile, model.multiple)}"
        )


def check_operator(basis: Basis, kinds: Sequence[Kind]) -> None:
    """The authors' one-sided transform has energies alone.

    Raises:
        ValueError: negatives want a step of it.
    """
    if basis == "rfft2" and "gradient" in kinds:
        raise ValueError(
            "'preference.sobolev.basis': rfft2 only compares energies; negatives of kind 'gradient' need dct or fft"
        )


def _nearest(length: int, multiple: int) -> str:
    below = length - length % multiple
    return f"{below} or {below + multiple}" if below else str(multiple)
