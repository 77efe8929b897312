"""Objects from a small segmenter with three more planes: how near a pixel is to an object's centre, and where that is.

The bottom-up way of Panoptic-DeepLab (Cheng et al., 2020): peaks of the first plane are objects, and every pixel of an
object's class belongs to the peak that its offset points to. A box is what encloses the mask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from .engine import Detection

PLANES = 3
"""Nearness, and the centre's distance to the right and down."""
RARE = -2.19
"""First bias of the nearness: few pixels are centres (Zhou et al., 2019)."""
_UNIT = 32.0
"""Pixels of an offset of 1: networks learn numbers near 1 best."""
_SPREAD = 5.0
"""Standard deviation of the nearness around a centre, pixels."""
_NEIGHBOURHOOD = 9
_LEAST_NEARNESS = 0.05
_MOST = 100
"""Objects of an image that COCO counts."""
_LEAST_PIXELS = 16
_BACKGROUND = 0


class Targets(NamedTuple):
    """What the planes of a batch should be."""

    classes: Tensor
    """``[B, H, W]``, 0 is background."""
    nearness: Tensor
    """``[B, H, W]``, 1 at the centre of an object."""
    offsets: Tensor
    """``[B, 2, H, W]``: to the right and down, in units of 32 pixels."""


def targets_of(owner: Tensor, categories: NDArray[np.int64]) -> Targets:
    """Targets of one image, as a batch of one: ``owner`` ``[H, W]`` numbers objects from 1, ``categories`` has their
    classes by number."""
    height, width = owner.shape
    rows, columns = torch.arange(height)[:, None].float(), torch.arange(width)[None, :].float()
    nearness, offsets = torch.zeros(height, width), torch.zeros(2, height, width)
    for number in range(1, len(categories)):
        mask = owner == number
        if not bool(mask.any()):  # cut away
            continue
        down, right = (axis.float().mean() for axis in mask.nonzero(as_tuple=True))
        squared = (rows - down.round()) ** 2 + (columns - right.round()) ** 2
        nearness = torch.maximum(nearness, torch.exp(-squared / (2 * _SPREAD**2)))
        offsets[0][mask] = ((right - columns) / _UNIT).expand(height, width)[mask]
        offsets[1][mask] = ((down - rows) / _UNIT).expand(height, width)[mask]
    return Targets(torch.from_numpy(categories)[owner][None], nearness[None], offsets[None])


def loss_of(planes: Tensor, targets: Targets, weights: Tensor) -> Tensor:
    """Weighted cross entropy, focal loss of the nearness (Law and Deng, 2018), mean distance of offsets in objects."""
    classes = len(weights)
    semantic = functional.cross_entropy(planes[:, :classes], targets.classes, weights)
    guess = planes[:, classes].sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = targets.nearness == 1
    hits = torch.where(centre, (1 - guess) ** 2 * guess.log(), 0.0)
    elsewhere = torch.where(centre, 0.0, (1 - targets.nearness) ** 4 * guess**2 * (1 - guess).log())
    focal = -(hits + elsewhere).sum() / centre.sum().clamp(min=1)
    inside = (targets.classes != _BACKGROUND)[:, None]
    distance = (planes[:, classes + 1 :] - targets.offsets).abs() * inside
    return semantic + 0.1 * focal + distance.sum() / inside.sum().clamp(min=1)


def objects_of(planes: Tensor, names: tuple[str, ...]) -> tuple[Detection, ...]:
    """Objects in the planes of one image ``[classes + 3, H, W]``; ``names`` of all classes, the background first."""
    shares = planes[: len(names)].softmax(0)
    nearness = planes[len(names)].sigmoid()
    peaks, scores = _peaks(nearness)
    foreground = shares.argmax(0) != _BACKGROUND
    if not len(peaks) or not bool(foreground.any()):
        return ()
    rows, columns = foreground.nonzero(as_tuple=True)
    right, down = planes[len(names) + 1 :, rows, columns] * _UNIT
    pointed = torch.stack([rows + down, columns + right], 1)
    nearest = torch.cdist(pointed, peaks.float()).argmin(1)
    objects = []
    for number, score in enumerate(scores.tolist()):
        of_peak = nearest == number
        if int(of_peak.sum()) < _LEAST_PIXELS:
            continue
        mean = shares[1:, rows[of_peak], columns[of_peak]].mean(1)
        category = int(mean.argmax())
        mask = np.zeros(foreground.shape, dtype=bool)
        mask[rows[of_peak].numpy(), columns[of_peak].numpy()] = True
        mask = _whole(mask)
        objects.append(Detection(names[category + 1], _bounds(mask), score * float(mean[category]), mask))
    return tuple(objects)


def _peaks(nearness: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns ``[K, 2]`` and heights ``[K]`` of local maxima, the highest first."""
    around = functional.max_pool2d(nearness[None], _NEIGHBOURHOOD, 1, _NEIGHBOURHOOD // 2)[0]
    peaks = ((nearness == around) & (nearness >= _LEAST_NEARNESS)).nonzero()
    heights = nearness[peaks[:, 0], peaks[:, 1]]
    order = heights.argsort(descending=True, stable=True)[:_MOST]
    return peaks[order], heights[order]


def _whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without specks of less than a tenth of the mask: a single stray pixel would spoil the box."""
    parts, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, parts, np.arange(1, count + 1))
    large_parts: NDArray[np.bool_] = np.isin(parts, 1 + np.flatnonzero(sizes >= min(0.1 * mask.sum(), sizes.max())))
    return large_parts


def _bounds(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
