"""LQ rules: how LQ is made where a dataset has HR alone.

``matlab-bicubic``, ``degradation:PRESET``, or ``severity:CASE`` (``severity:blur=2,noise=10,jpeg=40``); a seed may
follow the last two, as in ``degradation:PRESET:SEED``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .imresize import imresize
from .names import did_you_mean
from .scales import lq_size

LQ_FILES = "files"
"""LQ rule: the LQ files are given."""
MATLAB_BICUBIC = "matlab-bicubic"
"""LQ rule: LQ is made from HR by MATLAB's imresize."""

_DEGRADATION = "degradation"
_SEVERITY = "severity"


class LqRuleError(UsageError, ValueError):
    """An LQ rule that does not exist, or not for this scale."""


def parse_lq_rule(rule: str, scale: float) -> str:
    """The rule in full, with its seed.

    Raises:
        LqRuleError: there is no such rule, or it is not for this scale.
    """
    if rule in (MATLAB_BICUBIC, LQ_FILES):
        return rule
    from .degradation.settings import preset, preset_names

    kind, _, rest = rule.partition(":")
    name, _, seed = rest.partition(":")
    if not (seed or "0").isdecimal():
        raise LqRuleError(f"LQ rule '{rule}': the seed is a whole number, not '{seed}'")
    if kind == _SEVERITY:
        from .degradation.severity import parse_severity

        return f"{_SEVERITY}:{parse_severity(name).text}:{int(seed or 0)}"
    known = [MATLAB_BICUBIC, f"{_SEVERITY}:", *(f"{_DEGRADATION}:{name}" for name in preset_names())]
    if kind != _DEGRADATION or name not in preset_names():
        raise LqRuleError(f"unknown LQ rule '{rule}'{did_you_mean(rule, known)} (a seed may follow, as in :1)")
    if preset(name).scale != scale:
        raise LqRuleError(f"LQ rule '{rule}' is for scale {preset(name).scale}, not {scale}")
    return f"{_DEGRADATION}:{name}:{int(seed or 0)}"


def make_lq(hr: NDArray[np.uint8], rule: str, scale: float) -> NDArray[np.uint8]:
    """LQ of an HR image whose sides are multiples of ``hr_unit``; ``rule`` as ``parse_lq_rule`` gives it."""
    if rule == MATLAB_BICUBIC:
        return imresize(hr, output_shape=lq_size(hr.shape, scale))
    kind, name, seed = rule.split(":")
    if kind == _SEVERITY:
        from .degradation.severity import degrade_to, parse_severity

        return degrade_to(hr, parse_severity(name), scale, int(seed))
    from .degradation.pipeline import degrade_image
    from .degradation.settings import preset

    return degrade_image(hr, preset(name), int(seed))


def rule_version(rule: str) -> int:
    """Version of the code and values behind a rule; it is part of what names an LQ image.

    MATLAB's bicubic cannot change. Of a degradation it is the sum of the code's version and the revision of its values:
    both only grow, so that a sum never returns.
    """
    if rule.startswith(_SEVERITY):
        from .degradation import severity

        return severity.VERSION
    if not rule.startswith(_DEGRADATION):
        return 1
    from .degradation.pipeline import VERSION
    from .degradation.settings import preset

    return VERSION + preset(rule.split(":")[1]).revision
