"""Identity of the networks and adapters that a model is built on: local folders and files of the Hub.

The Hub itself is never contacted here: only files on this machine are read.
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
"""Suffixes of the files that determine the output of a pipeline."""


def adapter_identity(reference: str) -> str:
    """Identity of the adapter ``hub:OWNER/REPO@REVISION/PATH``.

    With a commit as revision it is the reference itself, else the digest of the cached file, or the reference while no
    file is cached.
    """
    repository, revision, name = hub_file(reference)
    if revision and _COMMIT.fullmatch(revision):
        return reference
    cached = _cached(repository, name, revision)
    return reference if cached is None else digest_of(cached)


def source_identity(source: str, revision: str | None, folder: Path | None, subfolders: Sequence[str]) -> str:
    """Identity of a network in diffusers' layout.

    Args:
        source: name of the network's repository on the Hub.
        revision: revision of the repository; None: the default branch.
        folder: local folder of the network; None: it comes from the Hub.
        subfolders: subfolders that are used.

    Returns:
        The digest of a local folder's files, or the commit of the Hub's cached files, or '' while nothing is cached.
    """
    if folder is not None:
        files = [
            path
            for subfolder in subfolders
            for path in sorted((folder / subfolder).rglob("*"))
            if path.suffix in _WEIGHTS
        ]
        lines = [f"{path.relative_to(folder).as_posix()}:{digest_of(path)}" for path in files]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    if revision and _COMMIT.fullmatch(revision):
        return revision
    cached = _cached(source, f"{subfolders[0]}/config.json", revision)
    return "" if cached is None else _commit_of(cached)


def _cached(repository: str, name: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, name, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _commit_of(path: Path) -> str:
    """``.../snapshots/COMMIT/...`` as the Hub's cache has it."""
    folders = path.parts
    return folders[folders.index("snapshots") + 1] if "snapshots" in folders else ""
