"""Means of others: claims without values of images, which stand beside a store's own as published values do."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...datasets.images import write_atomically
from ...datasets.strict import validated
from ...methods.published.values import FOLDER, PublishedTable
from ..protocols import protocol_scale
from ..store.open_database import DATABASE
from .document import ExchangeError

_DECIMALS = 9
"""Of a number that was not rounded for a table."""


@dataclass(frozen=True)
class Claim:
    """One mean that somebody says of a method."""

    method: str
    dataset: str
    metric: str
    value: float
    protocol: str
    scale: float | None = None
    lq: str = ""
    """How LQ was made; '' where it is not told."""
    images: int | None = None


def keep_claims(claims: Sequence[Claim], root: Path, origin: str) -> list[Path]:
    """Write claims into the folder ``published`` of a store, where ``report --published`` finds them.

    Args:
        claims: at least one.
        root: folder of a store.
        origin: file or folder that they are from, as tables tell it.

    Raises:
        ExchangeError: no store there, or a claim without protocol.
    """
    if not (root / DATABASE).is_file():
        raise ExchangeError(
            f"{root}: no store here; means have no values of images, so they stand beside those of a store: --out STORE"
        )
    by_protocol: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if not claim.protocol:
            raise ExchangeError(f"{origin}: {claim.metric} of {claim.method} on {claim.dataset} tells no protocol")
        by_protocol[claim.protocol].append(claim)
    paths = []
    for protocol, own in by_protocol.items():
        content = {"source": f"imported from {origin}", "kind": "imported", "protocol": protocol, "sets": _sets(own)}
        validated(PublishedTable, content, origin, ExchangeError)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        paths.append(root / FOLDER / f"imported-{digest}.yaml")
        write_atomically(paths[-1], text.encode())
    return paths


def _sets(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Claims on the same images as one table each."""
    groups: dict[tuple[Any, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        scale = claim.scale or protocol_scale(claim.protocol) or 4
        groups[claim.dataset, scale, claim.lq or "files", claim.images].append(claim)
    sets = []
    for (dataset, scale, lq, images), own in groups.items():
        metrics = list(dict.fromkeys(claim.metric for claim in own))
        values = {(claim.method, claim.metric): claim.value for claim in own}
        methods = dict.fromkeys(claim.method for claim in own)
        sets.append(
            {
                "dataset": dataset,
                "scale": scale,
                "lq": lq,
                "images": images,
                "metrics": dict.fromkeys(metrics, _DECIMALS),
                "rows": {method: [values.get((method, metric)) for metric in metrics] for method in methods},
            }
        )
    return sets
