"""Weight files: where they are, whether they are the right ones, and how to get them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import yaml

from ..datasets.download import Tell, download
from ..datasets.images import file_digest, write_atomically
from .errors import MethodError

_PINS = "pins.json"


class WeightsError(MethodError):
    """A weight file that cannot be used or had; the message names it, the cause and the remedy."""


@dataclass(frozen=True)
class WeightFile:
    """One file of the manifest."""

    id: str
    file: str
    url: str
    licence: str
    sha256: str = ""
    """In full, or its published beginning; '': nobody published it."""
    bytes: int | None = None
    by_hand: bool = False
    """The address is a page for people."""

    @property
    def remedy(self) -> str:
        """How to get it."""
        if self.by_hand:
            return f"download {self.file} by hand from {self.url} and put it into {own_folder()}"
        size = f", {self.bytes / 2**20:.0f} MiB" if self.bytes else ""
        return f"get it with 'asasr-bench weights fetch {self.id}' ({self.licence}{size})"


@lru_cache(maxsize=1)
def manifest() -> dict[str, WeightFile]:
    """All known files by id."""
    text = files(__package__).joinpath("weights.yaml").read_text(encoding="utf-8")
    return {entry["id"]: WeightFile(**entry) for entry in yaml.safe_load(text)}


def weight_file(id: str) -> WeightFile:
    """The file of this id.

    Raises:
        WeightsError: none has it.
    """
    if id not in manifest():
        raise WeightsError(f"unknown weights '{id}' (known: {', '.join(manifest())})")
    return manifest()[id]


def own_folder() -> Path:
    """Where downloads go: ``ASASR_BENCH_WEIGHTS``, else the user's cache folder."""
    chosen = os.environ.get("ASASR_BENCH_WEIGHTS")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asasr-bench" / "weights"


def _folders() -> tuple[Path, ...]:
    """Own folder, then the caches of torch, pyiqa and CLIP."""
    hub = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub"
    return own_folder(), hub / "checkpoints", hub / "pyiqa", hub / "clip", Path.home() / ".cache" / "clip"


def find(entry: WeightFile) -> Path | None:
    """The verified file, or None where there is none.

    Raises:
        WeightsError: a file of this name with another content; it is not used.
    """
    for folder in _folders():
        path = folder / entry.file
        if path.is_file():
            _check(path, entry)
            return path
    return None


def lacking(entries: Sequence[WeightFile]) -> str:
    """Which of these files are missing or damaged and how to get them, in one line; '' if all are here."""
    missing = []
    for entry in entries:
        try:
            if find(entry) is None:
                missing.append(entry)
        except WeightsError as error:
            return str(error)
    if not missing:
        return ""
    if len(missing) == 1:
        return f"weight file {missing[0].file} is missing; {missing[0].remedy}"
    names, ids = ", ".join(entry.file for entry in missing), " ".join(entry.id for entry in missing)
    licences = "; ".join(dict.fromkeys(entry.licence for entry in missing))
    return f"weight files {names} are missing; get them with 'asasr-bench weights fetch {ids}' ({licences})"


def verified(entry: WeightFile) -> Path:
    """The verified file.

    Raises:
        WeightsError: it is missing, or has another content.
    """
    path = find(entry)
    if path is None:
        raise WeightsError(f"weight file {entry.file} is missing; {entry.remedy}")
    return path


def fetch(entry: WeightFile, *, source: Path | None = None, tell: Tell | None = None) -> Path:
    """The verified file, downloaded, or copied from ``source`` (a folder), where it is missing.

    Raises:
        WeightsError: it can only be downloaded by hand, or has another content.
        DownloadError: see ``download``.
    """
    found = find(entry)
    if found is not None:
        return found
    target = own_folder() / entry.file
    if source is not None:
        given = source / entry.file
        if not given.is_file():
            raise WeightsError(f"{source}: no file {entry.file}; it is at {entry.url}")
        _check(given, entry)
        write_atomically(target, given.read_bytes())
    elif entry.by_hand:
        raise WeightsError(f"{entry.id}: {entry.remedy}")
    else:
        known = entry.sha256 or _pins().get(entry.url)
        digest = download(entry.url, target, known, tell)
        if not known:
            write_atomically(own_folder() / _PINS, json.dumps({**_pins(), entry.url: digest}, indent=1).encode())
    return target


def digest_of(path: Path) -> str:
    """SHA-256 of a file, read once in a process as long as it does not change."""
    state = path.stat()
    return _digest(path, (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=2**16)  # of code, too: packages have thousands of files
def _digest(path: Path, state: tuple[int, ...]) -> str:
    return file_digest(path)


def _check(path: Path, entry: WeightFile) -> None:
    known = entry.sha256 or _pins().get(entry.url, "")
    digest = digest_of(path)
    if not digest.startswith(known):
        raise WeightsError(
            f"{path}: is not {entry.id}, its SHA-256 is {digest[:16]}…, it should be {known[:16]}…; the file is damaged"
            " or was changed and is not used: remove it and get it again"
        )


def _pins() -> dict[str, str]:
    path = own_folder() / _PINS
    return dict(json.loads(path.read_text())) if path.exists() else {}
