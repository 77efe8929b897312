"""Get a card's files, and check what is on disk."""

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
    """What a fetch did."""

    folder: Path
    files: int
    """Images written; those that were there are not fetched again."""
    pinned: tuple[str, ...]
    """Names of sources whose digest nobody published; it was noted now and is asked for from now on."""


@dataclass(frozen=True)
class Verified:
    """What is on disk of a set."""

    files: int
    published: int
    """Files that equal a published digest."""
    noted: int
    """Files that equal the digest noted when they were first seen."""
    new: int
    """Files seen for the first time; their digests are noted now."""
    problems: tuple[str, ...]
    """One sentence each: missing, changed or surplus files."""


def fetch(
    card: DatasetCard, *, accept: bool = False, source: Path | None = None, root: Path | None = None,
    tell: Tell | None = None,
) -> Fetched:  # fmt: skip
    """Put a card's images where ``open_dataset`` looks for them.

    Args:
        accept: the user accepts the set's terms, where it has any.
        source: folder of files that were downloaded by hand; nothing is downloaded then.

    Raises:
        DatasetError: terms not accepted, nothing that a program can download, an unusable archive.
        DownloadError: see ``download``.
    """
    if not card.sources:
        how = f"can only be downloaded by hand, from {card.homepage}. {card.get}" if card.get else "is built in"
        raise DatasetError(f"{card.id} {how}")
    if card.terms and not accept:
        raise DatasetError(f"{card.id} has terms: {card.terms} Read them at {card.homepage}; --accept says you agree")
    root = data_root() if root is None else root
    folder, pins = root / card.id, Pins(root / PINS)
    written, pinned = 0, []
    for entry in card.sources:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=_made(root)) as scratch:
            for url, name, sha256, target in _wanted(card, entry):
                if target is not None and (folder / target).exists():
                    continue
                known = sha256 or pins.get(url)
                noted = "" if sha256 else pins.advice(url)
                path = _obtain(card, entry, url, name, known, noted, source, folder, Path(scratch), tell)
                try:
                    unpacked = Path(scratch, "unpacked")
                    places = unpack(path, entry.unpack, unpacked) if target is None else {target: path}
                    if known is None:
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
                written += len(places)
                if source is None:
                    path.unlink()
    return Fetched(folder, written, tuple(pinned))


def verify(card: DatasetCard, root: Path | None = None) -> Verified:
    """Compare a set's files with published digests, else with those noted when they were first seen."""
    folder = (data_root() if root is None else root) / card.id
    if not folder.is_dir():
        return Verified(0, 0, 0, 0, (f"no folder {folder}",))
    published = {
        target: sha256
        for source in card.sources
        for _, _, sha256, target in _wanted(card, source)
        if target is not None and sha256 is not None
    }
    noted = _read_inventory(folder / _INVENTORY)
    found = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    }
    expected = {**noted, **published}
    problems = [f"{name}: missing" for name in sorted(set(expected) - set(found))]
    problems += [
        f"{name}: its SHA-256 is not the {'published' if name in published else 'noted'} one"
        for name in sorted(set(expected) & set(found))
        if found[name] != expected[name]
    ]
    new = sorted(set(found) - set(expected))
    if noted and new:
        problems.append(f"not there before: {listed(new)}")
    elif new and not problems:
        text = "".join(f"{found[name]}  {name}\n" for name in sorted(found))
        write_atomically(folder / _INVENTORY, text.encode())
    good = [name for name, digest in found.items() if expected.get(name) == digest]
    of_published = sum(name in published for name in good)
    return Verified(len(found), of_published, len(good) - of_published, len(new), tuple(problems))


def _wanted(card: DatasetCard, source: Source) -> Iterator[tuple[str, str, str | None, str | None]]:
    """URL, file name, digest and place in the set of every file; an archive has no place."""
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
    card: DatasetCard, entry: Source, url: str, name: str, sha256: str | None, noted: str,
    source: Path | None, folder: Path, scratch: Path, tell: Tell | None,
) -> Path:  # fmt: skip
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


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
