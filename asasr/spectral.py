"""The Sobolev operator: energies that weigh frequencies, their covariances, noise of such a covariance.

    ||g||^2_{H^s} = mean over channels and pixels of (1 + |w|^2)^s |g_hat(w)|^2
    Sigma_s = F^-1 diag((1 + |w|^2)^-s) F

with ``w`` in cycles per field, after ASASR (arXiv 2605.23264), section on Sobolev spectral rectification.
"""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor

from .choices import Basis, Weights


class SobolevOperator:
    """``H^s`` on images or latents ``[B, C, H, W]`` of any size; computed in float32, or in float64 if given that.

    Args:
        s: smoothness; 0 is the plain mean square, exactly.
        basis: ``dct``: orthonormal DCT-II, Neumann boundary, mode ``k`` is ``k / 2`` cycles per field;
            ``fft``: periodic boundary; ``rfft2``: the half spectrum without its conjugate half, as the authors'
            code sums it, for comparison with theirs alone: not symmetric in height and width, not the MSE at s = 0.
        weights: ``raw``: (1 + |w|^2)^s; ``unit-mean``: divided by their mean, so that energies of all s and sizes
            are of one magnitude.
    """

    def __init__(self, s: float, basis: Basis = "dct", weights: Weights = "raw") -> None:
        if basis not in get_args(Basis):
            raise ValueError(f"unknown basis '{basis}' (known: {', '.join(get_args(Basis))})")
        self.s, self.basis, self.weights = s, basis, weights
        self._weight_cache: dict[tuple[int, int, torch.device, torch.dtype], Tensor] = {}
        self._cosine_cache: dict[tuple[int, torch.device, torch.dtype], Tensor] = {}

    def energy(self, g: Tensor) -> Tensor:
        """``||g||^2_{H^s}`` of each element, ``[B, C, H, W]`` to ``[B]``; differentiable."""
        if self.s == 0 and self.basis != "rfft2":
            return _precise(g).square().flatten(1).mean(1)
        weights = self._weights(g)
        spectrum = self._transform(_precise(g))
        power = spectrum.real.square() + spectrum.imag.square() if spectrum.is_complex() else spectrum.square()
        return (power * weights).flatten(1).sum(1) / g[0].numel()

    def covariance(self, g: Tensor) -> Tensor:
        """``Sigma_s g``, the inverse of the weights applied to each mode."""
        return self._filtered(g, -1.0)

    def root_covariance(self, g: Tensor) -> Tensor:
        """``Sigma_s^(1/2) g``: gives white noise the covariance ``Sigma_s``."""
        return self._filtered(g, -0.5)

    def colored(self, noise: Tensor) -> Tensor:
        """White noise to noise of covariance ``Sigma_s``, scaled to unit variance per pixel on average."""
        weights = self._weights(noise)
        return self.root_covariance(noise) * weights.reciprocal().mean().rsqrt().to(noise.dtype)

    def riesz(self, gradient: Tensor, radius: float) -> Tensor:
        """The step ``d`` with ``||d||_{H^s} = radius`` along which a functional of this gradient falls most.

        ``d = -radius * Sigma_s gradient / sqrt(mean(gradient * Sigma_s gradient))``, each element by itself.
        """
        raised = self.covariance(gradient)
        length = (_precise(gradient) * _precise(raised)).flatten(1).mean(1).clamp_min(1e-30).sqrt()
        return -radius * raised / length.to(raised.dtype).view(-1, *[1] * (gradient.ndim - 1))

    def spectrum(self, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
        """The weight of each mode, ``[H, W]`` (``[H, W // 2 + 1]`` for ``rfft2``), float32."""
        return self._weights(torch.empty(1, 1, height, width, device=device))

    def _filtered(self, g: Tensor, exponent: float) -> Tensor:
        if self.basis == "rfft2":
            raise ValueError("the 'rfft2' basis only compares energies; use 'dct' or 'fft'")
        spectrum = self._transform(_precise(g)) * self._weights(g) ** exponent
        return self._inverse(spectrum).to(g.dtype)

    def _transform(self, g: Tensor) -> Tensor:
        if self.basis != "dct":
            periodic: Tensor = (torch.fft.fft2 if self.basis == "fft" else torch.fft.rfft2)(g, norm="ortho")
            return periodic
        rows, columns = self._cosines(g.shape[-2], g), self._cosines(g.shape[-1], g)
        return rows @ g @ columns.T

    def _inverse(self, spectrum: Tensor) -> Tensor:
        if self.basis == "fft":
            periodic: Tensor = torch.fft.ifft2(spectrum, norm="ortho")
            return periodic.real
        rows, columns = self._cosines(spectrum.shape[-2], spectrum), self._cosines(spectrum.shape[-1], spectrum)
        return rows.T @ spectrum @ columns

    def _cosines(self, length: int, like: Tensor) -> Tensor:
        """The orthonormal DCT-II as a matrix."""
        key = length, like.device, like.dtype
        if key not in self._cosine_cache:
            position = torch.arange(length, dtype=torch.float64)
            matrix = torch.cos(math.pi / length * position[:, None] * (position + 0.5)) * math.sqrt(2 / length)
            matrix[0] /= math.sqrt(2)
            self._cosine_cache[key] = matrix.to(like)
        return self._cosine_cache[key]

    def _weights(self, g: Tensor) -> Tensor:
        height, width = g.shape[-2:]
        dtype = torch.float64 if g.dtype == torch.float64 else torch.float32
        key = height, width, g.device, dtype
        if key not in self._weight_cache:
            if self.basis == "dct":
                down, across = (torch.arange(length, dtype=torch.float64) / 2 for length in (height, width))
            else:
                down = torch.fft.fftfreq(height, 1 / height, dtype=torch.float64)
                frequencies = torch.fft.fftfreq if self.basis == "fft" else torch.fft.rfftfreq
                across = frequencies(width, 1 / width, dtype=torch.float64)
            weights = (1 + down[:, None].square() + across.square()) ** self.s
            if self.weights == "unit-mean":
                weights = weights / weights.mean()
            self._weight_cache[key] = weights.to(g.device, dtype)
        return self._weight_cache[key]


def _precise(g: Tensor) -> Tensor:
    return g if g.dtype == torch.float64 else g.float()
