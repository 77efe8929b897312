"""What an engine is: something that reads, segments or detects, found by name and loaded once per process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ....datasets.errors import BenchError
from .ocr.rules import Reading

if TYPE_CHECKING:
    from torch import Tensor

Image = NDArray[np.uint8]
"""RGB ``[H, W, 3]``."""


class EngineError(BenchError, ValueError):
    """An engine that does not exist or cannot be used; the message says what to do."""


@runtime_checkable
class TextReader(Protocol):
    """Reads images."""

    def read(self, images: Sequence[Image], *, one_word: bool) -> list[tuple[Reading, ...]]:
        """What is written in each of some images of one size.

        ``one_word``: they are crops of a word, which need not be searched for, and are read at any confidence.
        """


@runtime_checkable
class Segmenter(Protocol):
    """Gives every pixel a class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes 0, 1, ..."""

    def segment(self, images: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """Class of every pixel ``[H, W]`` of each of some images of one size."""


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

    def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """Objects in each of some images of one size, at most 100 or as many as the engine gives, in any order."""


AnyEngine = TextReader | Segmenter | Detector


@dataclass(frozen=True)
class EngineEntry:
    """An engine that is known but not loaded, as a metric requires it; creating an entry imports nothing heavy."""

    name: str
    """``rapidocr``, ``yolo/yolo11n.pt``, ..."""
    title: str
    """As tables call it."""
    version: str
    """Of our code and of the library: part of every score key."""
    load: Callable[[str], AnyEngine] = field(compare=False)
    """From a device's name; engines that have no use for one run on the CPU."""
    missing: Callable[[], str] = field(default=lambda: "", compare=False)
    """Why it cannot be used here and what to do; '' if it can."""
    weights: Callable[[], str] = field(default=lambda: "", compare=False)
    """Digest of its weight files; '' without any."""
    note: str = ""
    """What a reader of its values must know."""
    kept: bool = True
    """What it finds in HR is kept on disk: its name, version and weights say all that determines it."""


def tensor_of(images: Sequence[Image], device: str) -> Tensor:
    """Images of one size as ``[B, 3, H, W]`` in [0, 1]."""
    import torch

    return torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float() / 255


@lru_cache(maxsize=2)  # a worker measures with one or two engines at a time
def _loaded(entry: EngineEntry, weights: str, device: str) -> AnyEngine:
    return entry.load(device)


def engine_of(entry: EngineEntry, device: str = "cpu") -> Any:
    """The engine, loaded once per process, and again when its weights have changed."""
    return _loaded(entry, entry.weights(), device)
