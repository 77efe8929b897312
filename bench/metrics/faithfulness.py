"""Faithfulness to the LQ image, which metrics without a reference cannot see."""

from __future__ import annotations

from ...datasets.imresize import imresize
from ...datasets.lq import MATLAB_BICUBIC
from .metric import Metric, Pair
from .similarity import psnr

VERSION = "1"


def lr_consistency(pair: Pair) -> float:
    """PSNR in dB between LQ and SR brought down by the same rule (NTIRE's "learning the super-resolution space").

    Defined where LQ is MATLAB's bicubic of HR.
    """
    assert pair.lq is not None
    down = imresize(pair.sr, 1 / (pair.sr.shape[0] // pair.lq.shape[0]))
    return psnr(down.astype(float), pair.lq.astype(float), mse_floor=1e-8)


METRICS = (
    Metric(
        "lr_consistency", "LR consistency", "dB", 2, "higher", VERSION, lr_consistency, needs="lq",
        lq_rules=(MATLAB_BICUBIC,),
    ),
)  # fmt: skip
