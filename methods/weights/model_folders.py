"""Models in the layout of transformers: a local folder with ``config.json`` and weights; nothing is downloaded."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from ...datasets.fetch.digests import digest_of
from .files import own_folder

_SUFFIXES = (".safetensors", ".bin")


@lru_cache(maxsize=16)
def model_folder(name: str) -> Path | None:
    """Folder of a model below the weights folder, else in the Hub's cache; None if it is on neither."""
    folder = own_folder() / name
    if (folder / "config.json").is_file():
        return folder
    if name.count("/") != 1:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def missing_model(name: str) -> str:
    """Why a model cannot be loaded, and the remedy; '' if it can be loaded."""
    folder = model_folder(name)
    if folder is None:
        return f"model {name} is not here; get it with 'hf download {name}', or put its folder at {own_folder() / name}"
    return "" if _weight_files(folder) else f"{folder}: no weight files (*.safetensors); download the model again"


def model_digest(name: str) -> str:
    """Digest of a model's weight files and configurations; '' if it is not on this machine."""
    folder = model_folder(name)
    return "" if folder is None else joint_digest([*_weight_files(folder), *sorted(folder.glob("*config.json"))])


def joint_digest(paths: list[Path]) -> str:
    """Digest of several files in their order."""
    return hashlib.sha256("".join(map(digest_of, paths)).encode()).hexdigest()[:32]


def _weight_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
