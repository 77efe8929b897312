"""``asasr-bench init``: what it writes works, and its test passes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from asasr_bench.bench.cli.init import class_name

EXAMPLES = Path(__file__).parents[3] / "examples"


def passed(file: Path) -> int:
    """Run the tests of a file in this process, and count them."""
    tests = [test for name, test in runpy.run_path(str(file)).items() if name.startswith("test_")]
    for test in tests:
        test()
    return len(tests)


@pytest.mark.parametrize(("kind", "count"), [("method", 2), ("metric", 2), ("dataset", 1)])
def test_the_written_example_passes_its_test(kind: str, count: int, tmp_path: Path, session) -> None:
    result = session("init", kind, "my-own")
    assert result.status == 0, result.err
    assert sorted(path.name for path in (tmp_path / "my_own").iterdir()) == ["my_own.py", "test_my_own.py"]
    for file in (tmp_path / "my_own").iterdir():
        assert "xample" not in file.read_text()
    assert passed(tmp_path / "my_own" / "test_my_own.py") == count
    assert f"--{kind} ./my_own/my_own.py:{'my_own' if kind == 'dataset' else 'MyOwn'}" in result.out
    again = session("init", kind, "my_own")
    assert again.status == 2
    assert "exists already" in again.err


def test_the_command_that_it_tells_works(tmp_path: Path, session) -> None:
    """All three together, in one run."""
    for kind, name in (("method", "sharper"), ("metric", "strength"), ("dataset", "waves")):
        assert session("init", kind, name).status == 0
    result = session(
        "run",
        "classic-x2",
        "--method",
        "./sharper/sharper.py:Sharper",
        "--metric",
        "./strength/strength.py:Strength",
        "--dataset",
        "./waves/waves.py:waves",
        "--store",
        "s",
        "--device",
        "cpu",
        "--log",
        "log",
    )
    assert result.status == 0, result.err
    assert "Strength" in result.out
    assert "waves" in result.out
    assert "3 cells measured" in result.out


@pytest.mark.parametrize("name", ["1st", "my method", "ä", "../up", ""])
def test_other_names_are_refused(name: str, session) -> None:
    result = session("init", "metric", name)
    assert result.status == 2
    assert "letters, digits" in result.err


def test_unknown_kinds_are_refused(session) -> None:
    assert session("init", "protocoll", "x").status == 2


def test_names_of_classes() -> None:
    assert [class_name(name) for name in ("my_method", "a", "_x", "HRNet_2")] == ["MyMethod", "A", "X", "HRNet2"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("test_*.py")), ids=lambda file: file.name)
def test_the_examples_pass_their_tests(file: Path) -> None:
    assert passed(file) > 0
