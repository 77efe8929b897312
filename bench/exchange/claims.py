"""Claims: means that others state, without values of images; tables show them like published values."""

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
"""Number of decimals of a value that was not rounded for a table."""


@dataclass(frozen=True)
class Claim:
    """One mean that somebody states for a method."""

    method: str
    dataset: str
    metric: str
    value: float
    protocol: str
    scale: float | None = None
    lq: str = ""
    """Rule by which LQ was made; '' if it is not stated."""
    images: int | None = None


def keep_claims(claims: Sequence[Claim], root: Path, origin: str) -> list[Path]:
    """Write claims into the folder ``published`` of a store, where ``report --published`` reads them.

    Args:
        claims: claims, at least one.
        root: folder of a store.
        origin: file or folder with the claims, as tables name it.

    Returns:
        The files that were written.

    Raises:
        ExchangeError: the folder is not a store, or a claim has no protocol.
    """
    if not (root / DATABASE).is_file():
        raise ExchangeError(
            f"{root}: is not a store; means without values of images can only be added to a store: --out STORE"
        )
    by_protocol: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if not claim.protocol:
            raise ExchangeError(f"{origin}: {claim.metric} of {claim.method} on {claim.dataset} has no protocol")
        by_protocol[claim.protocol].append(claim)
    paths = []
    for protocol, of_protocol in by_protocol.items():
        content = {
            "source": f"imported from {origin}",
            "kind": "imported",
            "protocol": protocol,
            "sets": _sets(of_protocol),
        }
        validated(PublishedTable, content, origin, ExchangeError)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        paths.append(root / FOLDER / f"imported-{digest}.yaml")
        write_atomically(paths[-1], text.encode())
    return paths


def _sets(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """One table for each group of claims on the same images."""
    groups: dict[tuple[Any, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        scale = claim.scale or protocol_scale(claim.protocol) or 4
        groups[claim.dataset, scale, claim.lq or "files", claim.images].append(claim)
    sets = []
    for (dataset, scale, lq, images), of_set in groups.items():
        metrics = list(dict.fromkeys(claim.metric for claim in of_set))
        values = {(claim.method, claim.metric): claim.value for claim in of_set}
        methods = dict.fromkeys(claim.method for claim in of_set)
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
