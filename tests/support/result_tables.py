"""Write the tables of measured numbers in docs/*.md from docs/results/*.csv: ``python tests/support/result_tables.py``.

A table stands between ``<!-- results: NAME -->`` and ``<!-- end -->`` and is made from ``docs/results/NAME.csv``, whose
first row is the header. ``<!-- results: NAME, right -->`` aligns all columns but the first to the right. The effects of
a study, ``<!-- effects: NAME -->``, are made from ``docs/studies/NAME/differences.csv`` as ``ablate`` wrote it.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(
    r"(?ms)^(<!-- (?P<kind>results|effects): (?P<name>[\w-]+)(?P<right>, right)? -->)\n.*?^<!-- end -->$"
)

EFFECTS = {
    "PSNR-Y": ("psnr_y", 1, 2), "LPIPS": ("lpips_alex", 1000, 1), "DISTS": ("dists", 1000, 1),
    "SSIM-Y": ("ssim_y", 1000, 1), "FSIM": ("fsim", 1000, 1), "LSD": ("lsd", 1, 2),
}  # fmt: skip
"""Column of a study's effects to metric, factor and digits."""
EQUAL = {
    ("distortion", "steps"): "PSNR-Y",
    ("distortion", "blends"): "PSNR-Y, blends",
    ("evaluations", "steps"): "evaluations",
}
"""What two points have in common, and the curve that the second is taken from."""


def effects(differences: list[dict[str, str]]) -> list[list[str]]:
    """Rows of a study's tested differences: mean with its interval, bold where the corrected p is below 5 %."""
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in differences:
        if row["outcome"] != "tested":
            continue
        pair = f"{row['first']} - {row['second']}"
        test = (pair, EQUAL[row["equal"], row["curve"]], row["dataset"], row["steps"])
        for metric, factor, digits in EFFECTS.values():
            if metric == row["metric"]:
                mean, low, high = (f"{float(row[k]) * factor:+.{digits}f}" for k in ("difference", "low", "high"))
                told = f"**{mean}**" if float(row["p_plan"]) < 0.05 else mean
                cells.setdefault(test, {})[metric] = f"{told} [{low}, {high}]"
    metrics = [metric for metric, _, _ in EFFECTS.values()]
    header = ["first - second", "equal", "set", "steps", *EFFECTS]
    return [header, *([*test, *(of.get(metric, "") for metric in metrics)] for test, of in cells.items())]


def table(rows: list[list[str]], right: bool = False) -> str:
    """Markdown of a table; the first row is its header."""
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"rows of different length: {[len(row) for row in rows]}")
    line = ["---", *["---:" if right else "---"] * (len(rows[0]) - 1)]
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in rows]
    return "\n".join([lines[0], f"|{'|'.join(line)}|", *lines[1:]])


def csv_file(kind: str, name: str, docs: Path = DOCS) -> Path:
    """The file that a marked block is made from."""
    return docs / "results" / f"{name}.csv" if kind == "results" else docs / "studies" / name / "differences.csv"


def with_tables(page: str, docs: Path = DOCS) -> str:
    """The page with each marked block made anew from its CSV file."""

    def block(match: re.Match[str]) -> str:
        with csv_file(match["kind"], match["name"], docs).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file)) if match["kind"] == "results" else effects(list(csv.DictReader(file)))
        text = table(rows, right=match["right"] is not None)
        return f"{match[1]}\n\n{text}\n\n<!-- end -->"

    return BLOCK.sub(block, page)


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = with_tables(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.name}: written")
