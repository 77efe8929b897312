"""No text of somebody's spec, store or baseline commands the terminal, whichever command prints it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from asasr_bench.bench.cli.terminal import plain_console, say
from asasr_bench.bench.store.merge import MergeError, merge_stores
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.methods.errors import MethodReferenceError
from asasr_bench.methods.reference import parse_reference
from asasr_bench.reports.escaping import plain
from hypothesis import given
from hypothesis import strategies as st

TITLE, CLIPBOARD = "\x1b]0;owned\x07", "\x1b]52;c;AAAA\x07"
NAMES = (f"a{TITLE}", f"b{CLIPBOARD}\nforged: 99.9", "c\u202edrawkcab\x9b2J")


@pytest.fixture
def hostile(make_store: Callable[..., Path], tmp_path: Path) -> Path:
    root = make_store(tmp_path / "hostile", methods=NAMES, datasets=(f"D{TITLE}\nforged",), protocol="asasr")
    with open_store(root, write=True) as store:
        output = OutputRecord(
            "asasr",
            4,
            f"D{TITLE}\nforged",
            f"x{CLIPBOARD}",
            NAMES[0],
            0,
            "failed",
            "files",
            message=f"it said {TITLE}\nand more",
            cells=(CellRecord("psnr_y", "failed", message="not restored"),),
        )
        store.commit([output], 1)
    return root


def _is_plain(text: str) -> None:
    assert not [sign for sign in text if sign != "\n" and not sign.isprintable() and category(sign) != "Zs"]
    assert not [line for line in text.split("\n") if line.startswith("forged")]


def test_commands_spell_out_what_a_store_would_do_to_a_terminal(
    hostile: Path, session: Callable[..., Any], tmp_path: Path
) -> None:
    commands: list[tuple[object, ...]] = [
        ("status", hostile),
        ("status", hostile, "--failed"),
        ("report", hostile, "--out", "r"),
        ("compare", NAMES[0], NAMES[1], "--store", hostile),
        ("compare", "none", NAMES[1], "--store", hostile),
        ("export", hostile, "--per-image", "x.csv"),
        ("leaderboard", hostile, "--out", "l"),
        ("baseline", hostile, "--out", "b.json"),
        ("stability", hostile),
        ("history", hostile, hostile),
        ("export", hostile, "--format", "json", "--out", "x.json"),
        ("reproduce", hostile),
        ("export", hostile, "--format", "eee", "--out", "eee"),
        ("export", hostile, "--format", "hf", "--out", "hf"),
        ("export", hostile, "--format", "model-card", "--out", "l/cards"),
        ("import", "x.json", "--out", "i"),
        ("import", "eee", "--out", "j"),
        ("import", "l/cards", "--out", "i"),
        ("import", "hf", "--out", "i"),
        ("report", "i", "--published", "--out", "r"),
    ]
    for command in commands:
        result = session(*command)
        assert result.out + result.err
        _is_plain(result.out)
        _is_plain(result.err)
    for path in (*(tmp_path / "r").iterdir(), *(tmp_path / "l").rglob("*.html"), *(tmp_path / "l").rglob("*.md")):
        assert "\x1b" not in path.read_text()
        assert "\x9b" not in path.read_text()


def test_a_check_spells_out_what_a_baseline_says(hostile: Path, session: Callable[..., Any], tmp_path: Path) -> None:
    assert session("baseline", hostile, "--out", "b.json").status == 0
    content = json.loads((tmp_path / "b.json").read_text())
    for row in content["outputs"]:
        row[4] += TITLE
        row[2] += "\nforged"
    (tmp_path / "b.json").write_text(json.dumps(content))
    result = session("check", hostile, "--baseline", "b.json")
    assert result.status == 1
    _is_plain(result.out + result.err)


def test_conflicts_of_hostile_stores_are_told_in_plain_text(hostile: Path, tmp_path: Path) -> None:
    shutil.copytree(hostile, tmp_path / "other")
    with open_store(tmp_path / "other", write=True) as store:
        store.add_method(NAMES[1], {"family": "gan", "version": TITLE}, "w1")
    with pytest.raises(MergeError) as conflict:
        merge_stores([hostile, tmp_path / "other"], tmp_path / "merged")
    _is_plain(str(conflict.value))


@pytest.mark.parametrize("name", [f"a{TITLE}", "a\nb", "a\u202eb", "\x07"])
def test_method_names_that_command_a_terminal_are_refused(name: str) -> None:
    for reference in (f"{name}=bicubic", {"name": name, "id": "bicubic"}):
        with pytest.raises(MethodReferenceError, match="cannot be printed") as refusal:
            parse_reference(reference)
        assert str(refusal.value).isprintable()


@given(st.text())
def test_plain_text_is_one_printable_line_and_printable_text_is_left_alone(text: str) -> None:
    _is_plain(plain(text))
    assert "\n" not in plain(text)
    assert not text.isprintable() or plain(text) == text


def test_say_and_consoles_print_alike(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(f"head{TITLE}")
    table.add_row(f"cell{CLIPBOARD}")
    say(f"line{TITLE}\nforged")
    plain_console().print(table)
    plain_console().print(f"text{TITLE}")
    message = capsys.readouterr().out
    _is_plain(message)
    assert r"line\x1b]0;owned\x07\nforged" in message
