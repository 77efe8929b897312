"""What was computed of HR alone, in a folder of small files: another method, worker or run reads it there.

A file holds one result under the digest of all that determines it. Nothing depends on the folder: what is absent,
damaged or not writable is computed, and any file may be removed at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import write_atomically
from ...datasets.user_folders import user_folder

Result = TypeVar("Result")

LIMIT = 1 << 29
"""Bytes of all files; beyond it those go that were not read for the longest time."""
_FORMAT = "1"
_CHECKSUM = 32  # bytes, before all else
_SHARE_LEFT = 0.8  # of the limit, where files had to go
WRITES_BETWEEN_COUNTS = 256
"""Once in so many writes, on average, the files are counted."""


class KeptResults:
    """Results by what determines them.

    Args:
        folder: of the files; it is made with the first of them.
        types: dataclasses that results consist of, beside arrays, tuples, lists, text, numbers and None.
        limit: see ``LIMIT``.
    """

    def __init__(self, folder: Path, types: tuple[type, ...] = (), limit: int = LIMIT) -> None:
        self._folder, self._limit = folder, limit
        self._types = {each.__name__: each for each in types}

    def of_image(self, image: NDArray[np.uint8], identity: tuple[str, ...], compute: Callable[[], Result]) -> Result:
        """The result of an image: the kept one, else what ``compute`` gives, which is kept.

        Args:
            image: all pixels that it depends on.
            identity: what else it depends on: what is computed, versions, digests of weights, the kind of device.
            compute: gives it.
        """
        about = json.dumps([_FORMAT, identity, image.shape, image.dtype.str]).encode()
        digest = hashlib.sha256(about + b"\n" + np.ascontiguousarray(image).tobytes()).hexdigest()
        path = self._folder / digest[:2] / digest[2:]
        kept = self._read(path)
        if kept is not None:
            result: Result = kept[0]
            return result
        result = compute()
        with suppress(TypeError, OSError):  # of another type; a full disk, a folder of somebody else
            write_atomically(path, self._packed(result))
            self._bound(path)
        return result

    def _read(self, path: Path) -> tuple[Any] | None:
        try:
            content = path.read_bytes()
            checksum, packed = content[:_CHECKSUM], content[_CHECKSUM:]
            if hashlib.sha256(packed).digest() != checksum:
                raise ValueError
            with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
                result = self._plain(json.loads(arrays["arr_0"].tobytes()), arrays)
        except OSError:
            return None
        except (ValueError, KeyError, TypeError):  # damaged, or of a version with other fields
            return None
        with suppress(OSError):
            os.utime(path)
        return (result,)

    def _packed(self, result: object) -> bytes:
        arrays: list[NDArray[Any]] = []
        facts = np.frombuffer(json.dumps(self._described(result, arrays)).encode(), np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, facts, *arrays)  # by their numbers: arr_0, arr_1, ...
        packed = file.getvalue()
        return hashlib.sha256(packed).digest() + packed

    def _described(self, value: object, arrays: list[NDArray[Any]]) -> Any:
        """A value as JSON, with what JSON does not hold exactly among the arrays.

        Raises:
            TypeError: it is of a type that is not kept.
        """
        if value is None or type(value) in (str, bool, int, float):
            return value
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
            arrays.append(np.asarray(value))
            return {"array" if isinstance(value, np.ndarray) else "number": len(arrays)}
        if type(value) in (tuple, list):
            assert isinstance(value, tuple | list)
            return {type(value).__name__: [self._described(each, arrays) for each in value]}
        if is_dataclass(value) and type(value) in self._types.values():
            parts = {each.name: self._described(getattr(value, each.name), arrays) for each in fields(value)}
            return {type(value).__name__: parts}
        raise TypeError(f"results of type {type(value).__name__} are not kept")

    def _plain(self, described: Any, arrays: Any) -> Any:
        """The value that was described."""
        if not isinstance(described, dict):
            return described
        ((kind, content),) = described.items()
        if kind in ("array", "number"):
            array = arrays[f"arr_{content}"]
            return array if kind == "array" else array[()]
        if kind in ("tuple", "list"):
            values = [self._plain(each, arrays) for each in content]
            return tuple(values) if kind == "tuple" else values
        return self._types[kind](**{name: self._plain(part, arrays) for name, part in content.items()})

    def _bound(self, written: Path) -> None:
        """Remove what was not read for long, where there is too much; looked at with one write of many."""
        if int(written.name[-8:], 16) % WRITES_BETWEEN_COUNTS:
            return
        sizes = sorted(self._sizes())
        total = sum(size for _, size, _ in sizes)
        if total <= self._limit:
            return
        for _, size, path in sizes:
            if total <= _SHARE_LEFT * self._limit:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _sizes(self) -> Iterator[tuple[float, int, Path]]:
        """Time of the last reading, bytes and path of every file."""
        for path in self._folder.glob("??/*"):
            with suppress(OSError):  # another worker removed it
                status = path.stat()
                yield status.st_mtime, status.st_size, path


def kept_of_hr(*types: type) -> KeptResults:
    """Those of this user: in the folder that ``ASASR_BENCH_HR`` names, else in the cache folder."""
    return KeptResults(user_folder("hr", "ASASR_BENCH_HR"), types)
