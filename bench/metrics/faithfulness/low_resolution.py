"""Metrics of faithfulness to the LQ image, which metrics without a reference cannot measure."""

from __future__ import annotations

import numpy as np

from ....datasets.images import as_rgb
from ....datasets.imresize import imresize
from ....datasets.lq import MATLAB_BICUBIC
from ..card import MetricCard
from ..metric import Metric, per_image
from ..metric_input import MetricInput
from ..similarity import psnr

VERSION = "1"
_BLUR = 2.0
"""Standard deviation in pixels of LQ."""


def lr_consistency(image: MetricInput) -> float:
    """PSNR in dB between LQ and SR brought down by the same rule (NTIRE's "learning the super-resolution space").

    Defined where LQ is MATLAB's bicubic of HR.
    """
    assert image.lq is not None
    down = imresize(image.sr, output_shape=image.lq.shape[:2])
    return psnr(down.astype(float), image.lq.astype(float), mse_floor=1e-8)


def lr_colour(image: MetricInput) -> float:
    """Mean colour difference (CIEDE2000) between LQ and SR at LQ's size, both behind a blur of 2 pixels of LQ.

    For LQ of unknown degradation: what blur, noise and JPEG change is of high frequency, and is gone with all detail;
    what is left are colours and shading, which a method has no reason to change.

    Raises:
        ValueError: LQ is the Y plane of a colour image.
    """
    assert image.lq is not None
    image.require_colours()
    if image.lq.dtype != np.uint8:
        raise ValueError("LQ is a Y plane: it has no colours")
    from scipy.ndimage import gaussian_filter
    from skimage.color import deltaE_ciede2000, rgb2lab

    height, width = image.lq.shape[:2]
    down = imresize(as_rgb(image.sr).astype(np.float64), output_shape=(height, width))
    planes = (gaussian_filter(rgb, (_BLUR, _BLUR, 0), mode="nearest") for rgb in (down, as_rgb(image.lq) * 1.0))
    sr, lq = (rgb2lab(np.clip(plane / 255, 0, 1)) for plane in planes)
    return float(deltaE_ciede2000(sr, lq).mean())  # type: ignore[no-untyped-call]


CARD = MetricCard("lr_consistency", "LR consistency", "dB", 2, "higher", needs="lq", version=VERSION)
COLOUR = MetricCard("lr_colour", "LR colour", "dE00", 2, "lower", range="0, ~100", needs="lq", version=VERSION)
METRICS = (
    Metric(CARD, per_image(lr_consistency), lq_rules=(MATLAB_BICUBIC,)),
    Metric(COLOUR, per_image(lr_colour)),
)
