"""Which methods cannot be told from the best, though the best was chosen from the same images.

The model confidence set of Hansen, Lunde and Nason (Econometrica, 2011): methods leave one at a time, the one that lies
furthest behind another first, as long as the greatest difference among all pairs of those that remain is more than
chance. Chance is told by flipping the signs of images, of all methods together, which keeps how methods depend on each
other; the choice of the best is in it, as every pair is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .statistics import SAME, SIGNIFICANT, Floats, least_p, sign_blocks, transformed, unit_mean_square

_FLIPS = 2_000
_BEYOND = 1e6
"""How far an infinite value lies beyond the finite ones, in their range: such an image says which is better, but by how
much it cannot say, and it outweighs all others in a mean without making it certain."""


def can_tell(images: int) -> bool:
    """Whether there are images enough for a test to tell any two methods apart at 5 %."""
    return least_p(images) < SIGNIFICANT


def tied_with_best(losses: Floats) -> NDArray[np.bool_]:
    """Whether the confidence set of 95 % holds each method, ``[images, methods]`` to ``[methods]``."""
    return confidence_p(losses) > SIGNIFICANT


def confidence_p(losses: Floats) -> Floats:
    """For each method, the least level at which the confidence set lacks it: ``[images, methods]`` to ``[methods]``.

    Args:
        losses: what is compared of each image, the smaller the better; infinite values lie beyond all finite ones.
    """
    values = _finite(np.asarray(losses, dtype=np.float64))
    images, methods = values.shape
    p_values = np.ones(methods)
    if methods < 2 or images < 2:
        return p_values
    values = values - values.mean(1, keepdims=True)  # what all methods share says nothing and would cost digits
    order, gaps = _order_of_leaving(values)
    extreme, patterns = np.zeros(methods - 1), 0
    for signs in sign_blocks(images, _FLIPS):
        greatest = np.zeros(len(signs))
        for place in range(methods - 2, -1, -1):  # from the last pair backwards, each set holds one method more
            pairs = unit_mean_square(values[:, [order[place]]] - values[:, order[place + 1 :]])
            sums = signs @ np.concatenate([pairs, pairs * pairs * pairs], axis=1) / images
            flipped = transformed(sums[:, : pairs.shape[1]], sums[:, pairs.shape[1] :], images)
            greatest = np.maximum(greatest, np.abs(flipped).max(1))
            extreme[place] += (greatest >= gaps[place] * SAME).sum()
        patterns += len(signs)
    p_values[order[:-1]] = np.maximum.accumulate((1 + extreme) / (1 + patterns))
    return p_values


def _finite(losses: Floats) -> Floats:
    finite = losses[np.isfinite(losses)]
    if finite.size == losses.size:
        return losses
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    beyond = _BEYOND * max(high - low, 1.0)
    return np.clip(losses, low - beyond, high + beyond)


def _order_of_leaving(values: Floats) -> tuple[list[int], Floats]:
    """Methods in the order in which they leave, the best last, and how far each lies behind another when it does."""
    images, methods = values.shape
    behind = np.zeros((methods, methods))
    for place in range(methods - 1):
        pairs = unit_mean_square(values[:, [place]] - values[:, place + 1 :])
        behind[place, place + 1 :] = transformed(pairs.mean(0), (pairs**3).mean(0), images)
        behind[place + 1 :, place] = -behind[place, place + 1 :]
    behind[int(values.mean(0).argmin())] = -np.inf  # the best never leaves, whatever the skewness of its differences
    remaining, order, gaps = list(range(methods)), [], []
    while len(remaining) > 1:
        furthest = behind[np.ix_(remaining, remaining)].max(1)
        gaps.append(float(furthest.max()))
        order.append(remaining.pop(int(furthest.argmax())))
    return [*order, *remaining], np.array(gaps)
