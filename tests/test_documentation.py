"""What the documentation tells to do is done; its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)


def blocks(page: str) -> list[str]:
    """Indented blocks of a page, without the indentation; empty lines within one belong to it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [textwrap.dedent(match[0]).strip() for match in re.finditer(r"(?m)^    .*(?:\n+    .*)*", text)]


@pytest.mark.parametrize(("page", "row"), [("your-method.md", "sharpen"), ("your-metric.md", "Edges")])
def test_a_first_method_and_metric_run_as_told(page: str, row: str, tmp_path: Path, session: Any) -> None:
    code, command, *_ = blocks(page)
    name = code.splitlines()[0].removeprefix("# ")
    assert name.endswith(".py")
    (tmp_path / name).write_text(code, encoding="utf-8")
    program, *arguments = shlex.split(command)
    assert program == "asasr-bench"
    told = session(*arguments)
    assert (told.status, row in told.out) == (0, True), told
    assert list(tmp_path.glob("*/report/leaderboard.html"))


@pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    made = {"reference/specs.md", "reference/commands.md"}  # by docs/site/pages.py
    assert [target for target in targets if target not in made and not (page.parent / target).exists()] == []
