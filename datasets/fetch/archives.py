"""Archives from elsewhere: their images land in the wanted folders of a set, or nowhere."""

from __future__ import annotations

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ..dataset import listed
from ..errors import DatasetError
from ..images import SUFFIXES, ImageError, read_image, write_atomically
from ..names import name_problem
from .download import web_page

_LARGEST = 1 << 30
"""Bytes of one image in an archive: a few kilobytes of zip can claim to hold any number."""
_FREE, _RATIO = 1 << 30, 20
"""Bytes that any archive may unpack to, and beyond them how often its own: images hardly become smaller by packing."""


def unpack(archive: Path, folders: dict[str, str], target: Path) -> dict[str, Path]:
    """Take the images of the wanted folders out of a zip or tar file; names inside it never choose a place on disk.

    Args:
        folders: of the archive to folders of the set.
        target: an empty folder.

    Returns:
        Places in the set to the files in ``target``.

    Raises:
        DatasetError: it is damaged or no archive, has no such images, two different ones for one place, names that are
            none, or more bytes than images have.
    """
    places: dict[str, Path] = {}
    origins: dict[str, str] = {}
    total, most = 0, _FREE + _RATIO * archive.stat().st_size
    with _members(archive) as members:
        for name, size, opened in members:
            member = PurePosixPath(name)
            folder = next((to for inside, to in folders.items() if _is_in(member, inside)), None)
            if folder is None or member.suffix.lower() not in SUFFIXES or member.name.startswith("."):
                continue
            if problem := name_problem(member.name, file=True):
                raise DatasetError(f"{archive}: holds {member.name!a}, and this name {problem}; nothing of it is used")
            if size > _LARGEST:
                raise DatasetError(f"{archive}: '{name}' claims {size} bytes, more than an image has ({_LARGEST})")
            total += size
            if total > most:
                raise DatasetError(
                    f"{archive}: unpacks to more than {most} bytes, which no archive of images of its size does;"
                    " nothing of it is used"
                )
            with opened() as file:
                content = file.read()
            place = str(PurePosixPath(folder, member.name))
            if place in places and places[place].read_bytes() != content:
                raise DatasetError(
                    f"{archive}: holds different images '{origins[place]}' and '{name}', which would both become"
                    f" {place}; nothing of it is used"
                )
            places[place], origins[place] = target / place, name
            write_atomically(target / place, content)
    if not places:
        raise DatasetError(f"{archive}: has no images in {listed(folders)}; is it the right file?")
    return places


def require_images(files: Iterable[Path], origin: Path) -> None:
    """Read all of these images, so that no digest is noted of a download that cannot be used.

    Raises:
        DatasetError: they cannot be read; it names the file that they came in.
    """
    for path in files:
        try:
            read_image(path)
        except ImageError as error:
            what = web_page(path) or str(error).removeprefix(f"{path}: ")
            within = f"'{path.name}' in it " if path != origin else ""
            raise DatasetError(f"{origin}: {within}{what}; it is not used, download it again") from None


def _is_in(member: PurePosixPath, folder: str) -> bool:
    """Whether the last folders of a member are the wanted ones; an empty name wants every folder."""
    inside = PurePosixPath(folder).parts
    return not inside or member.parts[:-1][-len(inside) :] == inside


Member = tuple[str, int, Callable[[], IO[bytes]]]
"""Name, size in bytes as it claims, and how to open it."""


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    """The regular files of an archive; links and devices are not among them."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                yield (
                    (item.filename, item.file_size, partial(opened.open, item))
                    for item in opened.infolist()
                    if not item.is_dir() and not stat.S_ISLNK(item.external_attr >> 16)
                )
        else:
            with tarfile.open(archive) as packed:
                yield ((item.name, item.size, partial(_content, packed, item)) for item in packed if item.isreg())
    except (
        zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError, OSError,
        RuntimeError,  # encrypted; NotImplementedError, one of them, for an unknown compression
    ) as error:  # fmt: skip
        if isinstance(error, DatasetError) or (isinstance(error, OSError) and error.errno is not None):
            raise  # the disk, not the archive: decoders have no errno
        what = web_page(archive) or f"damaged, or no zip or tar file ({error})"
        raise DatasetError(f"{archive}: {what}; it is not used, download it again") from None


def _content(packed: tarfile.TarFile, item: tarfile.TarInfo) -> IO[bytes]:
    content = packed.extractfile(item)
    assert content is not None  # it is a regular file
    return content
