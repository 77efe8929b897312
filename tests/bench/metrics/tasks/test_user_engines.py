"""Engines of other people, named in the id of a metric."""

from __future__ import annotations

from pathlib import Path

import pytest
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.metrics.registry import get_metric, metrics_of
from asasr_bench.bench.metrics.tasks.catalogue import TaskId

CODE = """
import numpy as np

class Reader:
    weight_files = ()
    def __init__(self, certain=0.5): self.certain = certain
    def read(self, images, *, one_word): return [() for _ in images]

class Finder:
    name, title = "finder", "My finder"
    weight_files = ("weights.bin",)
    def detect(self, images): return [() for _ in images]

class Taken(Reader): name = "tesseract"
class Colon(Reader): name = "a:b"
class Broken(Reader):
    def __init__(self): 1 / 0
READER = Reader()
"""


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CODE)
    return tmp_path / "own.py"


@pytest.mark.parametrize(
    ("id", "stored"),
    [
        ("ocr_recall:./own.py:Reader", "ocr_recall:Reader"),
        ("ocr_f:own:READER:hr", "ocr_f:READER:hr"),
        ({"object": "ocr_recall:own:Reader", "args": {"certain": 0.1}, "name": "lenient"}, "ocr_recall:lenient"),
        ("ap_box:own:Finder:hr", "ap_box:finder:hr"),
    ],
)
def test_ids_hold_a_name_and_no_place(id: object, stored: str) -> None:
    metric = get_metric(id)
    assert metric.id == stored
    assert metric.code is not None
    assert metric.code.text.count("/own.py:") == 1


def test_code_arguments_and_files_are_the_identity(code: Path, tmp_path: Path) -> None:
    """The same rule as for metrics: whatever changes is measured again, and nothing else is."""
    versions = [get_metric({"object": "ocr_f:own:Reader", "args": {"certain": c}}).card.version for c in (0, 1, 1)]
    assert versions[0] != versions[1] == versions[2]
    finder = get_metric("ap_box:./own.py:Finder")
    assert "weights.bin" in finder.missing()
    (tmp_path / "weights.bin").write_bytes(b"1")
    one = get_metric("ap_box:./own.py:Finder")
    (tmp_path / "weights.bin").write_bytes(b"2")
    assert get_metric("ap_box:./own.py:Finder").weights() not in ("", one.weights())
    assert one.card.title == "AP box (My finder)" or "My finder" in one.card.title
    code.write_text(CODE.replace("certain=0.5", "certain=0.6"))
    assert get_metric("ocr_f:./own.py:Reader").card.version != versions[0]
    code.write_text(CODE.replace("    weight_files = ()\n", "", 1))
    assert "identity incomplete" in get_metric("ocr_f:./own.py:Reader").card.note


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("miou:own:Reader", "a segmenter has"),
        ("ocr_f:own:Finder", "a reader of text has"),
        ("ocr_f:own:Taken", "has an engine .tesseract. itself"),
        ("ocr_f:own:Colon", "colon"),
        ("ocr_f:own:Broken", "ZeroDivisionError"),
        ("ocr_f:own:missing", "has no attribute"),
        ("ocr_f:./none.py:Reader", "no file"),
        ("ocr_f:tesserakt", "did you mean 'tesseract'"),
        ("ocr_f:tesseract:own", "there may be ':hr'"),
        ("miou", "needs an engine"),
        ({"object": "ocr_f:tesseract", "args": {"certain": 1}}, "go with an engine of your own"),
    ],
)
def test_what_is_no_engine_says_why(id: object, told: str) -> None:
    with pytest.raises(MetricError, match=told):
        get_metric(id)


def test_parts_of_ids_come_together_again() -> None:
    for id in ("ocr_f:rapidocr", "miou:transformers/a/b:hr", "ap_box:yolo/x.pt", "ocr_f:./a.py:B", "miou:a.b:c.d:hr"):
        assert TaskId.parse(id).text == id
    assert TaskId.parse("ocr_f:hr").text == "ocr_f:rapidocr:hr"


def test_a_store_is_read_without_the_engine(code: Path) -> None:
    """Values of sets come from the store's counts and the package's own rules."""
    metric = get_metric("ocr_recall:own:Reader")
    code.unlink()
    card = MetricCard(metric.id, metric.card.title, combined=True, direction="higher", version=metric.card.version)
    known = metrics_of([metric.id], {metric.id: card})[metric.id]
    assert known.card == card
    assert known.of_set is not None
    assert "not one of this installation" in known.missing()
