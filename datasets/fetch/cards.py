"""Download the files of a dataset's card, and verify those on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..card import DatasetCard, Source, data_root, listed_files
from ..dataset import listed
from ..errors import DatasetError
from ..images import SUFFIXES, file_digest, write_atomically
from ..names import leaves_folder
from .archives import require_images, unpack
from .digests import PINS, Pins
from .download import DigestError, Tell, download

_INVENTORY = "SHA256SUMS"


@dataclass(frozen=True)
class Fetched:
    """Result of a fetch."""

    folder: Path
    files: int
    """Number of images written; existing ones are not fetched again."""
    pinned: tuple[str, ...]
    """Names of sources without a published digest; it was recorded now and is required from now on."""


@dataclass(frozen=True)
class Verified:
    """State of a dataset's files on disk."""

    files: int
    published: int
    """Files that equal a published digest."""
    noted: int
    """Files that equal the digest recorded when they were first seen."""
    new: int
    """Files seen for the first time; their digests are recorded now."""
    problems: tuple[str, ...]
    """One sentence each: missing, changed or surplus files."""


def fetch(
    card: DatasetCard,
    *,
    accept: bool = False,
    source: Path | None = None,
    root: Path | None = None,
    tell: Tell | None = None,
) -> Fetched:
    """Download a dataset's images into the folder where ``open_dataset`` finds them.

    Args:
        card: the dataset's card.
        accept: the user accepts the dataset's terms, if it has any.
        source: folder of files that were downloaded by hand; None: they are downloaded.
        root: folder of all datasets; None: ``data_root()``.
        tell: progress callback of the download.

    Raises:
        DatasetError: the terms are not accepted, a program cannot download the files, or an archive is unusable.
        DownloadError: see ``download``.
    """
    if not card.sources:
        reason = f"can only be downloaded by hand, from {card.homepage}. {card.get}" if card.get else "is built in"
        raise DatasetError(f"{card.id} {reason}")
    if card.terms and not accept:
        raise DatasetError(f"{card.id} has terms: {card.terms} Read them at {card.homepage}; --accept says you agree")
    root = data_root() if root is None else root
    folder, pins = root / card.id, Pins(root / PINS)
    image_count, pinned = 0, []
    for entry in card.sources:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=_created(root)) as scratch:
            for url, name, sha256, target in _source_files(card, entry):
                if target is not None and (folder / target).exists():
                    continue
                expected = sha256 or pins.get(url)
                noted = "" if sha256 else pins.advice(url)
                path = _obtain(card, entry, url, name, expected, noted, source, folder, Path(scratch), tell)
                try:
                    unpacked = Path(scratch, "unpacked")
                    places = unpack(path, entry.unpack, unpacked) if target is None else {target: path}
                    if expected is None:
                        require_images(places.values(), path)
                        pins.note(url, file_digest(path))
                        pinned.append(name)
                except DatasetError:
                    if source is None:
                        path.unlink(missing_ok=True)  # the same file would come to the same end: get it anew
                    raise
                for place, file in places.items():
                    write_atomically(folder / place, file.read_bytes())
                    if target is None:
                        file.unlink()  # room for the next
                image_count += len(places)
                if source is None:
                    path.unlink()
    return Fetched(folder, image_count, tuple(pinned))


def verify(card: DatasetCard, root: Path | None = None) -> Verified:
    """Compare a dataset's files with published digests, else with those recorded when they were first seen."""
    folder = (data_root() if root is None else root) / card.id
    if not folder.is_dir():
        return Verified(0, 0, 0, 0, (f"no folder {folder}",))
    published = {
        target: sha256
        for source in card.sources
        for _, _, sha256, target in _source_files(card, source)
        if target is not None and sha256 is not None
    }
    noted = _read_inventory(folder / _INVENTORY)
    digests = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    }
    expected = {**noted, **published}
    problems = [f"{name}: missing" for name in sorted(set(expected) - set(digests))]
    problems += [
        f"{name}: its SHA-256 is not the {'published' if name in published else 'noted'} one"
        for name in sorted(set(expected) & set(digests))
        if digests[name] != expected[name]
    ]
    new = sorted(set(digests) - set(expected))
    if noted and new:
        problems.append(f"not there before: {listed(new)}")
    elif new and not problems:
        text = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
        write_atomically(folder / _INVENTORY, text.encode())
    unchanged = [name for name, digest in digests.items() if expected.get(name) == digest]
    of_published = sum(name in published for name in unchanged)
    return Verified(len(digests), of_published, len(unchanged) - of_published, len(new), tuple(problems))


def _source_files(card: DatasetCard, source: Source) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Address, file name, digest and path in the dataset of every file; the path of an archive is None."""
    if source.list:
        for sha256, remote, target in listed_files(card.id) if card.home is None else listed_files(card.id, card.home):
            name = PurePosixPath(remote).name
            if leaves_folder(target) or leaves_folder(name):
                raise DatasetError(
                    f"{card.id}: its list of files names '{target}', which leads out of the set's folder"
                )
            yield f"{source.url}/{remote}", name, sha256, target
    else:
        yield source.url, source.file or PurePosixPath(source.url).name, source.sha256, None


def _obtain(
    card: DatasetCard,
    entry: Source,
    url: str,
    name: str,
    sha256: str | None,
    noted: str,
    source: Path | None,
    folder: Path,
    scratch: Path,
    tell: Tell | None,
) -> Path:
    """The file ``name``, downloaded or from the folder ``source``, with its digest checked."""
    if source is None:
        # an archive waits beside the set, so that a broken download goes on in the next run
        path = scratch / name if entry.list else folder.parent / f".{card.id}-{name}"
        try:
            download(url, path, sha256, tell)
        except DigestError as error:
            raise DigestError(f"{error}{noted}") from None
        return path
    path = source / name
    if not path.is_file():
        raise DatasetError(f"{source}: no file {name}, which {card.id} needs; it is at {url}")
    if sha256 is not None and (digest := file_digest(path)) != sha256:
        raise DigestError(
            f"{path}: its SHA-256 is {digest}, it should be {sha256}; download it again from {url}{noted}"
        )
    return path


def _read_inventory(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        rows = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines())
        return {name: digest for digest, name in rows}
    except ValueError:
        raise DatasetError(f"{path}: damaged; remove it to note the digests of the set's files anew") from None


def _created(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
