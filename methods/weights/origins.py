"""What identifies the networks and adapters of others that a model is built on: folders, and files of the Hub.

The Hub itself is never asked: what is on this machine is what is loaded, or what is downloaded when it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from ...asasr.model_config import hub_file
from ...datasets.fetch.digests import digest_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = (".safetensors", ".bin", ".json", ".txt", ".model")
"""Files of a pipeline that decide what it gives."""


def adapter_identity(reference: str) -> str:
    """Of ``hub:OWNER/REPO@REVISION/PATH``: a commit's file by its name, else the content that this machine has."""
    repository, revision, name = hub_file(reference)
    if revision and _COMMIT.fullmatch(revision):
        return reference
    cached = _cached(repository, name, revision)
    return reference if cached is None else digest_of(cached)


def source_identity(source: str, revision: str | None, folder: Path | None, parts: Sequence[str]) -> str:
    """Of a network in diffusers' layout.

    Args:
        folder: where it is, if it is no name on the Hub.
        parts: its subfolders that are used.

    Returns:
        The digest of a folder's files, wherever it is; the commit of what the Hub gave; '' before it gave anything.
    """
    if folder is not None:
        files = [path for part in parts for path in sorted((folder / part).rglob("*")) if path.suffix in _WEIGHTS]
        told = [f"{path.relative_to(folder).as_posix()}:{digest_of(path)}" for path in files]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()
    if revision and _COMMIT.fullmatch(revision):
        return revision
    cached = _cached(source, f"{parts[0]}/config.json", revision)
    return "" if cached is None else _commit_of(cached)


def _cached(repository: str, name: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, name, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _commit_of(path: Path) -> str:
    """``.../snapshots/COMMIT/...`` as the Hub's cache has it."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else ""
