"""The digests that name work: equal keys mean equal results, whatever machine, path, order or worker count."""

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
    """Names the LQ and HR pixels that come from these file digests by this rule."""
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
    """Names one SR image: LQ pixels, the method with its code version, weights and settings, scale and seed.

    ``seeding`` is the version of the rule that makes an image's seed, for methods to which we give one.
    """
    parts: dict[str, object] = {"lq": lq, "method": identity, "scale": scale, "seed": seed}
    return digest(parts if seeding is None else {**parts, "seeding": seeding})


def score_key(*, sr: str, reference: str | None, metric: str, metric_version: str, protocol: str, version: int) -> str:
    """Names one score: SR pixels, reference pixels, the metric's implementation and the protocol."""
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
