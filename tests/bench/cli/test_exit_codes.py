"""Exit codes: each error of the package knows its own, and the page of them says what the command does."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest
from asasr_bench.bench.cli import exit_codes, main
from asasr_bench.datasets.errors import UsageError
from asasr_bench.methods.errors import MissingWeightsError

ROOT = Path(__file__).parents[3]
SIGNALS = {"_Interrupted", "_Leaving", "Terminated", "TrainingStopped"}
"""What ends a program from outside; nothing that catches errors may catch these."""
CAUGHT = {"LatexError", "TableTemplateError"}
"""Of ``reports``, which imports no other folder; ``publish`` gives a ``FormatError`` that names file or figure."""
USAGE = {
    "AssignmentError",
    "ExportError",
    "FormatError",
    "ImageInputError",
    "InitError",
    "LqRuleError",
    "MeasuringError",
    "MethodReferenceError",
    "MetricError",
    "NoRatesError",
    "ProtocolError",
    "RunningError",
    "ScaleError",
    "SeverityError",
    "SeverityStoreError",
    "SpecError",
    "StudyError",
    "TrainingConfigError",
    "UnknownMethodError",
    "UsageError",
}


def bases() -> dict[str, set[str]]:
    """Every class of the product, and the names of its bases."""
    classes = {}
    for top in ("bench", "methods", "asasr", "datasets", "reports"):
        for file in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    classes[node.name] = {ast.unparse(base) for base in node.bases}
    return classes


def test_every_error_of_the_package_knows_its_exit_code() -> None:
    classes = bases()

    def ancestors(name: str) -> set[str]:
        return {name}.union(*map(ancestors, classes.get(name, ())))

    errors = {name: ancestors(name) for name in classes if any(map(_raises, ancestors(name)))}
    assert len(errors) > 40
    assert {name for name, kinds in errors.items() if "BenchError" not in kinds} == SIGNALS | CAUGHT
    assert {name for name, kinds in errors.items() if "UsageError" in kinds} == USAGE


def _raises(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)


def test_the_page_lists_what_the_command_ends_with() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    listed = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)}
    assert listed == {name: value for name, value in vars(exit_codes).items() if name.isupper()}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 2),
        (MissingWeightsError("net", "no file"), 3),
        (FileNotFoundError(2, "No such file", "x"), 3),
        (MemoryError(), 3),
        (ValueError("from a library"), 70),
    ],
)
def test_an_error_ends_the_command_with_its_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setattr("sys.argv", ["asasr-bench"])
    monkeypatch.delenv("ASASR_BENCH_DEBUG", raising=False)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == code
    assert capsys.readouterr().err.strip()
