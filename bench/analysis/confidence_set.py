"""The methods that are not significantly worse than the best, although the best was chosen from the same images.

The model confidence set of Hansen, Lunde and Nason (Econometrica, 2011): as long as the largest difference among all
pairs of the remaining methods is significant, the method that lies furthest behind another one is removed. The null
distribution comes from flipping the signs of images for all methods together, which keeps the dependence between
methods. Since every pair is tested, the choice of the best is accounted for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .statistics import SAME, SIGNIFICANT, Floats, least_p, sign_blocks, transformed, unit_mean_square

_FLIPS = 2_000
_BEYOND = 1e6
"""Distance of an infinite value beyond the finite ones, in multiples of their range. Such an image says which method is
better but not by how much; with this distance it outweighs all others in a mean without making it certain."""


def can_tell(images: int) -> bool:
    """Whether there are enough images for any difference of two methods to be significant at 5 %."""
    return least_p(images) < SIGNIFICANT


def tied_with_best(losses: Floats) -> NDArray[np.bool_]:
    """Whether each method is in the 95 % confidence set, ``[images, methods]`` to ``[methods]``."""
    return confidence_p(losses) > SIGNIFICANT


def confidence_p(losses: Floats) -> Floats:
    """The lowest level at which each method is outside the confidence set, ``[images, methods]`` to ``[methods]``.

    Args:
        losses: losses of each image, lower is better; infinite values count as worse (or better) than all finite ones.
    """
    values = _finite(np.asarray(losses, dtype=np.float64))
    images, methods = values.shape
    p_values = np.ones(methods)
    if methods < 2 or images < 2:
        return p_values
    values = values - values.mean(1, keepdims=True)  # what all methods share cancels, and would cost precision
    order, gaps = _order_of_leaving(values)
    extreme, patterns = np.zeros(methods - 1), 0
    for signs in sign_blocks(images, _FLIPS):
        greatest = np.zeros(len(signs))
        for place in range(methods - 2, -1, -1):  # from the last pair backwards, each set has one more method
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
    """Methods in the order of their removal, the best last, and how far each lies behind another at its removal."""
    images, methods = values.shape
    behind = np.zeros((methods, methods))
    for place in range(methods - 1):
        pairs = unit_mean_square(values[:, [place]] - values[:, place + 1 :])
        behind[place, place + 1 :] = transformed(pairs.mean(0), (pairs**3).mean(0), images)
        behind[place + 1 :, place] = -behind[place, place + 1 :]
    behind[int(values.mean(0).argmin())] = -np.inf  # the best is never removed, however skewed its differences are
    remaining, order, gaps = list(range(methods)), [], []
    while len(remaining) > 1:
        furthest = behind[np.ix_(remaining, remaining)].max(1)
        gaps.append(float(furthest.max()))
        order.append(remaining.pop(int(furthest.argmax())))
    return [*order, *remaining], np.array(gaps)
