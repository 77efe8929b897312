"""The second-order degradation: first a recipe is drawn for each image, then a batch follows its recipes.

A recipe is all the chance there is, so an image's LQ depends on its seed alone: not on its batch or its place in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..images import as_rgb, pixel_digest
from .jpeg import jpeg
from .kernels import Kernel, draw_blur, draw_final_sinc
from .settings import DegradationSettings, PassSettings
from .stages import RESIZE_MODES, ResizeMode, blur, gaussian_noise, poisson_noise, resize, sharpen

VERSION = 1
"""Changes with every change of what a recipe gives; it is part of what names an LQ image."""


@dataclass(frozen=True)
class Geometry:
    """What the images of one batch must share to be computed together."""

    sharpen: bool
    factors: tuple[float, float]
    modes: tuple[ResizeMode, ResizeMode, ResizeMode]
    gaussian: tuple[bool, bool]
    """Gaussian noise in the first and second pass; Poisson noise otherwise."""
    jpeg_last: bool
    """The last resize and the sinc filter come before the second JPEG, or after it."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that was drawn for one image."""

    geometry: Geometry
    kernels: tuple[Kernel, Kernel, Kernel] = field(repr=False)
    """Of the first blur, the second, and the sinc filter at the end."""
    noise: tuple[float, float]
    """Strength in both passes: levels of 255, or the factor of Poisson noise."""
    grey: tuple[bool, bool]
    quality: tuple[float, float]
    noise_seed: int


def draw_recipe(
    settings: DegradationSettings, rng: np.random.Generator, geometry_rng: np.random.Generator | None = None
) -> Recipe:
    """Draw the recipe of one image.

    Args:
        settings: the ranges to draw from.
        rng: source of the draws.
        geometry_rng: draws the geometry in place of ``rng``: recipes with equal geometry run as one batch, as in
            Real-ESRGAN's training. Kernels, strengths, qualities and noise still come from ``rng``.
    """
    shared = rng if geometry_rng is None else geometry_rng
    first_kernel, second_kernel = draw_blur(rng, settings.first.blur), draw_blur(rng, settings.second.blur)
    kernels = first_kernel, second_kernel, draw_final_sinc(rng, settings.final_sinc)
    passes = settings.first, settings.second
    gaussian = tuple(bool(shared.random() < degradation_pass.gaussian) for degradation_pass in passes)
    geometry = Geometry(
        sharpen=settings.sharpen,
        factors=(_draw_factor(shared, settings.first), _draw_factor(shared, settings.second)),
        modes=(_draw_mode(shared), _draw_mode(shared), _draw_mode(shared)),
        gaussian=(gaussian[0], gaussian[1]),
        jpeg_last=bool(shared.random() < 0.5),
    )
    first, second = (
        rng.uniform(*(degradation_pass.gaussian_sigma if is_gaussian else degradation_pass.poisson_scale))
        for degradation_pass, is_gaussian in zip(passes, gaussian, strict=True)
    )
    return Recipe(
        geometry,
        kernels,
        noise=(first, second),
        grey=(bool(rng.random() < passes[0].grey_noise), bool(rng.random() < passes[1].grey_noise)),
        quality=(rng.uniform(*passes[0].jpeg), rng.uniform(*passes[1].jpeg)),
        noise_seed=int(rng.integers(2**63)),
    )


@torch.no_grad()
def degrade(hq: Tensor, recipes: Sequence[Recipe], scale: int) -> Tensor:
    """Degrade a batch, each image by its own recipe.

    Args:
        hq: ``[B, 3, H, W]`` in [0, 1]; H and W are multiples of ``scale``.
        recipes: one for each image; those with equal geometry are computed together.

    Returns:
        LQ ``[B, 3, H / scale, W / scale]`` in [0, 1], rounded to levels of 255.

    Raises:
        ValueError: the batch and its recipes do not fit together.
    """
    batch, _, height, width = hq.shape
    if len(recipes) != batch:
        raise ValueError(f"{batch} images need as many recipes, not {len(recipes)}")
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} pixels are no multiple of the scale {scale}; cut the images first")
    lq = hq.new_empty(batch, 3, height // scale, width // scale)
    groups: dict[Geometry, list[int]] = {}
    for index, recipe in enumerate(recipes):
        groups.setdefault(recipe.geometry, []).append(index)
    for geometry, members in groups.items():
        lq[members] = _degrade_together(hq[members], geometry, [recipes[index] for index in members], scale)
    return lq


def degrade_image(hr: NDArray[np.uint8], settings: DegradationSettings, seed: int = 0) -> NDArray[np.uint8]:
    """LQ of one picture, determined by its pixels, the settings and the seed; computed on the CPU.

    Args:
        hr: ``[H, W, 3]`` or ``[H, W]``, sides multiples of the settings' scale; a grey picture becomes RGB.

    Returns:
        LQ ``[H / scale, W / scale, 3]``.
    """
    words = hashlib.sha256(f"{settings.name}:{seed}:{pixel_digest(hr)}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(words, dtype="<u4"))
    hq = torch.from_numpy(np.ascontiguousarray(as_rgb(hr))).movedim(-1, 0)[None].float() / 255
    lq = degrade(hq, [draw_recipe(settings, rng)], settings.scale)
    return (lq[0] * 255).round().to(torch.uint8).movedim(0, -1).contiguous().numpy()


def _draw_factor(rng: np.random.Generator, settings: PassSettings) -> float:
    direction = rng.choice(3, p=settings.resize)
    low, high = settings.resize_range
    return float((rng.uniform(1, high), rng.uniform(low, 1), 1.0)[direction])


def _draw_mode(rng: np.random.Generator) -> ResizeMode:
    return RESIZE_MODES[rng.integers(len(RESIZE_MODES))]


def _degrade_together(hq: Tensor, geometry: Geometry, recipes: Sequence[Recipe], scale: int) -> Tensor:
    height, width = hq.shape[2] // scale, hq.shape[3] // scale
    generators = [torch.Generator(hq.device).manual_seed(recipe.noise_seed) for recipe in recipes]

    def filtered(images: Tensor, pass_index: int) -> Tensor:
        return blur(images, [recipe.kernels[pass_index] for recipe in recipes])

    def noisy(images: Tensor, pass_index: int) -> Tensor:
        add = gaussian_noise if geometry.gaussian[pass_index] else poisson_noise
        strength = torch.tensor([recipe.noise[pass_index] for recipe in recipes], dtype=torch.float32)
        grey = torch.tensor([recipe.grey[pass_index] for recipe in recipes], dtype=torch.float32)
        return add(images, strength, grey, generators)

    def compressed(images: Tensor, pass_index: int) -> Tensor:
        return jpeg(images.clamp(0, 1), torch.tensor([recipe.quality[pass_index] for recipe in recipes]))

    def finished(images: Tensor) -> Tensor:
        return filtered(resize(images, geometry.modes[2], size=(height, width)), 2)

    images = sharpen(hq) if geometry.sharpen else hq
    images = resize(filtered(images, 0), geometry.modes[0], factor=geometry.factors[0])
    images = compressed(noisy(images, 0), 0)
    factor = geometry.factors[1]
    images = resize(filtered(images, 1), geometry.modes[1], size=(int(height * factor), int(width * factor)))
    images = noisy(images, 1)
    images = compressed(finished(images), 1) if geometry.jpeg_last else finished(compressed(images, 1))
    return (images * 255).round().clamp(0, 255) / 255
