"""The files inside a zip or tar archive, read one after the other without unpacking anything to disk."""

from __future__ import annotations

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from ..errors import BenchError

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    OSError,
    RuntimeError,  # an encrypted member; its subclass NotImplementedError: an unknown compression
)
"""What the decoders raise for an archive that is damaged or is no archive."""


class ArchiveError(BenchError, ValueError):
    """An archive that cannot be read. The message is the decoder's reason; the caller names the file."""


@dataclass(frozen=True)
class Member:
    """One regular file inside an archive."""

    name: str
    """Path inside the archive. It comes from outside and must not choose a place on disk."""
    size: int
    """Bytes that the archive claims for it, unpacked."""
    open: Callable[[], IO[bytes]]


@contextmanager
def opened_archive(path: Path) -> Iterator[Iterator[Member]]:
    """Iterate over the regular files of a zip or tar archive; links, devices and folders are left out.

    Raises:
        ArchiveError: the archive is damaged or is no archive; also while a member is read inside the block.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as zip_file:
                yield (
                    Member(entry.filename, entry.file_size, partial(zip_file.open, entry))
                    for entry in zip_file.infolist()
                    if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)
                )
        else:
            with tarfile.open(path) as tar_file:
                yield (
                    Member(entry.name, entry.size, partial(_extracted, tar_file, entry))
                    for entry in tar_file
                    if entry.isreg()
                )
    except _DAMAGE as error:
        if isinstance(error, BenchError) or (isinstance(error, OSError) and error.errno is not None):
            raise  # from the block, or from the disk: decoders set no errno
        raise ArchiveError(str(error)) from None


def _extracted(tar_file: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = tar_file.extractfile(entry)
    assert content is not None  # it is a regular file
    return content
