"""Adversary guidance: each step of sampling goes away from where the adversary would go.

    v + w (v - v_adv)

The network's velocity ``v`` is moved away from that of the adversary, which is the same network with the adapter that
has learned the outputs of baseline methods. It is ours and not the ASASR paper's, which uses its adversary in training
alone; the form is that of classifier-free guidance (arXiv 2207.12598) and of guidance by a worse model (2406.02507).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import exp

GuidanceWeight = float | tuple[tuple[float, float], ...]
"""``w``: a constant, or points ``(sigma, w)`` in order of sigma, linear in between and constant beyond them."""


def check_weight(weight: GuidanceWeight) -> GuidanceWeight:
    """The weight as it is.

    Raises:
        ValueError: points that are not in order of sigma, or outside of [0, 1].
    """
    if not isinstance(weight, tuple):
        return weight
    sigmas = [sigma for sigma, _ in weight]
    if not sigmas or any(after <= before for before, after in pairwise(sigmas)) or sigmas[0] < 0 or sigmas[-1] > 1:
        raise ValueError("points are pairs [sigma, w] with sigma rising from 0 to 1, such as [[0, 0.3], [0.5, 0]]")
    return weight


def weight_at(weight: GuidanceWeight, sigma: float) -> float:
    """``w`` at one noise level."""
    if not isinstance(weight, tuple):
        return weight
    sigmas = [place for place, _ in weight]
    after = bisect_left(sigmas, sigma)
    if after == 0 or after == len(sigmas):
        return weight[min(after, len(sigmas) - 1)][1]
    (low, first), (high, last) = weight[after - 1], weight[after]
    return first + (last - first) * (sigma - low) / (high - low)


def uses_adversary(weight: GuidanceWeight) -> bool:
    """Whether it asks the adversary anywhere."""
    return any(value for _, value in weight) if isinstance(weight, tuple) else bool(weight)


def evaluations(steps: int, weight: GuidanceWeight, shift: float = 0.0) -> int:
    """Evaluations of the network that a sample of so many steps costs: two where ``w`` is not 0.

    Args:
        shift: ``mu`` of the schedule.
    """
    even = [1 - step / steps for step in range(steps)]
    sigmas = [exp(shift) / (exp(shift) + 1 / sigma - 1) for sigma in even]
    return sum(2 if weight_at(weight, sigma) else 1 for sigma in sigmas)
