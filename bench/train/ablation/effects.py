"""Main effects of two factors and their interaction, computed image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...analysis.per_image import per_image
from ...analysis.statistics import holm, interval, permutation_p
from ...metrics.metric import Metric


@dataclass(frozen=True)
class Effect:
    """The effect of one factor on one metric on one dataset."""

    dataset: str
    protocol: str
    setting: str
    """Sampling steps at which the arms were compared; '' where there is one setting."""
    metric: str
    factor: str
    """Name of the factor, or ``A x B`` for the interaction of two factors."""
    n: int
    """Number of images."""
    difference: float
    """Mean over images. For a metric whose best value is 0, of the absolute values."""
    low: float
    high: float
    """95 % interval over images."""
    p: float
    """Sign-flip permutation test over images, Holm-corrected over all effects of the table."""


def factor_effects(
    scores: pd.DataFrame,
    metrics: Mapping[str, Metric],
    factors: tuple[str, str],
    arms: Mapping[str, Sequence[Sequence[str]]],
) -> list[Effect]:
    """Main effects and interaction of a two-by-two design.

    With arms ``00`` (neither), ``10``, ``01`` and ``11`` (both), per image and averaged over seeds of sampling and of
    training: the first factor's effect is ``(y10 - y00 + y11 - y01) / 2``, the interaction ``y11 - y10 - y01 + y00``.
    Values of whole sets (mIoU, AP, FID) are left out: they are no mean over images.

    Args:
        scores: rows with the columns protocol, dataset, metric, method, image, seed and value.
        metrics: metrics by id; scores of other metrics are ignored.
        factors: names of the first and the second factor.
        arms: for each setting the methods (one for each training seed) with neither factor, with the first, with the
            second, and with both.

    Returns:
        Three effects for each dataset, metric and setting, with p-values corrected over all of them.
    """
    first, second = factors
    contrast_values: list[tuple[tuple[str, str, str, str, str], np.ndarray]] = []
    for (protocol, dataset, id), group in scores.dropna(subset=["value"]).groupby(
        ["protocol", "dataset", "metric"], sort=False
    ):
        metric = metrics.get(str(id))
        if metric is None or metric.of_set is not None:
            continue
        table = per_image(group, metric)
        for setting, methods in arms.items():
            if not all(name in table.columns for names in methods for name in names):
                continue
            values = np.stack([table[list(names)].to_numpy().mean(1) for names in methods])
            y00, y10, y01, y11 = values[:, np.isfinite(values).all(0)]
            contrasts = {
                first: (y10 - y00 + y11 - y01) / 2,
                second: (y01 - y00 + y11 - y10) / 2,
                f"{first} x {second}": y11 - y10 - y01 + y00,
            }
            for factor, contrast in contrasts.items():
                if contrast.size > 1:
                    contrast_values.append(((str(dataset), str(protocol), setting, str(id), factor), contrast))
    adjusted = holm([permutation_p(contrast) for _, contrast in contrast_values])
    return [
        Effect(*place, contrast.size, float(contrast.mean()), *interval(contrast), float(p))
        for (place, contrast), p in zip(contrast_values, adjusted, strict=True)
    ]
