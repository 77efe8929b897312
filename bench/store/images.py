"""Content-addressed pixels: uint8 images as PNG, float planes as NPY, each named by the digest of its pixels."""

from __future__ import annotations

import io
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError
from ...datasets.images import ImageError, check_size, pixel_digest, read_image, write_atomically
from ...datasets.names import printable
from ...datasets.png import encode_png

_DIGEST = re.compile("[0-9a-f]{64}")
_FILE = re.compile(r"[0-9a-f]{64}\.(png|npy)")
Pixels = NDArray[Any]


RECENT = 96 << 20
"""Bytes of images that are kept in memory: about a hundred images of BSD100 with their LQ."""
_LARGEST = RECENT // 8
"""Largest image in bytes that is kept in memory; a larger one would displace too many others."""


class StoreError(BenchError, RuntimeError):
    """A store cannot be read or written; the message names the store, the cause and the remedy."""


class DamagedObjectError(BenchError, RuntimeError):
    """A stored image is missing, or has other pixels than its digest says."""


class RecentPixels:
    """A cache of pixels by their digest, so that an image that was just written is not decoded again.

    The least recently used images are dropped first. Arrays are copied when they are put in and taken out.
    """

    def __init__(self, capacity: int = RECENT) -> None:
        self._capacity, self._bytes = capacity, 0
        self._kept: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._lock = Lock()  # workers decode ahead in threads

    def put(self, digest: str, pixels: NDArray[Any]) -> None:
        """Keep a copy of pixels."""
        if pixels.nbytes > min(_LARGEST, self._capacity):
            return
        copy = np.array(pixels)
        with self._lock:
            before = self._kept.pop(digest, None)
            self._bytes += copy.nbytes - (0 if before is None else before.nbytes)
            self._kept[digest] = copy
            while self._bytes > self._capacity:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.nbytes

    def get(self, digest: str) -> NDArray[Any] | None:
        """A copy of the pixels; None if they are not in the cache."""
        with self._lock:
            pixels = self._kept.get(digest)
            if pixels is None:
                return None
            self._kept.move_to_end(digest)
        return np.array(pixels)

    def drop(self, digest: str) -> None:
        """Forget these pixels."""
        with self._lock:
            pixels = self._kept.pop(digest, None)
            self._bytes -= 0 if pixels is None else pixels.nbytes


class Objects:
    """A folder of images under ``root/ab/abcdef....png``; writing the same pixels twice is harmless."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._recent = RecentPixels()

    def __reduce__(self) -> tuple[type[Objects], tuple[Path]]:
        return Objects, (self.root,)

    def path(self, digest: str) -> Path | None:
        """The file that holds these pixels, or None."""
        for suffix in (".png", ".npy"):
            path = self._stem(digest).with_suffix(suffix)
            if path.exists():
                return path
        return None

    def put(self, pixels: Pixels, png: bytes | None = None) -> str:
        """Store uint8 or float64 pixels ``[H, W]`` or ``[H, W, 3]`` and return their digest.

        Args:
            pixels: the pixels.
            png: content of a PNG file with exactly these pixels, which is stored unchanged; None: encode the pixels.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        digest = pixel_digest(pixels)
        if self.path(digest) is None:
            with self._writing():
                if png is None:
                    self._write(self._stem(digest), pixels)
                else:
                    write_atomically(self._stem(digest).with_suffix(".png"), png)
        self._recent.put(digest, pixels)
        return digest

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self.root}: cannot write an image ({error.strerror}); free space or check the folder's rights"
                " and run again: what is stored is kept"
            ) from error

    def _write(self, stem: Path, pixels: Pixels) -> None:
        if pixels.dtype == np.uint8:
            write_atomically(stem.with_suffix(".png"), encode_png(pixels))
            return
        buffer = io.BytesIO()
        np.save(buffer, pixels, allow_pickle=False)
        write_atomically(stem.with_suffix(".npy"), buffer.getvalue())

    def get(self, digest: str) -> Pixels:
        """The pixels with this digest, verified; the caller may change the array.

        Raises:
            DamagedObjectError: the file is missing, or has other pixels.
        """
        path = self.path(digest)
        if path is None:
            raise DamagedObjectError(f"{self._stem(digest)}: image is missing from the store")
        recent = self._recent.get(digest)
        if recent is not None:
            return recent
        pixels = read_image(path) if path.suffix == ".png" else _read_plane(path)
        if pixel_digest(pixels) != digest:
            raise DamagedObjectError(f"{path}: pixels do not match their digest")
        self._recent.put(digest, pixels)
        return pixels

    def get_or_remove(self, digest: str) -> Pixels:
        """The pixels with this digest, verified; a damaged file is removed, so that the next run makes the image again.

        Raises:
            DamagedObjectError: the file was missing or damaged.
        """
        try:
            return self.get(digest)
        except (DamagedObjectError, ImageError) as error:
            self.remove(digest)
            raise DamagedObjectError(
                f"a stored image was damaged or lost; run the same command again to make it again ({error})"
            ) from None

    def remove(self, digest: str) -> None:
        """Remove the file of this digest, if there is one and the store can be written."""
        self._recent.drop(digest)
        path = self.path(digest)
        if path is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def read_files(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Names and contents of the files of these images; those that are missing are left out."""
        paths = (self.path(digest) for digest in digests)
        return {path.name: path.read_bytes() for path in paths if path is not None}

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write the files that ``read_files`` of another folder returned.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        with self._writing():
            for name, content in files.items():
                write_atomically(self.root / name[:2] / name, content)

    def known(self) -> set[str]:
        """All digests on disk, by one walk over the folder."""
        return {Path(name).stem for _, _, names in os.walk(self.root) for name in names if not name.startswith(".")}

    def _stem(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):  # a manipulated store must not lead to files outside of the folder
            raise DamagedObjectError(f"{self.root}: '{printable(digest)[:80]}' is no digest of an image")
        return self.root / digest[:2] / digest


def is_object(name: str) -> bool:
    """Whether a file of this name belongs in a folder of objects."""
    return _FILE.fullmatch(name) is not None


def _read_plane(path: Path) -> Pixels:
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if dtype != np.float64 or len(shape) != 2:
                raise ValueError(f"holds {dtype} of shape {shape}")
            check_size(shape[1], shape[0], path)
        plane: Pixels = np.load(path, allow_pickle=False)
        return plane
    except ValueError as error:
        raise DamagedObjectError(f"{path}: cannot be read ({error})") from None
