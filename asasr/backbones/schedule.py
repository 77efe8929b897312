"""From a flow to the variance-preserving diffusion that Stable Diffusion was trained with, and back, exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from ..flow import expand


class VarianceSchedule(torch.nn.Module):
    """Noise levels of a variance-preserving diffusion: ``x_vp = alpha * clean + s * noise``, ``alpha^2 + s^2 = 1``.

    Divided by ``alpha + s`` its state is the flow's at ``sigma = s / (alpha + s)``. Between its steps, the logarithm
    of ``s / alpha`` is interpolated, and the network is given fractional steps.

    Args:
        beta_start, beta_end, steps: the "scaled linear" schedule; defaults are those of SD1.5 and SDXL.
    """

    log_ratio: Tensor

    def __init__(self, beta_start: float = 0.00085, beta_end: float = 0.012, steps: int = 1000) -> None:
        super().__init__()
        betas = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float64) ** 2
        alpha_squared = torch.cumprod(1 - betas, 0)  # alpha^2 of each step
        self.register_buffer("log_ratio", ((1 - alpha_squared) / alpha_squared).log() / 2, persistent=False)

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest noise level of the flow that has a step."""
        low, high = self.log_ratio[[0, -1]].sigmoid().tolist()
        return low, high

    def from_flow(self, state: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """State of the diffusion, and its (fractional) step ``[B]``, for the flow's state at ``sigma`` ``[B]``."""
        sigma = self._known(sigma)
        log_ratio = torch.logit(sigma)
        above = torch.searchsorted(self.log_ratio, log_ratio).clamp(1, len(self.log_ratio) - 1)
        low, high = self.log_ratio[above - 1], self.log_ratio[above]
        step = above - 1 + (log_ratio - low) / (high - low)
        return state / expand(_length(sigma), state), step.to(state.dtype)

    def velocity(self, state: Tensor, sigma: Tensor, epsilon: Tensor) -> Tensor:
        """The flow's velocity for a predicted noise: ``epsilon - clean``, with the clean image that goes with both."""
        sigma = expand(self._known(sigma), state)
        return (epsilon - state) / (1 - sigma)

    def epsilon(self, state: Tensor, sigma: Tensor, velocity: Tensor) -> Tensor:
        """The noise that goes with a velocity; inverse of ``velocity``."""
        return state + (1 - expand(self._known(sigma), state)) * velocity

    def _known(self, sigma: Tensor) -> Tensor:
        """Noise levels in float64, the nearest one known where there is no step."""
        return sigma.double().clamp(*self.sigma_range)


def _length(sigma: Tensor) -> Tensor:
    """``alpha + s`` inverted: sqrt((1 - sigma)^2 + sigma^2), so that a state divided by it preserves the variance."""
    return (sigma**2 + (1 - sigma) ** 2).sqrt()
