"""The paths in a spec that was given on the command line, made absolute: they started from the folder of that run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...datasets.card import is_card_file
from ...methods.reference import anchored
from ...methods.user_code.references import anchored_object, anchored_reference, is_object
from ..metrics.third_party import anchored as metric_beside

_FOLDER_KEYS = ("hr", "lq", "text", "instances", "labels")


def with_absolute_paths(spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same spec with relative paths of methods, metrics, datasets, truth and the protocol starting from a folder.

    Args:
        spec: a run's spec as a store keeps it.
        folder: the working folder of that run; an absolute path.
    """
    return {
        **spec,
        "methods": [anchored(entry, folder) for entry in spec.get("methods", ())],
        "metrics": [metric_beside(entry, folder) for entry in spec.get("metrics", ())],
        "datasets": [_dataset(entry, folder) for entry in spec.get("datasets", ())],
        "truth": [_truth(entry, folder) for entry in spec.get("truth", ())],
        "protocol": anchored_reference(spec.get("protocol"), folder),
    }


def _dataset(entry: Any, folder: Path) -> Any:
    if isinstance(entry, dict):
        placed = {key: str(folder / entry[key]) for key in _FOLDER_KEYS if isinstance(entry.get(key), str)}
        return anchored_reference({**entry, **placed}, folder)
    text = str(entry)
    name, equals, place = text.rpartition("=")
    if is_object(place):
        return f"{name}{equals}{anchored_object(place, folder)}"
    if equals:
        return f"{name}={','.join(str(folder / part) if part else '' for part in place.split(','))}"
    return str(folder / place) if is_card_file(place) else text


def _truth(text: str, folder: Path) -> str:
    start, colon, path = text.partition(":")
    return f"{start}{colon}{folder / path}"
