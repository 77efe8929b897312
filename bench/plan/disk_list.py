"""A list on disk, so that the jobs of 100,000 images need no memory."""

from __future__ import annotations

import os
import pickle
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar, overload

Item = TypeVar("Item")


@contextmanager
def _naming_the_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or os.environ.get("TMPDIR") or "TMPDIR"
        raise OSError(error.errno, error.strerror, f"temporary files in {folder}") from None


class Spool(Sequence[Item], Generic[Item]):
    """Items in a temporary file, in the order in which they were appended; memory holds eight bytes for each."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._end = 0
        with _naming_the_folder():
            self._file = tempfile.TemporaryFile(prefix="asasr-bench-")  # noqa: SIM115 - it goes with the list

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):  # no file, or a full disk, which was reported when it was written to
            self._file.close()

    def append(self, item: Item) -> None:
        """Add an item.

        Raises:
            OSError: the disk of temporary files is full; the error names their folder.
        """
        content = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        with _naming_the_folder():
            self._file.seek(self._end)
            self._file.write(content)
        self._starts.append(self._end)
        self._end += len(content)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        start = self._starts[index]
        index %= len(self)
        end = self._starts[index + 1] if index + 1 < len(self) else self._end
        with _naming_the_folder():  # seeking may write buffered items to the disk
            self._file.seek(start)
        item: Item = pickle.loads(self._file.read(end - start))
        return item
