"""Faithfulness to the LQ image, which metrics without a reference cannot see."""

from __future__ import annotations

from ....datasets.imresize import imresize
from ....datasets.lq import MATLAB_BICUBIC
from ..card import MetricCard
from ..metric import Metric, per_image
from ..metric_input import MetricInput
from ..similarity import psnr

VERSION = "1"


def lr_consistency(image: MetricInput) -> float:
    """PSNR in dB between LQ and SR brought down by the same rule (NTIRE's "learning the super-resolution space").

    Defined where LQ is MATLAB's bicubic of HR.
    """
    assert image.lq is not None
    down = imresize(image.sr, 1 / (image.sr.shape[0] // image.lq.shape[0]))
    return psnr(down.astype(float), image.lq.astype(float), mse_floor=1e-8)


CARD = MetricCard("lr_consistency", "LR consistency", "dB", 2, "higher", needs="lq", version=VERSION)
METRICS = (Metric(CARD, per_image(lr_consistency), lq_rules=(MATLAB_BICUBIC,)),)
