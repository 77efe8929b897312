"""Digests of files: computed once while a file does not change, and recorded at its first download."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from ..images import file_digest, write_atomically
from .download import DownloadError

PINS = "pins.json"
"""Name of the file with recorded digests, in the folder of downloads."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file, read once in a process as long as it does not change."""
    return _digest(path, file_state(path))


def file_state(path: Path) -> tuple[int, ...]:
    """Values that change when a file's content does: device, inode, size and times."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


@lru_cache(maxsize=2**16)  # of code, too: packages have thousands of files
def _digest(path: Path, state: tuple[int, ...]) -> str:
    return file_digest(path)


class Pins:
    """Digests recorded at the first download of files without a published one; later downloads must equal them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, url: str) -> str | None:
        """The digest recorded for an address; None if there is none.

        Raises:
            DownloadError: the file of digests is damaged.
        """
        return self._read().get(url)

    def advice(self, url: str) -> str:
        """Advice for the error about a file that differs from the recorded digest; '' if none was recorded."""
        if self.get(url) is None:
            return ""
        return (
            f". That digest was noted at the first download, in {self._path}; if the publisher has changed the file"
            " since and you trust the new one, remove its line there"
        )

    def note(self, url: str, digest: str) -> None:
        """Record the digest of the file downloaded from an address."""
        write_atomically(self._path, json.dumps({**self._read(), url: digest}, indent=1, sort_keys=True).encode())

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        try:
            return {str(url): str(digest) for url, digest in json.loads(self._path.read_text("utf-8")).items()}
        except (ValueError, AttributeError, RecursionError):
            raise DownloadError(
                f"{self._path}: damaged; it keeps the digests of downloads that have no published one. Remove it to"
                " trust the next download of each"
            ) from None
