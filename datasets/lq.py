"""LQ rules: how LQ is made where a dataset has HR alone.

``matlab-bicubic``, or ``degradation:PRESET`` with an optional seed, ``degradation:PRESET:SEED``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .imresize import imresize
from .names import did_you_mean

LQ_FILES = "files"
"""LQ rule: the LQ files are given."""
MATLAB_BICUBIC = "matlab-bicubic"
"""LQ rule: LQ is made from HR by MATLAB's imresize."""

_DEGRADATION = "degradation"


class LqRuleError(UsageError, ValueError):
    """An LQ rule that does not exist, or not for this scale."""


def parse_lq_rule(rule: str, scale: int) -> str:
    """The rule in full, with its seed.

    Raises:
        LqRuleError: there is no such rule, or it is not for this scale.
    """
    if rule in (MATLAB_BICUBIC, LQ_FILES):
        return rule
    from .degradation.settings import preset, preset_names

    kind, _, rest = rule.partition(":")
    name, _, seed = rest.partition(":")
    known = [MATLAB_BICUBIC, *(f"{_DEGRADATION}:{name}" for name in preset_names())]
    if kind != _DEGRADATION or name not in preset_names():
        raise LqRuleError(f"unknown LQ rule '{rule}'{did_you_mean(rule, known)} (a seed may follow, as in :1)")
    if not (seed or "0").isdecimal():
        raise LqRuleError(f"LQ rule '{rule}': the seed is a whole number, not '{seed}'")
    if preset(name).scale != scale:
        raise LqRuleError(f"LQ rule '{rule}' is for scale {preset(name).scale}, not {scale}")
    return f"{_DEGRADATION}:{name}:{int(seed or 0)}"


def make_lq(hr: NDArray[np.uint8], rule: str, scale: int) -> NDArray[np.uint8]:
    """LQ of an HR image whose sides are multiples of the scale; ``rule`` as ``parse_lq_rule`` gives it."""
    if rule == MATLAB_BICUBIC:
        return imresize(hr, 1 / scale)
    from .degradation.pipeline import degrade_image
    from .degradation.settings import preset

    _, name, seed = rule.split(":")
    return degrade_image(hr, preset(name), int(seed))


def rule_version(rule: str) -> int:
    """Version of the code and values behind a rule; it is part of what names an LQ image.

    MATLAB's bicubic cannot change. Of a degradation it is the sum of the code's version and the revision of its values:
    both only grow, so that a sum never returns.
    """
    if not rule.startswith(_DEGRADATION):
        return 1
    from .degradation.pipeline import VERSION
    from .degradation.settings import preset

    return VERSION + preset(rule.split(":")[1]).revision
