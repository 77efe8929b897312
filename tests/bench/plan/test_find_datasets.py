"""Datasets of other people: cards anywhere, and code that gives files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.plan.find_datasets import find_dataset
from asasr_bench.bench.spec import DatasetEntry, load_spec
from asasr_bench.datasets.card import load_card
from asasr_bench.datasets.errors import DatasetError, DatasetMissingError
from asasr_bench.datasets.images import write_png

CARD = "{id: Mine, title: T, kind: paired, count: 2, licence: CC0, scales: [2], hr: HR, lq: 'LQ{scale}'}"
CODE = """
from pathlib import Path

HERE = Path(__file__).parent
PAIRS = [("HR/b.png", "LQ2/b.png"), (HERE / "HR" / "a.png", "LQ2/a.png")]
CARD = "card.yaml"

class Part:
    def __init__(self, scale, images=("a",)):
        self.scale, self.images = scale, images

    def __iter__(self):
        for image in self.images:
            yield f"HR/{image}.png", f"LQ{self.scale}/{image}.png"

def without_lq(): return [(f"HR/{image}.png", None) for image in "ab"]
def without_hr(): return [(None, f"LQ2/{image}.png") for image in "ab"]
def nothing(): return []
def number(): return 1
def one_side(): return [("HR/a.png",)]
def odd(): return [(1, "LQ2/a.png")]
def gone(): return [("HR/c.png", None)]
def twice(): return [("HR/a.png", None), ("LQ2/a.png", None)]
def mixed(): return [("HR/a.png", None), ("HR/b.png", "LQ2/b.png")]
def broken():
    yield "HR/a.png", None
    1 / 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card, code and images in one folder, which is not the working folder."""
    folder = tmp_path / "set"
    for name in "ab":
        for side, size in (("HR", 16), ("LQ2", 8)):
            write_png(folder / side / f"{name}.png", np.full((size, size, 3), ord(name), np.uint8))
    (folder / "card.yaml").write_text(CARD)
    (folder / "code.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASASR_BENCH_DATA", str(tmp_path / "data"))
    return folder


def images(dataset) -> list[tuple[str, Path | None, Path | None]]:
    return [(sample.image, sample.hr, sample.lq) for sample in dataset.samples]


def test_a_card_works_from_any_path(folder: Path, tmp_path: Path, session) -> None:
    """Beside its images, or with its images where 'data fetch' puts them."""
    beside = find_dataset("set/card.yaml", 2)
    assert images(beside) == [(name, folder / "HR" / f"{name}.png", folder / "LQ2" / f"{name}.png") for name in "ab"]
    assert (beside.name, beside.card) == ("Mine", load_card("set/card.yaml"))
    elsewhere = tmp_path / "cards"
    elsewhere.mkdir()
    (folder / "card.yaml").rename(elsewhere / "card.yaml")
    with pytest.raises(DatasetMissingError, match=r"data/Mine/HR"):
        find_dataset("cards/card.yaml", 2)
    (tmp_path / "data").mkdir()
    folder.rename(tmp_path / "data" / "Mine")
    assert images(find_dataset("cards/card.yaml", 2))[0][1] == tmp_path / "data" / "Mine" / "HR" / "a.png"
    assert "paired" in session("show", "cards/card.yaml").out
    assert "4 files" in session("data", "verify", "cards/card.yaml").out
    with pytest.raises(DatasetError, match="exists for scale 2, not 4"):
        find_dataset("cards/card.yaml", 4)


def test_the_files_of_somebodys_card_are_fetched(tmp_path: Path, session, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its own list of files, which is beside the card."""
    monkeypatch.setenv("ASASR_BENCH_DATA", str(tmp_path / "data"))
    write_png(tmp_path / "web" / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "own.yaml").write_text(
        "{id: Own, title: T, kind: hq, count: 1, licence: CC0, hr: HR, sources: [{url: 'https://x.org', list: true}]}"
    )
    (tmp_path / "Own.files").write_text("- a.png HR/a.png\n")
    result = session("data", "fetch", "own.yaml", "--from", "web")
    assert result.status == 0, result.err
    assert [sample.image for sample in find_dataset("own.yaml", 2).samples] == ["a"]
    (tmp_path / "Own.files").write_text("a.png HR/a.png\n")
    assert "each line is SHA256" in session("data", "fetch", "own.yaml", "--from", "web").err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("id: Mine", "id: Set5"), "has a card 'Set5' itself"),
        (("licence: CC0", "licence: CC0, builder: 'drawn.toys:build'"), "'builder' is for sets of asasr-bench"),
        (("count: 2", "count: 3"), "has 2 images, its card says 3"),
        (("kind: paired", "kind: pair"), "card.yaml.*'kind'"),
        (("hr: HR", "hr: ../HR"), "leads out of the set's folder"),
    ],
)
def test_wrong_cards_are_told(changes: tuple[str, str], told: str, folder: Path) -> None:
    (folder / "card.yaml").write_text(CARD.replace(*changes))
    with pytest.raises(DatasetError, match=told):
        find_dataset("set/card.yaml", 2)


@pytest.mark.parametrize("reference", ["set/code.py:PAIRS", "D=set/code.py:PAIRS", "set/code.py:CARD"])
def test_code_gives_pairs_or_a_card(reference: str, folder: Path) -> None:
    dataset = find_dataset(reference, 2)
    assert images(dataset) == [(name, folder / "HR" / f"{name}.png", folder / "LQ2" / f"{name}.png") for name in "ab"]
    assert dataset.name == {"D": "D", "s": "PAIRS"}[reference[0]] if "PAIRS" in reference else "Mine"
    assert dataset.lq_rule == "files"


def test_code_with_arguments_knows_the_scale(folder: Path) -> None:
    entry = DatasetEntry(object="./set/code.py:Part", args={"images": ["b"]}, name="part")
    assert images(find_dataset(entry, 2)) == [("b", folder / "HR" / "b.png", folder / "LQ2" / "b.png")]
    with pytest.raises(DatasetError, match=r"no image .*LQ3.b\.png"):
        find_dataset(entry, 3)


def test_code_beside_a_spec(folder: Path, tmp_path: Path) -> None:
    """By file, by module and by card, whatever the working folder is."""
    (folder / "spec.yaml").write_text(
        "{name: s, protocol: asasr, metrics: [psnr_y], datasets: [card.yaml, P=./code.py:PAIRS, 'code:without_lq',"
        " {object: 'code:Part', args: {images: [a]}}]}"
    )
    datasets = [find_dataset(entry, 2) for entry in load_spec(folder / "spec.yaml").datasets]
    assert [dataset.name for dataset in datasets] == ["Mine", "P", "without_lq", "Part"]
    assert {sample.hr for dataset in datasets for sample in dataset.samples} == {
        folder / "HR" / "a.png",
        folder / "HR" / "b.png",
    }


def test_lq_is_made_from_hr_or_given_alone(folder: Path) -> None:
    assert find_dataset("set/code.py:without_lq", 2).lq_rule == "matlab-bicubic"
    assert find_dataset("set/code.py:without_lq", 4, "degradation:realesrgan-x4").lq_rule.startswith("degradation:")
    assert [hr for _, hr, _ in images(find_dataset("set/code.py:without_hr", 2))] == [None, None]
    with pytest.raises(DatasetError, match="LQ images are given"):
        find_dataset("set/code.py:PAIRS", 2, "matlab-bicubic")


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("set/code.py:nothing", "gives no images"),
        ("set/code.py:number", "it returns int"),
        ("set/code.py:one_side", "no pair"),
        ("set/code.py:odd", "HR and LQ are paths"),
        ("set/code.py:gone", r"no image .*c\.png"),
        ("set/code.py:twice", "several images are called a"),
        ("set/code.py:mixed", "others have not"),
        ("set/code.py:broken", "ZeroDivisionError"),
        ("set/code.py:missing", "has no attribute"),
        ("set/none.py:PAIRS", "no file"),
        ("Set5=set/code.py:PAIRS", "has a card 'Set5' itself"),
        ("set/none.yaml", "cannot be read"),
    ],
)
def test_what_gives_no_dataset_says_why(reference: str, told: str, folder: Path) -> None:
    with pytest.raises(DatasetError, match=told):
        find_dataset(reference, 2)


@pytest.mark.parametrize(
    "entry", [{}, {"name": "D"}, {"object": "a:b", "hr": "x"}, {"hr": "x"}, {"name": "D", "hr": "x", "args": {"a": 1}}]
)
def test_wrong_mappings_are_refused(entry: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give|goes with"):
        DatasetEntry.model_validate(entry)
