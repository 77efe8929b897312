"""Write the tables of measured numbers in docs/*.md from docs/results/*.csv: ``python tests/support/result_tables.py``.

A table stands between ``<!-- results: NAME -->`` and ``<!-- end -->`` and is made from ``docs/results/NAME.csv``, whose
first row is the header. ``<!-- results: NAME, right -->`` aligns all columns but the first to the right.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"(?ms)^(<!-- results: (?P<name>[\w-]+)(?P<right>, right)? -->)\n.*?^(<!-- end -->)$")


def table(rows: list[list[str]], right: bool = False) -> str:
    """Markdown of a table; the first row is its header."""
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"rows of different length: {[len(row) for row in rows]}")
    line = ["---", *["---:" if right else "---"] * (len(rows[0]) - 1)]
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in rows]
    return "\n".join([lines[0], f"|{'|'.join(line)}|", *lines[1:]])


def with_tables(page: str, results: Path = DOCS / "results") -> str:
    """The page with each marked block made anew from its CSV file."""

    def block(match: re.Match[str]) -> str:
        with (results / f"{match['name']}.csv").open(encoding="utf-8", newline="") as file:
            text = table(list(csv.reader(file)), right=match["right"] is not None)
        return f"{match[1]}\n\n{text}\n\n{match[4]}"

    return BLOCK.sub(block, page)


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = with_tables(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.name}: written")
