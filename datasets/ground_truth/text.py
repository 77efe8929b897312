"""Transcriptions of images from the formats in which sets come: ICDAR folders, MMOCR's JSON, image and text by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from .kinds import TruthError, Word

_ILLEGIBLE = frozenset({"###", "*", "."})
"""What ICDAR, MMOCR and TextOCR write for text that nobody can read."""


def read_text_truth(path: Path) -> dict[str, tuple[Word, ...]]:
    """Image stem to its words.

    - A folder: one ``gt_NAME.txt`` or ``NAME.txt`` per image, lines ``x1,y1,...,x4,y4,text`` (ICDAR 2015) or
      ``x0,y0,x1,y1,"text"`` (ICDAR 2013); ``###`` is illegible.
    - ``.json``: MMOCR's (``data_list`` with ``img_path`` and ``instances``), or TextOCR's (``imgs`` and ``anns``).
    - Any other file: lines ``image<TAB>text`` or ``image text``; the whole image is one piece of text.

    Raises:
        TruthError: it cannot be read; the message names file and line.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix == ".txt")
        if not files:
            raise TruthError(f"{path}: no .txt files here; ICDAR's truth is one gt_NAME.txt for each image")
        return {file.stem.removeprefix("gt_"): _icdar(file) for file in files}
    text = _content(path)
    if path.suffix.lower() != ".json":
        return _lines(path, text)
    try:
        document = json.loads(text)
        if "data_list" in document:
            return {
                Path(item["img_path"]).stem: tuple(map(_mmocr, item["instances"])) for item in document["data_list"]
            }
        if "anns" in document and "imgs" in document:
            return _textocr(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise TruthError(f"{path}: cannot be read as text truth ({type(error).__name__}: {error})") from None
    raise TruthError(f"{path}: neither MMOCR's JSON (key 'data_list') nor TextOCR's (keys 'imgs' and 'anns')")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # ICDAR's files begin with a byte order mark
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: cannot be read ({error}); text truth is UTF-8") from None


def _icdar(path: Path) -> tuple[Word, ...]:
    words = []
    for number, line in enumerate(_content(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split(",", 8)
        corners = _numbers(fields[:8]) if len(fields) == 9 else None
        if corners is None:
            fields = line.split(",", 4) if line.count(",") >= 4 else line.split(maxsplit=4)
            box = _numbers(fields[:4]) if len(fields) == 5 else None
            if box is None:
                raise TruthError(f"{path}, line {number}: expected x1,y1,...,x4,y4,text or x0,y0,x1,y1,text")
            x0, y0, x1, y1 = box
            corners = [x0, y0, x1, y0, x1, y1, x0, y1]
        text = fields[-1].strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        words.append(_word(text, corners))
    return tuple(words)


def _numbers(fields: list[str]) -> list[float] | None:
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        return None
    return numbers if all(map(isfinite, numbers)) else None


def _word(text: str, corners: list[float], ignored: bool = False) -> Word:
    if not all(map(isfinite, corners)):
        raise ValueError(f"'{text}' has corners that are not finite")
    polygon = tuple(zip(corners[::2], corners[1::2], strict=True))
    return Word(text, polygon, ignored or text in _ILLEGIBLE)


def _mmocr(instance: Mapping[str, Any]) -> Word:
    corners = [float(value) for value in instance.get("polygon", ())]
    if not corners and "bbox" in instance:
        x0, y0, x1, y1 = map(float, instance["bbox"])
        corners = [x0, y0, x1, y0, x1, y1, x0, y1]
    return _word(instance.get("text", ""), corners, bool(instance.get("ignore", False)))


def _textocr(document: Mapping[str, Any]) -> dict[str, tuple[Word, ...]]:
    words: dict[str, list[Word]] = {str(image): [] for image in document["imgs"]}
    for annotation in document["anns"].values():
        words[str(annotation["image_id"])].append(
            _word(annotation["utf8_string"], [float(value) for value in annotation["points"]])
        )
    return {
        Path(entry.get("file_name", image)).stem: tuple(words[str(image)]) for image, entry in document["imgs"].items()
    }


def _lines(path: Path, text: str) -> dict[str, tuple[Word, ...]]:
    words_by_image: dict[str, tuple[Word, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        image, separator, transcription = line.partition("\t") if "\t" in line else line.partition(" ")
        if not separator or not transcription.strip():
            raise TruthError(f"{path}, line {number}: expected an image's name, a tab and its text")
        words_by_image[Path(image).stem] = (Word(transcription.strip()),)
    return words_by_image
