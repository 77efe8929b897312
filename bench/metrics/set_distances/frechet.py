"""FID: how far the features of restored images, as a set, are from those of HR images.

Heusel et al., NeurIPS 2017, with the resizing of Parmar et al., CVPR 2022 ("clean"). Features are stored image by
image; the distance of any set of images comes from them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....datasets.images import as_rgb
from ..batches import TOLERANCE, exact_float32
from ..card import Floats, MetricCard
from ..kept import kept_of_hr
from ..library import load_network
from ..metric import Metric, Payload, Score, SetMetric
from ..metric_input import MetricInput
from ..perceptual import PYIQA, version
from ..requirements import WeightFiles
from ..similarity import shave

if TYPE_CHECKING:
    import torch

_WEIGHTS = ("fid-inception",)
_SIDE = 299


def inception_input(image: NDArray[np.uint8]) -> torch.Tensor:
    """An image of any size as ``[3, 299, 299]`` in about [-1, 1]: bicubic with antialiasing, in float, no rounding."""
    import torch
    from PIL import Image

    planes = []
    for channel in np.moveaxis(as_rgb(image), -1, 0):
        plane = Image.fromarray(channel.astype(np.float32)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        planes.append(np.asarray(plane).clip(0, 255))
    return (torch.from_numpy(np.stack(planes)) - 128) / 128


def features(inputs: Sequence[MetricInput], device: str) -> list[Score]:
    """Features of SR and HR ``[2, 2048]`` of each image as payload; no values, since one image has no FID."""
    identity = ("inception", CARD.version, WeightFiles(_WEIGHTS).weights(), device.partition(":")[0])
    kept = kept_of_hr()
    scores = []
    for each in inputs:
        assert each.hr is not None
        sr, hr = (np.ascontiguousarray(as_rgb(shave(image, each.protocol.shave))) for image in (each.sr, each.hr))
        of_hr = kept.of_image(hr, identity, partial(_pooled, hr, device))
        scores.append(Score(nan, np.stack([_pooled(sr, device), of_hr])))
    return scores


def _pooled(image: NDArray[np.uint8], device: str) -> NDArray[np.float32]:
    """Features of one image ``[2048]``: alone, so that they are the same whatever it is measured with."""
    import torch

    inception = load_network("fid", _WEIGHTS, (), device).model
    with torch.inference_mode(), exact_float32():
        pooled = inception(inception_input(image)[None].to(device), False, False)[0]
    result: NDArray[np.float32] = pooled.flatten().float().cpu().numpy()
    return result


def fid(payloads: Sequence[Payload]) -> float:
    """Fréchet distance between the Gaussians of SR's and HR's features, ``[2, 2048]`` an image; NaN for one image."""
    if len(payloads) < 2:
        return nan
    return float(resampled(payloads, np.ones((1, len(payloads))))[0])


def resampled(payloads: Sequence[Payload], draws: Floats) -> Floats:
    """FID of many sets, from how often each image is in each of them ``[R, N]``.

    The trace of the root of the product of two covariances is the sum of the singular values of the product of their
    factors, an N by N matrix: no root of a 2048 by 2048 matrix of rank below N is needed.
    """
    stacked = np.asarray(payloads, dtype=np.float64)
    sr, hr = stacked[:, 0], stacked[:, 1]
    # Differences of rows alone matter: taken about the means, they lose no digits.
    centre = (sr.mean(0) + hr.mean(0)) / 2
    sr, hr = sr - centre, hr - centre
    grams = sr @ sr.T, hr @ hr.T, sr @ hr.T
    return np.array([_distance(grams, weights) for weights in draws])


def _distance(grams: tuple[Floats, Floats, Floats], weights: Floats) -> float:
    """From the products of features ``[N, N]``: SR with SR, HR with HR, SR with HR."""
    count = weights.sum()
    within_sr, within_hr, across = (_centred(gram, weights / count) for gram in grams)
    root = np.sqrt(weights)
    spread = (weights @ np.diag(within_sr) + weights @ np.diag(within_hr)) / (count - 1)
    overlap = np.linalg.svd(root[:, None] * across * root, compute_uv=False).sum() / (count - 1)
    share = weights / count
    shift = share @ (grams[0] - grams[2] - grams[2].T + grams[1]) @ share
    return float(max(0.0, shift + spread - 2 * overlap))


def _centred(gram: Floats, share: Floats) -> Floats:
    """Products of features about their weighted means."""
    rows, columns = gram @ share, share @ gram
    return gram - rows[:, None] - columns + share @ rows


_NOTE = (
    "on fewer than some thousand images it is mostly noise, and biased upward: it compares methods on the same images"
    " only, within its interval"
)
CARD = MetricCard("fid", "FID", "", 2, "lower", _NOTE, "0, ~", tolerance=TOLERANCE, version=version("1"))
REQUIRES = (PYIQA, WeightFiles(_WEIGHTS))
METRICS = (Metric(CARD, features, SetMetric(fid, resampled), REQUIRES, batched=True),)
