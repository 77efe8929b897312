"""Models as transformers saves them: a folder with ``config.json`` and tensors, of this machine alone."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from ...datasets.fetch.digests import digest_of
from .files import own_folder

_SUFFIXES = (".safetensors", ".bin")


@lru_cache(maxsize=16)
def model_folder(name: str) -> Path | None:
    """Below our weights folder, else in the Hub's cache; nothing is downloaded."""
    own = own_folder() / name
    if (own / "config.json").is_file():
        return own
    if name.count("/") != 1:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def missing_model(name: str) -> str:
    """Why a model cannot be loaded and what to do; '' if it can."""
    folder = model_folder(name)
    if folder is None:
        return f"model {name} is not here; get it with 'hf download {name}', or put its folder at {own_folder() / name}"
    return "" if _weight_files(folder) else f"{folder}: no weight files (*.safetensors); download the model again"


def model_digest(name: str) -> str:
    """Of its tensors' files and its configurations; '' where it is not here."""
    folder = model_folder(name)
    return "" if folder is None else joint_digest([*_weight_files(folder), *sorted(folder.glob("*config.json"))])


def joint_digest(paths: list[Path]) -> str:
    """Of several files in their order."""
    return hashlib.sha256("".join(map(digest_of, paths)).encode()).hexdigest()[:32]


def _weight_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
