"""Preference training (AS-DPO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..adapters import Adapters
from ..backbones.backbone import Backbone, Codec
from ..choices import Role
from ..flow import expand, logit_normal_sigmas
from ..negatives import Loser, Negative, Pairing, make_loser, residual_gradient
from ..objective import Energies, high_frequency_energy, implicit_accuracy, preference_loss, residual_energies
from ..spectral import SobolevOperator
from .batches import Batch
from .log import by_noise_level
from .loop import Player
from .prior import encode_pair


@dataclass(frozen=True)
class Preference:
    """What is preferred, and how strongly."""

    operator: SobolevOperator
    beta: float
    negatives: tuple[Negative, ...]
    anchor: float = 0.0
    """See ``preference_loss``."""
    supervised: float = 0.0
    """Weight of the plain flow-matching loss on the winner."""
    agreement: bool = False
    """Log the adversaries' agreement with the Riesz direction in every step."""


class PreferenceTask:
    """Trains the ``dpo`` adapter, or all weights, against the network as it was.

    The policy's adapters are the resting state of the network: activations recomputed in the backward pass (gradient
    checkpointing) run outside of every context.

    Args:
        backbone: the network that becomes the policy.
        codec: between images and latents.
        adapters: adapters of ``backbone``.
        preference: the objective.
        learning_rate: of the policy.
        frozen: a copy of the network with its adapters, if all weights of ``backbone`` are trained; None: its ``dpo``
            adapter is trained, and without it the network is the reference.
    """

    def __init__(
        self,
        backbone: Backbone,
        codec: Codec,
        adapters: Adapters,
        preference: Preference,
        learning_rate: float,
        frozen: tuple[Backbone, Adapters] | None = None,
    ) -> None:
        self._policy, self._codec = backbone, codec
        self._backbone, self._adapters = frozen or (backbone, adapters)
        self._preference = preference
        self._learning_rate = learning_rate
        self._reference: list[Role] = [role for role in adapters.roles if role == "sr"]
        if frozen is None:
            adapters.train("dpo")
            adapters.activate([*self._reference, "dpo"])
        else:
            adapters.activate(self._reference)
            adapters.train_network()

    @property
    def players(self) -> Sequence[Player]:
        """The policy."""
        return [Player("policy", self._policy, self._learning_rate)]

    def loss(self, player: str, modules: Mapping[str, torch.nn.Module], batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        """See ``Task``."""
        preference = self._preference
        pairing = self._pair(batch)
        losers = [make_loser(negative, pairing) for negative in preference.negatives]
        branches = [Loser(pairing.winner, pairing.noise, pairing.sigma), *losers]
        policy, reference = self._predict(modules[player], branches, pairing.lq)
        energies = [
            residual_energies(
                preference.operator,
                policy_velocity,
                reference_velocity,
                branch.target,
                self._backbone.residual_weight(branch.sigma),
            )
            for policy_velocity, reference_velocity, branch in zip(policy, reference, branches, strict=True)
        ]
        winner, loser_energies = energies[0], energies[1:]
        loss = winner.policy.new_zeros(())
        for negative, loser in zip(preference.negatives, loser_energies, strict=True):
            term = preference_loss(winner.relative, loser.relative, preference.beta, preference.anchor)
            loss = loss + negative.weight * term
        if preference.supervised:
            residual = (policy[0] - branches[0].target).square().flatten(1).mean(1)
            weight = self._backbone.residual_weight(pairing.sigma).square()
            loss = loss + preference.supervised * (weight * residual).mean()
        with torch.no_grad():
            logs = {"loss": loss.detach(), **self._logs(winner, loser_energies, losers, pairing)}
        return loss, logs

    def examine(self, batch: Batch) -> dict[str, Any]:
        """What validations log beside the loss: how far each adversary's step agrees with the Riesz direction."""
        pairing = self._pair(batch)
        losers = [make_loser(negative, pairing) for negative in self._preference.negatives]
        return self._agreement(losers, pairing)

    def _agreement(self, losers: Sequence[Loser], pairing: Pairing) -> dict[str, Any]:
        if self._preference.operator.basis == "rfft2":  # has no covariance
            return {}
        names = loser_names(self._preference.negatives)
        adversaries = [(name, loser) for name, loser in zip(names, losers, strict=True) if name.startswith("adv")]
        if not adversaries:
            return {}
        direct = riesz_step(pairing)
        return {
            f"riesz_cosine_{name}": cosine(loser.clean - pairing.winner, direct, pairing.operator).mean()
            for name, loser in adversaries
        }

    def _pair(self, batch: Batch) -> Pairing:
        clean, lq = encode_pair(self._codec, batch, self._backbone.resize)
        generator = torch.Generator().manual_seed(batch.seed)
        sigma = logit_normal_sigmas(len(clean), generator).clamp(*self._backbone.sigma_range).to(clean.device)
        noise = self._backbone.noise.draw(clean.shape, generator).to(clean.device)
        adversary = (lambda state, sigma: self._adversary(state, sigma, lq)) if "adv" in self._adapters.roles else None
        return Pairing(
            clean,
            lq,
            noise,
            sigma,
            policy=lambda state, sigma: self._policy(state, sigma, lq).float(),
            adversary=adversary,
            operator=self._preference.operator,
            generator=generator,
            sigma_range=self._backbone.sigma_range,
            noise_source=self._backbone.noise,
        )

    def _predict(
        self, policy: torch.nn.Module, branches: Sequence[Loser], lq: Tensor
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """One forward of each network for winner and losers together."""
        state = torch.cat([branch.state for branch in branches])
        sigma = torch.cat([branch.sigma for branch in branches])
        lqs = torch.cat([lq] * len(branches))
        policy_velocity = policy(state, sigma, lqs).float()
        with torch.no_grad(), self._adapters.using(self._reference):
            reference_velocity = self._backbone(state, sigma, lqs).float()
        return policy_velocity.chunk(len(branches)), reference_velocity.chunk(len(branches))

    def _adversary(self, state: Tensor, sigma: Tensor, lq: Tensor) -> Tensor:
        with self._adapters.using([*self._reference, "adv"]):
            velocity: Tensor = self._backbone(state, sigma, lq)
        return velocity.float()

    def _logs(
        self, winner: Energies, loser_energies: Sequence[Energies], losers: Sequence[Loser], pairing: Pairing
    ) -> dict[str, Any]:
        sigma, operator = pairing.sigma, self._preference.operator
        logs: dict[str, Any] = {"energy_winner": winner.relative.mean(), "reference_winner": winner.reference.mean()}
        logs |= by_noise_level("energy_winner", winner.relative, sigma)
        truth = high_frequency_energy(pairing.winner).mean()
        names = loser_names(self._preference.negatives)
        for name, energy, loser in zip(names, loser_energies, losers, strict=True):
            margin = energy.relative - winner.relative
            logs[f"energy_{name}"] = energy.relative.mean()
            logs[f"reference_{name}"] = energy.reference.mean()
            logs[f"margin_{name}"] = margin.mean()
            logs |= by_noise_level(f"margin_{name}", margin, sigma)
            logs[f"accuracy_{name}"] = implicit_accuracy(winner.relative, energy.relative)
            logs[f"spectrum_{name}"] = high_frequency_energy(loser.clean).mean() / truth
            logs[f"distance_{name}"] = operator.energy(loser.clean - pairing.winner).sqrt().mean()
            if loser.bounded is not None:
                logs[f"bounded_{name}"] = loser.bounded.float().mean()
        return {**logs, **(self._agreement(losers, pairing) if self._preference.agreement else {})}


def loser_names(negatives: Sequence[Negative]) -> list[str]:
    """Names of the losers in logs: kind and number in the list, such as ``adversary_2``."""
    return [f"{negative.kind}_{number}" for number, negative in enumerate(negatives, start=1)]


def riesz_step(pairing: Pairing) -> Tensor:
    """The step of unit ``H^s`` norm along which the policy's residual falls most, ``[B, C, h, w]``."""
    return pairing.operator.riesz(residual_gradient(pairing), 1.0)


def cosine(first: Tensor, second: Tensor, operator: SobolevOperator) -> Tensor:
    """Cosine of the angle in ``H^s`` between two steps ``[B, C, h, w]``, by polarisation of unit steps, ``[B]``."""
    lengths = (operator.energy(step).sqrt().clamp_min(1e-30) for step in (first, second))
    first, second = (step / expand(length, step) for step, length in zip((first, second), lengths, strict=True))
    return (operator.energy(first + second) - operator.energy(first - second)) / 4
