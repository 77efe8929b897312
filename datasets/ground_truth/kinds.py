"""Ground truth of one image: text, object instances or a label map, cut to the image that is compared with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BenchError
from ..images import ImageError, file_digest, load_upright, opened_image

Kind = Literal["text", "instances", "labels"]
VOID = 255
"""Label of pixels that count for nothing."""


class TruthError(BenchError, ValueError):
    """Ground truth that cannot be used; the message names file, cause and remedy."""


@dataclass(frozen=True)
class Word:
    """One piece of text."""

    text: str
    polygon: tuple[tuple[float, float], ...] = ()
    """Corners (x, y) in pixels of HR; empty: the whole image."""
    ignored: bool = False
    """Illegible or not to be read: neither finding nor missing it counts."""


@dataclass(frozen=True)
class Text:
    """What can be read in an image."""

    words: tuple[Word, ...]


@dataclass(frozen=True)
class Instances:
    """Objects in an image, in COCO's terms."""

    categories: Mapping[int, str]
    """Number to name of all categories of the set."""
    annotations: tuple[Mapping[str, Any], ...]
    """``category_id``, ``bbox`` (x, y, width, height), ``area``, ``iscrowd``, and perhaps ``segmentation``."""
    size: tuple[int, int]
    """Height and width that polygons and run lengths belong to."""


@dataclass(frozen=True)
class Labels:
    """A class for every pixel."""

    map: NDArray[np.uint8]
    """``[H, W]``; ``VOID`` is no class."""
    classes: tuple[str, ...]
    """Names of classes 0, 1, ...; empty: not known."""


Truth = Text | Instances | Labels


@dataclass(frozen=True)
class TruthSource:
    """Where the ground truth of one image is; small, and equal for equal truth."""

    kind: Kind
    record: str
    """JSON: words, annotations, or how a label file is to be read."""
    file: Path | None = None
    """Label map."""

    def digest(self) -> str:
        """What score keys carry; a path is not in it.

        Raises:
            TruthError: the file cannot be read.
        """
        content = hashlib.sha256(self.record.encode()).hexdigest()
        return content if self.file is None else f"{content[:32]}{_digest_of(self.file)[:32]}"

    def load(self, height: int, width: int) -> Truth:
        """The truth of the image's upper left ``height x width`` pixels (HR is cut to a multiple of the scale).

        Raises:
            TruthError: the file cannot be read, or is smaller than the image.
        """
        record = json.loads(self.record)
        if self.kind == "text":
            return Text(tuple(_word(word) for word in record))
        if self.kind == "instances":
            names = {int(number): name for number, name in record["categories"].items()}
            return Instances(names, tuple(record["annotations"]), (record["size"][0], record["size"][1]))
        assert self.file is not None
        labels = read_labels(self.file, void=record["void"], zero_is_void=record["zero_is_void"])
        if labels.shape[0] < height or labels.shape[1] < width:
            raise TruthError(
                f"{self.file} is {labels.shape[1]}x{labels.shape[0]} pixels, its image {width}x{height};"
                " label maps have the size of HR"
            )
        return Labels(labels[:height, :width], tuple(record["classes"]))


def text_source(words: tuple[Word, ...]) -> TruthSource:
    """Words as a source."""
    record = [{"text": word.text, "polygon": word.polygon, "ignored": word.ignored} for word in words]
    return TruthSource("text", json.dumps(record, ensure_ascii=False))


def instances_source(
    categories: Mapping[int, str], annotations: tuple[Mapping[str, Any], ...], size: tuple[int, int]
) -> TruthSource:
    """COCO annotations of one image as a source; ``size`` is height, width."""
    recorded_keys = ("category_id", "bbox", "area", "iscrowd", "segmentation")
    rows = [{key: annotation[key] for key in recorded_keys if key in annotation} for annotation in annotations]
    return TruthSource("instances", json.dumps({"categories": categories, "annotations": rows, "size": size}))


def labels_source(
    file: Path, *, classes: tuple[str, ...] = (), void: tuple[int, ...] = (VOID,), zero_is_void: bool = False
) -> TruthSource:
    """A label map as a source.

    Args:
        void: values in the file that are no class.
        zero_is_void: 0 is no class, and class n is stored as n + 1 (ADE20K).
    """
    record = {"classes": classes, "void": sorted(void), "zero_is_void": zero_is_void}
    return TruthSource("labels", json.dumps(record, ensure_ascii=False), file)


def read_labels(path: Path, *, void: tuple[int, ...] = (VOID,), zero_is_void: bool = False) -> NDArray[np.uint8]:
    """A label map ``[H, W]``: the numbers in a grey or palette PNG, void ones as ``VOID``.

    Raises:
        TruthError: the file cannot be read or is no label map.
    """
    try:
        with opened_image(path) as image:
            load_upright(image)
            mode, raw = image.mode, np.array(image)
    except ImageError as error:
        raise TruthError(f"label map {error}") from None
    if raw.ndim != 2 or mode == "1" or mode.startswith("F"):
        raise TruthError(
            f"{path}: has colour mode {mode}; a label map holds one class number per pixel (grey or palette)"
        )
    if raw.min() < 0 or raw.max() > VOID:
        raise TruthError(f"{path}: has label {int(raw.max())}; labels go from 0 to {VOID}")
    labels = raw.astype(np.uint8)
    nothing = np.isin(labels, np.asarray(void, dtype=np.int64))
    if zero_is_void:
        nothing |= labels == 0
        labels = labels - 1  # 0 wraps to 255, which is VOID anyway
    labels[nothing] = VOID
    return labels


def _word(record: Mapping[str, Any]) -> Word:
    corners = tuple((float(x), float(y)) for x, y in record["polygon"])
    return Word(record["text"], corners, record["ignored"])


def _digest_of(path: Path) -> str:
    try:
        state = path.stat()
        return _digest(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror}); check that the file is there") from None


@lru_cache(maxsize=100_000)  # every method and metric of a set asks for the same files
def _digest(path: Path, changed: int, size: int) -> str:
    return file_digest(path)
