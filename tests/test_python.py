"""``import asasr_bench``: what it has, that it costs nothing, and that it is the same built, linked and typed."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import asasr_bench
import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numpy", "pandas", "PIL", "torch", "scipy", "matplotlib", "pydantic", "yaml", "rich", "typer")


def test_importing_it_imports_nothing_else() -> None:
    script = f"import sys, asasr_bench; dir(asasr_bench); print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_public_name_is_what_its_types_say() -> None:
    """Type checkers and editors read the imports below TYPE_CHECKING, Python reads the table."""
    tree = ast.parse((ROOT / "bench" / "package.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("asasr_bench.")
        for alias in node.names
    }
    assert {*typed, "__version__"} == set(asasr_bench.__all__)
    for name, module in typed.items():
        assert getattr(asasr_bench, name) is getattr(importlib.import_module(module), name)
        assert name in dir(asasr_bench)
        assert getattr(asasr_bench, name).__doc__
    assert asasr_bench.__version__[0].isdigit()


def test_a_name_that_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'create_metrics'"):
        _ = asasr_bench.create_metrics  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "module", ["", ".bench.api.evaluate", ".bench.api.measure", ".bench.api.catalogue", ".bench.api.restore"]
)
def test_examples_in_docstrings_give_what_they_say(module: str) -> None:
    loaded = importlib.import_module(f"asasr_bench{module}")
    result = doctest.testmod(loaded, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
