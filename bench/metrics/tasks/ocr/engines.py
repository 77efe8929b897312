"""Engines that read text: RapidOCR, Tesseract and EasyOCR. None of them downloads anything."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .....datasets.fetch.digests import digest_of
from .....datasets.images import file_digest
from .....methods.weights.files import WeightsError, find, weight_file
from ...requirements import library_version, not_installed
from ..engine import EngineEntry, Image, TextReader
from .rules import Polygon, Reading

VERSION = "3"


class RapidOcrReader:
    """PP-OCR through ONNX Runtime; the models lie in the wheel.

    Args:
        certain: least confidence of what counts in an image that was searched: the mean of its signs' probabilities.
    """

    def __init__(self, certain: float) -> None:
        from rapidocr import RapidOCR

        self._certain = certain
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        settings = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"}
        self._engine = RapidOCR(params=settings)

    def read(self, images: Sequence[Image], *, one_word: bool) -> list[tuple[Reading, ...]]:
        """See ``TextReader``; the engine takes one image at a time."""
        return [self._read(image, one_word) for image in images]

    def _read(self, image: Image, one_word: bool) -> tuple[Reading, ...]:
        least = 0.0 if one_word else self._certain
        bgr = np.ascontiguousarray(image[..., ::-1])
        result = self._engine(bgr, use_det=not one_word, use_cls=False, text_score=least)
        if not result.txts:
            return ()
        boxes = [()] * len(result.txts) if one_word else [_corners(box) for box in result.boxes]
        rows = zip(result.txts, boxes, result.scores, strict=True)
        return tuple(Reading(text, box, float(score)) for text, box, score in rows if score >= least)


class TesseractReader:
    """Tesseract's LSTM through its command line program.

    Args:
        certain: least confidence of what counts in an image that was searched: that of its worst sign.
    """

    def __init__(self, certain: float) -> None:
        self._certain = certain

    def read(self, images: Sequence[Image], *, one_word: bool) -> list[tuple[Reading, ...]]:
        """See ``TextReader``; page segmentation 8 (one word) or 11 (sparse text)."""
        return [self._read(image, one_word) for image in images]

    def _read(self, image: Image, one_word: bool) -> tuple[Reading, ...]:
        import pytesseract
        from PIL import Image as Picture

        mode, least = (8, 0.0) if one_word else (11, self._certain)
        table = pytesseract.image_to_data(
            Picture.fromarray(image), lang="eng", config=f"--oem 1 --psm {mode}", output_type=pytesseract.Output.DICT
        )
        rows = zip(*(table[key] for key in ("text", "conf", "left", "top", "width", "height")), strict=True)
        readings = []
        for text, confidence, left, top, width, height in rows:
            if text.strip() and float(confidence) / 100 >= least:
                right, bottom = left + width, top + height
                box: Polygon = ((left, top), (right, top), (right, bottom), (left, bottom))
                readings.append(Reading(text, () if one_word else box, float(confidence) / 100))
        return tuple(readings)


class EasyOcrReader:
    """CRAFT and CRNN through EasyOCR, from files that were verified before.

    Args:
        certain: least confidence of what counts in an image that was searched: the product of its signs' probabilities
            to the power of 2 / sqrt(signs), which falls with the length of a text.
    """

    def __init__(self, folder: Path, device: str, certain: float) -> None:
        import easyocr

        self._certain = certain
        self._engine = easyocr.Reader(
            ["en"],
            gpu=False if device == "cpu" else device,
            model_storage_directory=str(folder),
            user_network_directory=str(folder),
            download_enabled=False,
            verbose=False,
            quantize=False,  # numbers would depend on the device
        )

    def read(self, images: Sequence[Image], *, one_word: bool) -> list[tuple[Reading, ...]]:
        """See ``TextReader``."""
        return [self._read(image, one_word) for image in images]

    def _read(self, image: Image, one_word: bool) -> tuple[Reading, ...]:
        """CRAFT sees RGB and the CRNN grey, as when EasyOCR reads a file; it would make grey of arrays as if BGR."""
        import cv2

        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        regions = () if one_word else [boxes[0] for boxes in self._engine.detect(image)]
        with warnings.catch_warnings():  # its loader of batches always asks for pinned memory, and torch warns of it
            warnings.filterwarnings("ignore", "'pin_memory'", UserWarning)
            result = self._engine.recognize(grey, *regions)
        least = 0.0 if one_word else self._certain
        return tuple(
            Reading(text, () if one_word else _corners(box), float(score))
            for box, text, score in result
            if score >= least
        )


def readers() -> dict[str, EngineEntry]:
    """All readers by name."""
    entries = (
        _entry(
            "rapidocr",
            "RapidOCR",
            library_version("rapidocr"),
            _RAPIDOCR_CERTAIN,
            lambda _: RapidOcrReader(_RAPIDOCR_CERTAIN),
            _rapidocr_missing,
            _rapidocr_weights,
        ),
        _entry(
            "tesseract",
            "Tesseract",
            _tesseract_version(),
            _TESSERACT_CERTAIN,
            lambda _: TesseractReader(_TESSERACT_CERTAIN),
            _tesseract_missing,
            _tesseract_weights,
        ),
        _entry(
            "easyocr",
            "EasyOCR",
            library_version("easyocr"),
            _EASYOCR_CERTAIN,
            lambda device: EasyOcrReader(_easyocr_files()[0].parent, device, _EASYOCR_CERTAIN),
            _easyocr_missing,
            lambda: _digests(_easyocr_files()),
        ),
    )
    return {entry.name: entry for entry in entries}


_RAPIDOCR_CERTAIN = 0.5
"""``text_score`` of RapidOCR's own configuration."""
_TESSERACT_CERTAIN = 0.5
"""The middle of its scale: it has no threshold of its own. Of the drawn notes of ``reading``, F of words is 49.6 at 0,
51.0 here and 52.0 at 0.7; in MMOCR's ten photographed scenes it finds 156, 39 and 13 regions where 21 are."""
_EASYOCR_CERTAIN = 0.0
"""EasyOCR drops nothing that it read, and its scale falls with the length of a text: of MMOCR's scenes, F of regions is
75.0 here and 38.5 at 0.5."""


def _entry(
    name: str,
    title: str,
    library: str,
    certain: float,
    load: Callable[[str], TextReader],
    missing: Callable[[], str],
    weights: Callable[[], str],
) -> EngineEntry:
    """An entry whose version names the library and the confidence from which its readings count."""
    version = f"{VERSION}, {name} {library}, confidence from {certain}"
    return EngineEntry(name, title, version, load, missing=missing, weights=weights)


def _corners(box: Any) -> Polygon:
    return tuple((float(x), float(y)) for x, y in box)


def _rapidocr_missing() -> str:
    return not_installed("rapidocr", "ocr") or not_installed("onnxruntime", "ocr")


@lru_cache(maxsize=1)
def _rapidocr_weights() -> str:
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        return ""
    return _digests(sorted(Path(spec.origin).parent.glob("models/*.onnx")))


def _digests(files: list[Path]) -> str:
    return hashlib.sha256("".join(map(digest_of, files)).encode()).hexdigest()[:32] if files else ""


@lru_cache(maxsize=1)
def _tesseract_version() -> str:
    """First line of ``tesseract --version``; '' where there is no program."""
    import shutil
    import subprocess

    if shutil.which("tesseract") is None:
        return ""
    result = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).splitlines()[0].removeprefix("tesseract ").strip()


def _tesseract_missing() -> str:
    if not _tesseract_version():
        return "the program tesseract is missing; install it (Debian: apt-get install tesseract-ocr)"
    if _tesseract_data() is None:
        return "tesseract has no English data (eng.traineddata); install it (Debian: tesseract-ocr-eng)"
    return not_installed("pytesseract", "ocr")


@lru_cache(maxsize=1)
def _tesseract_data() -> Path | None:
    import os
    import subprocess

    result = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    head = (result.stdout or result.stderr).splitlines()[:1]
    folders = [os.environ.get("TESSDATA_PREFIX", ""), head[0].partition('"')[2].partition('"')[0] if head else ""]
    return next(
        (Path(folder, "eng.traineddata") for folder in folders if folder and Path(folder, "eng.traineddata").is_file()),
        None,
    )


@lru_cache(maxsize=1)
def _tesseract_weights() -> str:
    path = _tesseract_data() if _tesseract_version() else None
    return "" if path is None else file_digest(path)[:32]


_EASYOCR = ("easyocr-craft", "easyocr-english")


def _easyocr_files() -> list[Path]:
    """Both files, verified; none where one is missing."""
    files = [find(weight_file(id)) for id in _EASYOCR]
    return [path for path in files if path is not None] if all(files) else []


def _easyocr_missing() -> str:
    if problem := not_installed("easyocr", "ocr"):
        return problem
    try:
        for id in _EASYOCR:
            if find(weight_file(id)) is None:
                return f"weight file {weight_file(id).file} is missing; {weight_file(id).remedy}"
    except WeightsError as error:
        return str(error)
    return ""
