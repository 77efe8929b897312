"""YAML, JSON, cards and names that others wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asasr_bench.datasets.card import DatasetCard, parse_card
from asasr_bench.datasets.dataset import Dataset, Sample, folder_dataset, image_files
from asasr_bench.datasets.errors import DatasetError
from asasr_bench.datasets.ground_truth.instances import read_instances
from asasr_bench.datasets.ground_truth.kinds import TruthError
from asasr_bench.datasets.ground_truth.text import read_text_truth
from asasr_bench.datasets.names import leaves_folder, name_problem, printable
from asasr_bench.datasets.strict import YamlError, read_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import read_or_refused

CARD = "{id: Toy, title: Toy, kind: hq, count: 1, licence: none, hr: HR, %s}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: &a [1, 2]\n" + "".join(f"k{n}: &b{n} [{', '.join(['*' + ('a' if n == 0 else f'b{n - 1}')] * 9)}]\n"
                                     for n in range(9)), "stands for more than"),
        ("a: &a [*a]", "contains itself"),
        ("[" * 5000, "nested more than"),
        ("a: 1\nb: 2\na: 3", "key 'a' is there twice"),
        ("a: 2024-13-99", "month must be in"),
        ("a: [1", "line 1"),
        (r'a: "\ud800"', "surrogate"),
        ("#" * (5 << 20), "more than the"),
    ],
)  # fmt: skip
def test_yaml_makes_plain_values_within_bounds(text: str, said: str) -> None:
    with pytest.raises(YamlError, match=said) as error:
        read_yaml(text, "some.yaml")
    assert str(error.value).startswith("some.yaml: ")


def test_yaml_of_programs_with_aliases_is_read() -> None:
    assert read_yaml("a: &id001 [1, {b: 2}]\nc: *id001\nd: {e: *id001}", "x") == {
        "a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": {"e": [1, {"b": 2}]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    ["hr: ../HR", "hr: /etc", 'hr: "..\\\\HR"', "hr: C:/HR", "lq: a/../../b", "text: ../t.json", "labels: ../l",
     "instances: /i.json", "id: ../Toy", "id: ..", "sources: [{url: 'https://h/x.zip', unpack: {a: ../b}}]",
     "sources: [{url: 'https://h/x.zip', file: ../x.zip}]", "sources: [{url: 'file:///etc/passwd'}]"],
)  # fmt: skip
def test_cards_stay_in_their_folder(entry: str) -> None:
    text = CARD % entry if not entry.startswith(("hr", "id")) else (
        CARD.replace("hr: HR, ", "").replace("id: Toy, ", "" if entry.startswith("id") else "id: Toy, ") % entry
    )  # fmt: skip
    with pytest.raises(DatasetError, match=r"card\.yaml: '.*(leads out|would name a place outside|no web address)"):
        parse_card(text, "card.yaml")


_KEYS = "id title kind count licence hr lq sources url unpack void classes scales hq paired HR .. / &a *a 1e999 ~"
_WORDS = st.sampled_from(_KEYS.split(" "))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5),
    max_leaves=12,
)


_COCO = st.sampled_from(["images", "annotations", "categories", "data_list", "imgs", "anns"])


@settings(max_examples=100)
@given(st.dictionaries(_WORDS, _VALUES, max_size=8).map(json.dumps) | st.text(max_size=60))
def test_any_text_is_a_card_or_refused_by_name(text: str) -> None:
    with read_or_refused(DatasetError, "cards/Toy.yaml"):
        assert isinstance(parse_card(text, "cards/Toy.yaml"), DatasetCard)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=_VALUES.map(json.dumps) | st.text(max_size=60) | st.dictionaries(_COCO, _VALUES, min_size=3).map(json.dumps)
)
def test_any_text_is_ground_truth_or_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    for read in (read_instances, read_text_truth):
        with read_or_refused(TruthError, "truth.json"):
            read(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": [{"id": 1e999}], "annotations": [], "categories": []}'])
def test_json_that_breaks_parsers_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(TruthError, match=r"truth\.json: cannot be read as COCO"):
        read_instances(tmp_path / "truth.json")


@pytest.mark.parametrize(
    ("name", "fits", "fits_file"),
    [("baby", True, True), ("日本 – é", True, True), ("a/b", True, False), ("..", True, False), ("a\\b", True, False),
     ("", False, False), ("a\nb", False, False), ("\x1b[31mred", False, False), ("\udcff", False, False),
     ("a\u202egpj.exe", False, False), ("n" * 201, False, False), ("a\0b", False, False)],
)  # fmt: skip
def test_names(name: str, fits: bool, fits_file: bool) -> None:
    assert (name_problem(name) == "") is fits
    assert (name_problem(name, file=True) == "") is fits_file


def test_a_file_with_a_name_for_a_terminal_is_refused_by_a_printable_message(tmp_path: Path) -> None:
    for name in ("bad\x1b]0;title\x07.png", "line\nbreak.png", "latin1-\udce9.png"):
        Image.new("L", (16, 16)).save(tmp_path / name, format="PNG")
        with pytest.raises(DatasetError, match="cannot be printed") as error:
            folder_dataset("D", hr=tmp_path, scale=4)
        assert printable(str(error.value)).isprintable()
        assert list(image_files(tmp_path)) == [Path(name).stem]
        (tmp_path / name).unlink()
    with pytest.raises(DatasetError, match="outside its folder"):
        Sample("../escape", None, None)
    with pytest.raises(DatasetError, match="its name is empty"):
        Dataset(" ", (), "files")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["..", ".", "a", "", "C:", "b c"]), max_size=5), st.sampled_from(["/", "\\"]))
def test_no_place_leads_out(parts: list[str], separator: str) -> None:
    place = separator.join(parts)
    root = Path("/root/set")
    inside = Path(*(root / place.replace("\\", "/")).parts)
    level = 0
    for part in inside.parts[len(root.parts) :] if inside.parts[: len(root.parts)] == root.parts else [".."]:
        level += -1 if part == ".." else 1
        if level < 0:
            assert leaves_folder(place)
