"""AS-DPO: preference between a winner and losers, measured by Sobolev energies against a reference."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .spectral import SobolevOperator


@dataclass(frozen=True)
class Energies:
    """Residual energies of some states, ``[B]`` each."""

    policy: Tensor
    reference: Tensor

    @property
    def relative(self) -> Tensor:
        """``E``: how much worse than the reference the policy predicts; a likelihood ratio with its sign turned."""
        return self.policy - self.reference


def residual_energies(
    operator: SobolevOperator, policy: Tensor, reference: Tensor, target: Tensor, weight: Tensor | None = None
) -> Energies:
    """Energies of both predictions' residuals; all ``[B, C, h, w]``, velocities.

    Args:
        weight: of the residuals, ``[B]``; see ``Backbone.residual_weight``. None: 1.
    """
    square = 1.0 if weight is None else weight.square()
    return Energies(square * operator.energy(policy - target), (square * operator.energy(reference - target)).detach())


def preference_loss(winner: Tensor, loser: Tensor, beta: float, anchor: float = 0.0) -> Tensor:
    """``-log sigmoid(beta (E_loser - E_winner - anchor max(0, E_winner)))``, the mean over ``[B]``.

    Args:
        winner: relative energy of the winner, ``[B]``.
        loser: relative energy of the loser, ``[B]``.
        beta: strength of the preference.
        anchor: above 0 it penalises a winner that becomes less likely than under the reference, which plain DPO
            tolerates as long as the loser becomes even less likely (DPO-Positive, arXiv 2402.13228).
    """
    margin = loser - winner - anchor * winner.clamp_min(0)
    losses: Tensor = -functional.logsigmoid(beta * margin)
    return losses.mean()


def implicit_accuracy(winner: Tensor, loser: Tensor) -> Tensor:
    """Share of pairs whose loser the policy has made less likely than their winner; a tie counts half."""
    return ((loser > winner).float() + 0.5 * (loser == winner).float()).mean()


def high_frequency_energy(images: Tensor) -> Tensor:
    """Energy above half of the Nyquist frequency, ``[B, C, h, w]`` to ``[B]``: where negatives and truth differ."""
    power = torch.fft.rfft2(images.float(), norm="ortho").abs().square()
    down = torch.fft.fftfreq(images.shape[-2], device=images.device)
    across = torch.fft.rfftfreq(images.shape[-1], device=images.device)
    high = (down[:, None].square() + across.square()) > 0.25**2
    energy: Tensor = (power * high).flatten(1).mean(1)
    return energy
