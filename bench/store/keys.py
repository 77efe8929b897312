"""Keys of inputs, restorations and scores: equal keys mean equal results on any machine, path and number of workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ...datasets.images import READING


def digest(parts: Mapping[str, object]) -> str:
    """Hex SHA-256 of a JSON-able mapping, independent of key order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def input_key(
    *,
    hr_file: str | None,
    lq_file: str | None,
    lq_rule: str,
    rule_version: int,
    scale: float,
    on_luma: bool,
    crop: int | None = None,
) -> str:
    """Key of the LQ and HR pixels that are made from files by a rule.

    Args:
        hr_file: digest of the HR file; None: there is no HR.
        lq_file: digest of the LQ file; None: LQ is made from HR.
        lq_rule: rule by which LQ is made.
        rule_version: version of the rule's code.
        scale: scale factor.
        on_luma: whether LQ is a Y plane.
        crop: side of the centre crop of HR in pixels; None: the whole image.
    """
    parts: dict[str, object] = {
        "hr": hr_file,
        "lq": lq_file,
        "rule": [lq_rule, rule_version],
        "scale": scale,
        "luma": on_luma,
        "reading": READING,
    }
    return digest(parts if crop is None else {**parts, "crop": crop})


def restoration_key(
    *, lq: str, identity: Mapping[str, object], scale: float, seed: int, seeding: int | None = None
) -> str:
    """Key of one SR image.

    Args:
        lq: digest of the LQ pixels.
        identity: version of the method's code, digests of its weights, and its settings.
        scale: scale factor.
        seed: seed of the run; 0 for deterministic methods.
        seeding: version of the rule by which the seed of an image is derived; None for methods without a seed.
    """
    parts: dict[str, object] = {"lq": lq, "method": identity, "scale": scale, "seed": seed}
    return digest(parts if seeding is None else {**parts, "seeding": seeding})


def score_key(*, sr: str, reference: str | None, metric: str, metric_version: str, protocol: str, version: int) -> str:
    """Key of one score.

    Args:
        sr: digest of the SR pixels.
        reference: digest of the HR pixels; None: the metric uses no reference.
        metric: id of the metric.
        metric_version: version of the metric's implementation and digests of its weights.
        protocol: name of the protocol.
        version: version of the protocol.
    """
    return digest(
        {
            "sr": sr,
            "reference": reference,
            "metric": metric,
            "implementation": metric_version,
            "protocol": protocol,
            "protocol_version": version,
        }
    )
