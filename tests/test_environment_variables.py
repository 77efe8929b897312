"""The page of environment variables has every one that the code reads or sets, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from asasr_bench.datasets.card import data_root
from asasr_bench.datasets.user_folders import user_folder
from asasr_bench.methods.weights.files import own_folder

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "environment-variables.md"


def variables(tree: ast.Module) -> Iterator[str]:
    """Keys of ``os.environ``, given as text or by the name of a constant; and our own, wherever they stand."""
    texts = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        keys: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("os.environ.", "os.getenv")):
            keys = node.args[:1]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            keys = [node.slice]
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "os.environ":
            keys = [node.left]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"ASASR_BENCH_\w+", str(node.value)):
            keys = [node]
        for key in keys:
            if isinstance(key, ast.Constant):
                yield str(key.value)
            elif isinstance(key, ast.Name) and key.id in texts:
                yield texts[key.id]


def test_the_page_lists_what_the_code_reads_and_sets() -> None:
    known = {
        name
        for top in ("bench", "methods", "asasr", "datasets", "reports")
        for file in (ROOT / top).rglob("*.py")
        for name in variables(ast.parse(file.read_text(encoding="utf-8")))
    }
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == known


def test_folders_are_where_a_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASASR_BENCH_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "w"))
    assert (data_root(), own_folder()) == (tmp_path / "d", tmp_path / "w")


def test_folders_of_earlier_releases_are_found_on_every_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where platformdirs would choose another one, as on macOS."""
    monkeypatch.delenv("ASASR_BENCH_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name, appauthor: str(tmp_path / "Library" / name))
    assert user_folder("data", "ASASR_BENCH_DATA") == tmp_path / "Library" / "asasr-bench" / "data"
    (tmp_path / ".cache" / "asasr-bench" / "data").mkdir(parents=True)
    assert user_folder("data", "ASASR_BENCH_DATA") == tmp_path / ".cache" / "asasr-bench" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    (tmp_path / "x" / "asasr-bench" / "data").mkdir(parents=True)
    assert user_folder("data", "ASASR_BENCH_DATA") == tmp_path / "x" / "asasr-bench" / "data"
