"""OCR engines with their published weights on photographed words and scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.metrics.tasks.engine import TextReader, engine_of
from asasr_bench.bench.metrics.tasks.ocr.engines import EasyOcrReader, RapidOcrReader, TesseractReader, readers
from asasr_bench.bench.metrics.tasks.ocr.rules import COLUMNS, score_text
from asasr_bench.datasets.ground_truth.kinds import Text, Word
from asasr_bench.datasets.ground_truth.text import read_text_truth
from asasr_bench.datasets.images import as_rgb, read_image

_CLOVA = {
    "demo_1": "Available",
    "demo_2": "SHAKESHACK",
    "demo_3": "London",
    "demo_4": "Greenstead",
    "demo_5": "TOAST",
    "demo_6": "MERRY",
    "demo_7": "underground",
    "demo_8": "RONALDO",
    "demo_9": "BALLY",
    "demo_10": "UNIVERSITY",
}
"""What is written in the demo images of deep-text-recognition-benchmark."""


def _engine(name: str) -> TextReader:
    entry = readers()[name]
    if entry.missing():
        pytest.skip(entry.missing())
    engine = engine_of(entry)
    assert isinstance(engine, TextReader)
    return engine


def _words(shared: Path) -> list[tuple[Path, str]]:
    root = shared / "data" / "TextToy"
    crops = read_text_truth(root / "rec_toy_dataset" / "labels.json")
    result = [(root / "rec_toy_dataset" / "imgs" / f"{stem}.jpg", words[0].text) for stem, words in crops.items()]
    return result + [(path, _CLOVA[path.stem]) for path in sorted((root / "clova_demo").iterdir())]


def _counted(engine: TextReader, images: list[tuple[Path, Text]], *, one_word: bool) -> dict[str, float]:
    sums = np.zeros(len(COLUMNS))
    for path, truth in images:
        (read,) = engine.read([as_rgb(read_image(path))], one_word=one_word)
        sums += score_text(truth, read)
    return dict(zip(COLUMNS, sums.tolist(), strict=True))


# The numbers were measured with EasyOCR 1.7.2 by calling it directly, with the grey of cv2.cvtColor(RGB2GRAY):
# 7 of 20 words; with red and blue exchanged, as it makes grey of an RGB array, 5. RapidOCR reads 15, Tesseract 5.3 4.
@pytest.mark.parametrize(
    ("name", "least", "one_ned"), [("easyocr", 7, 0.60), ("rapidocr", 14, 0.90), ("tesseract", 3, 0.45)]
)
def test_words_are_read(name: str, least: int, one_ned: float, shared: Path, request: pytest.FixtureRequest) -> None:
    if name == "easyocr":
        request.getfixturevalue("published_weights")
    words = [(path, Text((Word(text),))) for path, text in _words(shared)]
    counts = _counted(_engine(name), words, one_word=True)
    assert counts["images"] == 20
    assert counts["image right"] >= least
    assert counts["similarity"] / counts["similarity of"] > one_ned


def test_easyocr_sees_the_grey_of_red_and_blue_letters(published_weights: Path) -> None:
    """The same letters in another order of channels have another grey, and must not be read as each other."""
    engine = _engine("easyocr")
    assert isinstance(engine, EasyOcrReader)
    recorded = []
    original = engine._engine.recognize
    engine._engine.recognize = lambda grey, *regions: recorded.append(grey) or original(grey, *regions)
    try:
        engine.read([np.full((40, 120, 3), (200, 100, 0), dtype=np.uint8)], one_word=True)
    finally:
        engine._engine.recognize = original
    assert int(recorded[0][0, 0]) == pytest.approx(0.299 * 200 + 0.587 * 100, abs=1)  # ITU-R BT.601; 81 as BGR


@pytest.mark.slow
def test_regions_of_easyocr_count_at_its_own_confidence(shared: Path, published_weights: Path) -> None:
    """Its confidences of the right regions of this scene begin at 0.05; at 0.5 hardly one is left."""
    root = shared / "data" / "TextToy" / "det_toy_dataset"
    truth = Text(read_text_truth(root / "textdet_test.json")["img_1"])
    (read,) = _engine("easyocr").read([as_rgb(read_image(root / "imgs" / "test" / "img_1.jpg"))], one_word=False)
    paired = [
        dict(zip(COLUMNS, score_text(truth, kept), strict=True))["regions paired"]
        for kept in (read, [one for one in read if one.confidence >= 0.5])
    ]
    assert paired == [4, 1]


def test_each_engine_has_its_own_confidence_in_its_version() -> None:
    versions = {name: entry.version.rpartition(" ")[2] for name, entry in readers().items()}
    assert versions == {"rapidocr": "0.5", "tesseract": "0.5", "easyocr": "0.0"}


@pytest.mark.parametrize(
    ("name", "kind", "scene"), [("rapidocr", RapidOcrReader, "img_1"), ("tesseract", TesseractReader, "img_6")]
)
def test_what_an_engine_doubts_does_not_count(name: str, kind: type[RapidOcrReader], scene: str, shared: Path) -> None:
    """Each keeps, of what it finds in a scene, what is at least as certain as asked for."""
    _engine(name)
    path = shared / "data" / "TextToy" / "det_toy_dataset" / "imgs" / "test" / f"{scene}.jpg"
    image = as_rgb(read_image(path))
    everything, certain = (kind(least).read([image], one_word=False)[0] for least in (0.0, 0.9))
    assert [one.text for one in certain] == [one.text for one in everything if one.confidence >= 0.9]
    assert len(certain) < len(everything)
