"""Strengths of methods from pairwise preferences: the model of Bradley and Terry (Biometrika, 1952).

Method i is preferred to j with probability ``1 / (1 + exp(s_j - s_i))``. A vote for the best of n is a choice in Luce's
model, which gives this model for each pair. The estimate is the bias-reduced one of Firth (Biometrika, 1993): it is
finite if a method wins every vote, and close to the maximum likelihood estimate for many votes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_STEPS = 200
_CLOSE = 1e-8
_LONGEST_STEP = 1.0


def strengths(wins: Floats) -> Floats:
    """Strengths ``[..., methods]`` with mean 0, in log-odds, from counts of wins ``[..., methods, methods]``.

    Counts may be fractions: a tie is half a win for both. NaN if votes do not link all methods with each other.
    """
    batch = wins.reshape(-1, *wins.shape[-2:])
    strength = np.full(batch.shape[:2], np.nan)
    whole = _linked(batch + batch.transpose(0, 2, 1))
    if whole.any():
        strength[whole] = _fitted(batch[whole])
    return strength.reshape(wins.shape[:-1])


def win_probability(difference: Floats) -> Floats:
    """The probability of winning against a method whose strength is lower by ``difference``."""
    probability: Floats = 0.5 + 0.5 * np.tanh(np.asarray(difference) / 2)
    return probability


def _linked(votes: Floats) -> NDArray[np.bool_]:
    """Whether votes link all methods with each other, directly or through other methods, for each matrix of votes."""
    methods = votes.shape[-1]
    reach = (votes > 0) | np.eye(methods, dtype=bool)
    for _ in range(max(1, int(np.ceil(np.log2(max(2, methods)))))):
        reach = np.matmul(reach.astype(np.float32), reach.astype(np.float32)) > 0
    return np.asarray(reach.all((-1, -2)), dtype=np.bool_)


def _fitted(wins: Floats) -> Floats:
    votes = wins + wins.transpose(0, 2, 1)
    strength = np.zeros(wins.shape[:2])
    active = np.arange(len(wins))
    for _ in range(_MOST_STEPS):
        now = strength[active]
        chance = win_probability(now[:, :, None] - now[:, None, :])
        spread = chance * (1 - chance)
        inverse = _inverse_laplacian(votes[active] * spread)
        diagonal = np.diagonal(inverse, axis1=1, axis2=2)
        # The leverage of a pair's votes: Firth's penalty adds half of it to the wins of either side.
        leverage = votes[active] * spread * (diagonal[:, :, None] + diagonal[:, None, :] - 2 * inverse)
        score = (wins[active] + leverage / 2 - (votes[active] + leverage) * chance).sum(2)
        step = np.einsum("bij,bj->bi", _inverse_laplacian((votes[active] + leverage) * spread), score)
        longest = np.abs(step).max(1)
        step *= np.minimum(1, _LONGEST_STEP / np.maximum(longest, _LONGEST_STEP))[:, None]
        strength[active] = now + step - step.mean(1, keepdims=True)
        active = active[longest > _CLOSE]
        if not active.size:
            break
    return strength


def _inverse_laplacian(weights: Floats) -> Floats:
    """Pseudo-inverse of the Laplacian of a graph whose nodes are all linked, ``[graphs, nodes, nodes]``."""
    size = weights.shape[-1]
    nodes, mean = np.arange(size), np.full((size, size), 1 / size)
    laplacian = -weights
    laplacian[:, nodes, nodes] += weights.sum(2)
    inverse: Floats = np.linalg.inv(laplacian + mean) - mean
    return inverse
