"""Extract the images of a downloaded archive into the folders of a dataset, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..dataset import listed
from ..errors import DatasetError
from ..images import SUFFIXES, ImageError, read_image, write_atomically
from ..names import name_problem
from .archive_members import ArchiveError, Member, opened_archive
from .download import web_page

_LARGEST = 1 << 30
"""Bytes of one image in an archive: a few kilobytes of zip can claim to hold any number."""
_FREE, _RATIO = 1 << 30, 20
"""Bytes that any archive may unpack to, and beyond them how often its own: images hardly become smaller by packing."""


def unpack(archive: Path, folders: dict[str, str], target: Path) -> dict[str, Path]:
    """Extract the images of the chosen folders from a zip or tar file; names inside it never choose a place on disk.

    Args:
        archive: the zip or tar file.
        folders: a folder inside the archive to the folder of the dataset that receives its images.
        target: an empty folder on disk.

    Returns:
        Path of each image in the dataset to its file in ``target``.

    Raises:
        DatasetError: the archive is damaged or is none, holds no images in these folders, holds different images for
            the same path, holds unusable names, or unpacks to more bytes than images have.
    """
    files: dict[str, Path] = {}
    origins: dict[str, str] = {}
    total, limit = 0, _FREE + _RATIO * archive.stat().st_size
    with _members(archive) as members:
        for member in members:
            path = PurePosixPath(member.name)
            folder = next((to for inside, to in folders.items() if _is_in(path, inside)), None)
            if folder is None or path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            if problem := name_problem(path.name, file=True):
                raise DatasetError(f"{archive}: holds {path.name!a}, and this name {problem}; nothing of it is used")
            if member.size > _LARGEST:
                raise DatasetError(
                    f"{archive}: '{member.name}' claims {member.size} bytes, more than an image has ({_LARGEST})"
                )
            total += member.size
            if total > limit:
                raise DatasetError(
                    f"{archive}: unpacks to more than {limit} bytes, which no archive of images of its size does;"
                    " nothing of it is used"
                )
            with member.open() as file:
                content = file.read()
            place = str(PurePosixPath(folder, path.name))
            if place in files and files[place].read_bytes() != content:
                raise DatasetError(
                    f"{archive}: holds different images '{origins[place]}' and '{member.name}', which would both become"
                    f" {place}; nothing of it is used"
                )
            files[place], origins[place] = target / place, member.name
            write_atomically(target / place, content)
    if not files:
        raise DatasetError(f"{archive}: has no images in {listed(folders)}; is it the right file?")
    return files


def require_images(files: Iterable[Path], origin: Path) -> None:
    """Read every downloaded image once, so that the digest of an unusable download is never recorded.

    Args:
        files: the images.
        origin: the downloaded file that they came from; errors name it.

    Raises:
        DatasetError: an image cannot be read.
    """
    for path in files:
        try:
            read_image(path)
        except ImageError as error:
            reason = web_page(path) or str(error).removeprefix(f"{path}: ")
            location = f"'{path.name}' in it " if path != origin else ""
            raise DatasetError(f"{origin}: {location}{reason}; it is not used, download it again") from None


def _is_in(path: PurePosixPath, folder: str) -> bool:
    """Whether the folders of a path end in ``folder``; an empty ``folder`` matches every path."""
    folder_names = PurePosixPath(folder).parts
    return not folder_names or path.parts[:-1][-len(folder_names) :] == folder_names


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    """The regular files of an archive; an error names the archive and says what to do."""
    try:
        with opened_archive(archive) as members:
            yield members
    except ArchiveError as error:
        reason = web_page(archive) or f"damaged, or no zip or tar file ({error})"
        raise DatasetError(f"{archive}: {reason}; it is not used, download it again") from None
