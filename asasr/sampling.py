"""From LQ images to SR images: noise by seed, a sampler, tiles for any size, colour fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count as counting
from itertools import product
from math import ceil, sqrt

import torch
from torch import Tensor
from torch.nn import functional

from .backbones.backbone import Backbone, Codec, Prompt
from .choices import ColourFix, Precision, Sampler
from .colour import fix_colour
from .flow import integrate, interpolate, sampling_sigmas
from .guidance import GuidanceWeight, uses_adversary, weight_at
from .noise import NoiseSource, role_generator
from .precision import computing_in, forward_dtype
from .resize import resized

_SEED_STRIDE = 1_000_003
"""Between the seeds of an image's samples: larger than any range of seeds that somebody runs."""


@dataclass(frozen=True)
class SamplingSettings:
    """How images are restored."""

    steps: int = 28
    """Evaluations of the network, if no adversary is asked too."""
    sampler: Sampler = "euler"
    start: float = 1.0
    """Sigma at which sampling begins, from the LQ image under that much noise (SDEdit, arXiv 2108.01073); 1: noise."""
    shift: float | None = None
    """``mu`` of the schedule; None: the family's own for the size that the network sees, a tile's."""
    guidance: float = 3.5
    """Embedded guidance of FLUX."""
    colour_fix: ColourFix = "adain"
    tile: int = 128
    """Largest side of a tile of latents; larger images are computed tile by tile at each step."""
    overlap: int = 32
    """Latents that neighbouring tiles share."""
    colored_noise: float | None = None
    """Start from noise of covariance ``Sigma_s`` with this s in the latents' own size, 0: white, in place of the noise
    that the model was trained with."""
    precision: Precision = "auto"
    """Of the velocities; see ``precision.sampling_policy``. bfloat16 is two to three times as fast on a CPU that has
    it; the state stays float32."""
    samples: int = 1
    """Average of that many samples: it approaches the posterior's mean, the image of least squared error."""
    antithetic: float = 0.0
    """Correlation, with its sign turned, of each second sample's start noise with that of the one before. 1: its
    negative, so that their average loses all that is odd in the noise; 0: independent."""
    tiles_at_once: int = 1
    """Tiles of an image that go through the network together; it changes rounding alone."""
    adversary: GuidanceWeight = 0.0
    """``w`` of ``v + w (v - v_adv)``, away from the adversary; see ``guidance``. 0: without it."""


@torch.inference_mode()
def restore(
    backbone: Backbone,
    codec: Codec,
    lq: Tensor,
    scale: int,
    seeds: Sequence[int],
    settings: SamplingSettings,
    prompt: Prompt | None = None,
    adversary: Callable[[], AbstractContextManager[None]] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Restore images; each depends on its own pixels and seed alone, not on its batch.

    A network that knows no pure noise (Stable Diffusion's schedule ends at sigma 0.94) starts from the LQ image under
    as much noise as it knows.

    Args:
        backbone: the network.
        codec: between images and latents.
        lq: ``[B, 3, h, w]`` in [0, 1].
        scale: size of SR relative to LQ.
        seeds: one seed per image.
        settings: steps, tiles and guidance.
        prompt: None: the backbone's own text.
        adversary: creates a context in which the backbone is the adversary; needed for ``settings.adversary``.
        tell: progress callback, called after every step with the steps done and the total number of steps.

    Returns:
        ``[B, 3, scale * h, scale * w]`` in [0, 1].

    Raises:
        ValueError: the settings ask for an adversary and none is given.
    """
    if adversary is None and uses_adversary(settings.adversary):
        raise ValueError("sampling.adversary: the model has no adversary to go away from")
    height, width = scale * lq.shape[-2], scale * lq.shape[-1]
    enlarged = resized(lq, height, width, backbone.resize)
    padded = _pad(enlarged, codec.reduction * backbone.multiple)
    condition = codec.encode(padded, [role_generator(seed, "lq posterior") for seed in seeds])
    source = backbone.noise if settings.colored_noise is None else NoiseSource(settings.colored_noise, None)
    mu = backbone.shift(*_seen(backbone, condition, settings)) if settings.shift is None else settings.shift
    sigmas = sampling_sigmas(settings.steps, mu, min(settings.start, backbone.sigma_range[1]))

    steps = counting(1)

    def velocity(state: Tensor, sigma: Tensor) -> Tensor:
        slope = direction(state, sigma)
        if tell is not None:
            tell(next(steps), settings.steps * settings.samples)
        return slope

    def direction(state: Tensor, sigma: Tensor) -> Tensor:
        policy_velocity = tiled_velocity(backbone, state, sigma, condition, settings, prompt)
        weight = weight_at(settings.adversary, float(sigma[0]))
        if adversary is None or not weight:
            return policy_velocity
        with adversary():
            adversary_velocity = tiled_velocity(backbone, state, sigma, condition, settings, prompt)
        return policy_velocity + weight * (policy_velocity - adversary_velocity)

    def sample(number: int) -> Tensor:
        noise = _noise(condition, source, seeds, number, settings.antithetic)
        start = interpolate(condition, noise, sigmas[:1].expand(len(noise)))
        latents = integrate(velocity, start, sigmas, settings.sampler)
        return codec.decode(latents)[..., :height, :width]

    mean = torch.stack([sample(number) for number in range(settings.samples)]).mean(0)
    return fix_colour(mean, enlarged, settings.colour_fix)


def tiled_velocity(
    backbone: Backbone,
    state: Tensor,
    sigma: Tensor,
    lq: Tensor,
    settings: SamplingSettings,
    prompt: Prompt | None = None,
) -> Tensor:
    """The velocity of a large latent, blended from overlapping tiles with weights that fall towards their edges.

    Args:
        backbone: the network.
        state: ``[B, C, h, w]``.
        sigma: ``[B]`` in [0, 1].
        lq: latents of the LQ image, ``[B, C, h, w]``.
        settings: tiles, precision and guidance.
        prompt: None: the backbone's own text.
    """
    height, width = state.shape[-2:]
    down, across = _tiles(backbone, state, settings)
    if len(down) == len(across) == 1:
        return _velocity(backbone, state, sigma, lq, settings, prompt)
    overlap = _whole(settings.overlap, backbone.multiple)
    total, weights = torch.zeros_like(state), state.new_zeros(1, 1, height, width)
    places = list(product(down, across))
    for first in range(0, len(places), settings.tiles_at_once):
        group = places[first : first + settings.tiles_at_once]
        states, conditions = (
            torch.cat([latents[..., rows, columns] for rows, columns in group]) for latents in (state, lq)
        )
        velocities = _velocity(backbone, states, sigma.repeat(len(group)), conditions, settings, prompt)
        for (rows, columns), velocity in zip(group, velocities.chunk(len(group)), strict=True):
            weight = _ramp(rows, height, overlap, state)[:, None] * _ramp(columns, width, overlap, state)
            total[..., rows, columns] += velocity * weight
            weights[..., rows, columns] += weight
    return total / weights


def _tiles(backbone: Backbone, latents: Tensor, settings: SamplingSettings) -> tuple[list[slice], list[slice]]:
    """Rows and columns of the tiles that latents are cut into."""
    tile, overlap = (_whole(length, backbone.multiple) for length in (settings.tile, settings.overlap))
    height, width = latents.shape[-2:]
    return _spans(height, tile, overlap, backbone.multiple), _spans(width, tile, overlap, backbone.multiple)


def _seen(backbone: Backbone, latents: Tensor, settings: SamplingSettings) -> tuple[int, int]:
    """Height and width of what the network is given at once; all tiles have the same."""
    down, across = _tiles(backbone, latents, settings)
    return down[0].stop - down[0].start, across[0].stop - across[0].start


def _velocity(
    backbone: Backbone, state: Tensor, sigma: Tensor, lq: Tensor, settings: SamplingSettings, prompt: Prompt | None
) -> Tensor:
    device = state.device.type
    with computing_in(forward_dtype(backbone.precision, settings.precision, device), device):
        velocity: Tensor = backbone(state, sigma, lq, prompt, settings.guidance)
    return velocity.float()


def _spans(length: int, tile: int, overlap: int, multiple: int) -> list[slice]:
    """As few tiles as cover one axis, equal and evenly spaced; all begin and end at multiples."""
    if length <= tile:
        return [slice(0, length)]
    count = ceil((length - overlap) / max(tile - overlap, multiple))
    side = min(_whole(ceil((length + (count - 1) * overlap) / count) + multiple - 1, multiple), tile)
    starts = [_whole(round(number * (length - side) / (count - 1)), multiple) for number in range(count)]
    return [slice(start, start + side) for start in starts]


def _ramp(span: slice, length: int, overlap: int, like: Tensor) -> Tensor:
    """1 inside, falling linearly over the overlap towards edges that have a neighbour."""
    size = span.stop - span.start
    position = torch.arange(size, device=like.device, dtype=like.dtype)
    ramp = torch.ones(size, device=like.device, dtype=like.dtype)
    if overlap and span.start > 0:
        ramp = torch.minimum(ramp, (position + 1) / (overlap + 1))
    if overlap and span.stop < length:
        ramp = torch.minimum(ramp, (size - position) / (overlap + 1))
    return ramp


def _noise(like: Tensor, source: NoiseSource, seeds: Sequence[int], sample: int, antithetic: float) -> Tensor:
    """Noise of one sample of each image: a function of its seed and the sample's number alone."""
    height, width = like.shape[-2:]
    return source.colored(_white(like, source.field_shape(height, width), seeds, sample, antithetic), height, width)


def _white(like: Tensor, size: tuple[int, int], seeds: Sequence[int], sample: int, antithetic: float) -> Tensor:
    generators = [torch.Generator().manual_seed(seed + sample * _SEED_STRIDE) for seed in seeds]
    fields = [torch.randn(like.shape[1], *size, generator=generator) for generator in generators]
    noise = torch.stack(fields).to(like)
    if antithetic and sample % 2:
        return sqrt(1 - antithetic**2) * noise - antithetic * _white(like, size, seeds, sample - 1, 0)
    return noise


def _whole(length: int, multiple: int) -> int:
    return length - length % multiple


def _pad(images: Tensor, multiple: int) -> Tensor:
    """Extend the right and lower edge to a multiple, mirrored."""
    height, width = images.shape[-2:]
    extra_rows, extra_columns = -height % multiple, -width % multiple
    mode = "reflect" if extra_rows < height and extra_columns < width else "replicate"
    return (
        functional.pad(images, [0, extra_columns, 0, extra_rows], mode=mode) if extra_rows or extra_columns else images
    )
