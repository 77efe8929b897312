"""What an engine is: something that reads, segments or detects, found by name and loaded once per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .reading import Polygon, Reading

Image = NDArray[np.uint8]
"""RGB ``[H, W, 3]``."""


class EngineError(ValueError):
    """An engine that does not exist or cannot be used; the message says what to do."""


@runtime_checkable
class TextReader(Protocol):
    """Reads images."""

    def read(self, image: Image, *, one_word: bool) -> tuple[Reading, ...]:
        """What is written in an image; ``one_word``: it is a crop of a word, which need not be searched for."""


@runtime_checkable
class Segmenter(Protocol):
    """Gives every pixel a class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes 0, 1, ..."""

    def segment(self, image: Image) -> NDArray[np.uint8]:
        """Class of every pixel ``[H, W]``."""


@dataclass(frozen=True)
class Detection:
    """An object that an engine found."""

    category: str
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels."""
    score: float
    mask: NDArray[np.bool_] | None = field(default=None, compare=False)
    """``[H, W]``, where the engine gives masks."""


@runtime_checkable
class Detector(Protocol):
    """Finds objects."""

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """Objects, at most 100 or as many as the engine gives, in any order."""


AnyEngine = TextReader | Segmenter | Detector
Entry = TypeVar("Entry", bound=AnyEngine, covariant=True)


@dataclass(frozen=True)
class EngineEntry:
    """An engine that was found but not loaded; making one imports nothing heavy."""

    name: str
    """``rapidocr``, ``yolo/yolo11n.pt``, ..."""
    title: str
    """As tables call it."""
    version: str
    """Of our code and of the library: part of every score key."""
    load: Callable[[], AnyEngine]
    missing: Callable[[], str] = field(default=lambda: "", compare=False)
    """Why it cannot be used here and what to do; '' if it can."""
    weights: Callable[[], str] = field(default=lambda: "", compare=False)
    """Digest of its weight files; '' without any."""


def library_version(distribution: str) -> str:
    """Version of an installed distribution; '' where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def not_installed(module: str, extra: str, note: str = "") -> str:
    """What to tell where a module is missing; '' where it is there."""
    from importlib.util import find_spec

    if find_spec(module) is not None:
        return ""
    return f"{module} is not installed; install the extra: pip install 'asasr-bench[{extra}]'{note}"


@lru_cache(maxsize=2)  # a worker measures with one or two engines at a time
def _loaded(load: Callable[[], AnyEngine]) -> AnyEngine:
    return load()


def engine_of(entry: EngineEntry) -> Any:
    """The engine, loaded once per process."""
    return _loaded(entry.load)


class Memory:
    """The last findings by key: HR images come back with every method."""

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._found: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, find: Callable[[], Any]) -> Any:
        """What was found under this key, or what ``find`` finds now."""
        if key not in self._found:
            self._found[key] = find()
            if len(self._found) > self._size:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]


__all__ = [
    "AnyEngine", "Detection", "Detector", "EngineEntry", "EngineError", "Image", "Memory", "Polygon", "Reading",
    "Segmenter", "TextReader", "engine_of", "library_version", "not_installed",
]  # fmt: skip
