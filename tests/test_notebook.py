"""The notebook of the examples runs from top to bottom in a kernel of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "evaluation.ipynb"


def outputs(cell: Any, kind: str) -> str:
    """What a cell shows as a type of content."""
    return "".join(str(output["data"].get(kind, "")) for output in cell.get("outputs", []) if "data" in output)


def test_the_notebook_runs_and_shows_tables_and_a_figure() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "committed without outputs"
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tables = [cell for cell in code if "Ours" in outputs(cell, "text/html")]
    assert len(tables) == 2  # the result and its values by image
    assert any(len(outputs(cell, "image/png")) > 10_000 for cell in code)
    assert "leaderboard.tex" in outputs(code[-1], "text/plain")
