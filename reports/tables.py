"""The board as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from .board import Board
from .escaping import csv, markdown, markdown_code, tex
from .grid import TEST, Cell, Grid, Row, grids
from .notes import problems
from .provenance import provenance_lines
from .ranks import rank_grids

CSV_COLUMNS = ["dataset", "method", "metric", "protocol", "value", "ci_low", "ci_high", "n", "direction",
               "set_images", "infinite", "seconds", "memory", "identity"]  # fmt: skip
DISPUTED = "≠ marks values that their sources contradict"


def to_csv(board: Board) -> str:
    """One line per mean, at full precision; empty where there is none. Seconds and bytes are the method's on that set.

    With published values, a last column names the source of each; it is empty for what was measured here.
    """
    measured = _with_columns(board)
    if board.published.empty:
        return csv_text(measured)
    directions = board.metrics.set_index("metric")["direction"]
    claims = board.published[board.published["metric"].isin(directions.index)]
    claims = claims.assign(direction=claims["metric"].map(directions), source=claims["source"].map(board.sources))
    columns = [*CSV_COLUMNS, "source"]
    claimed = csv_text(claims.reindex(columns=columns))
    return csv_text(measured.reindex(columns=columns)) + claimed[claimed.index("\n") + 1 :]


def _with_columns(board: Board) -> pd.DataFrame:
    """Scores with the size of the whole set, what the method took there, and what its identity lacks."""
    place = ["protocol", "dataset", "method"]
    frame = board.scores.merge(board.costs[[*place, "seconds", "memory"]], "left", place)
    pairs = zip(frame["protocol"], frame["dataset"], frame["n"], strict=True)
    frame["set_images"] = [board.whole.get((protocol, dataset), n) for protocol, dataset, n in pairs]
    incomplete = dict(zip(board.methods["method"], board.methods["incomplete"], strict=True))
    frame["identity"] = [incomplete.get(method, "") for method in frame["method"]]
    return frame.reindex(columns=CSV_COLUMNS)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV whose texts no spreadsheet takes for formulas."""
    texts = frame.select_dtypes(["object", "string"])
    safe = {str(name): column.map({text: csv(text) for text in column.unique()}) for name, column in texts.items()}
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")


def to_markdown(board: Board) -> str:
    """One table per dataset and protocol, then problems and provenance."""
    parts = [f"# {markdown(board.title)}", "", *_markdown_ranks(board)]
    for grid in grids(board):
        parts += [f"## {markdown(grid.dataset)}", "", f"Protocol {markdown_code(grid.protocol)}, {markdown(grid.lq)},"
                  f" {grid.size}, mean and 95 % interval over images;"
                  f" best **bold**, second <u>underlined</u>; ≈: {TEST}.", ""]  # fmt: skip
        heads = ["Method", "Family", *(column.heading for column in grid.columns), *(head for head, _ in grid.costs)]
        parts += [f"| {' | '.join(heads)} |", f"|{'---|' * 2}{'---:|' * (len(heads) - 2)}"]
        for row in grid.rows:
            cells = (_markdown_cell(cell) for cell in row.cells)
            name = (
                f"*{markdown(row.method)}* <sup>{row.source}</sup>" if row.source else markdown(row.method) + row.sign
            )
            costs = (str(getattr(row, cost)) for _, cost in grid.costs)
            parts.append(f"| {' | '.join([name, row.family, *cells, *costs])} |")
        parts += ["", *(markdown(note) + "\n" for note in grid.notes)]
        if grid.sources:
            parts += [f"*Rows in italics* were published by others and not measured here; {DISPUTED}.", ""]
            parts += [*(f"{number}. {markdown(note)}" for number, note in enumerate(grid.sources, 1)), ""]
    lacking = list(problems(board))
    if lacking:
        parts += ["## Not measured", ""]
        parts += [f"- {problem.status}, {problem.count} of {', '.join(map(markdown, problem.place))}:"
                  f" {markdown(problem.message)}" for problem in lacking]  # fmt: skip
        parts.append("")
    parts += ["## Provenance", "", *(f"- {term}: {markdown(text)}" for term, text in provenance_lines(board)), ""]
    return "\n".join(parts)


def _markdown_ranks(board: Board) -> Iterator[str]:
    for grid in rank_grids(board):
        yield "## Average rank"
        yield ""
        yield (f"Protocol {markdown_code(grid.protocol)}: mean rank over the metrics that rank methods, 1 is best,"
               " with 95 % bootstrap interval over images.")  # fmt: skip
        yield ""
        if grid.notes:
            yield markdown(" ".join(grid.notes))
            yield ""
        if not grid.rows:
            continue
        yield f"| Method | Family | {' | '.join(map(markdown, grid.columns))} |"
        yield f"|---|---|{'---:|' * len(grid.columns)}"
        for row in grid.rows:
            texts = [f"**{cell.text}**" if cell.best else cell.text for cell in row.cells]
            cells = [f"{text} [{cell.interval}]" if cell.interval else text
                     for text, cell in zip(texts, row.cells, strict=True)]  # fmt: skip
            yield f"| {markdown(row.method)}{row.sign} | {row.family} | {' | '.join(cells)} |"
        yield ""


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}.get(cell.mark, cell.text)
    interval = f" [{cell.low}, {cell.high}]" if cell.low else ""
    share = f" ({cell.share})" if cell.share else ""
    marks = ("≈" if cell.tied else "") + ("≠" if cell.disputed else "")
    return text + marks + share + interval + (f" (n={cell.n})" if cell.partial else "")


def to_latex(board: Board) -> str:
    """One booktabs table per dataset and protocol; compiles as is after \\usepackage{booktabs}."""
    return "\n".join(_latex_grid(grid) for grid in grids(board))


def _latex_grid(grid: Grid) -> str:
    heads = [_tex_heading(column.title, column.direction) for column in grid.columns]
    heads += [head for head, _ in grid.costs]
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{tex(grid.dataset)}, protocol \texttt{{{tex(grid.protocol)}}}, {tex(grid.lq)},"
        rf" mean of {grid.size}. Best in bold, second underlined;"
        rf" $\approx$: {tex(TEST)}." + "".join(f" {tex(note)}" for note in grid.notes) + "}",
        rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"\toprule",
        " & ".join(["Method", *heads]) + r" \\",
        r"\midrule",
    ]
    lines += [_latex_row(row, grid) for row in grid.rows if not row.source]
    claims = [_latex_row(row, grid) for row in grid.rows if row.source]
    lines += [r"\midrule", *claims, r"\bottomrule", r"\end{tabular}"] if claims else [r"\bottomrule", r"\end{tabular}"]
    if grid.sources:
        lines += [r"\par\smallskip\footnotesize", r"Italics: published by others, not measured here; $\neq$: their"
                  r" sources contradict each other."]  # fmt: skip
        lines += [f"$^{{{number}}}$ {tex(note)}." for number, note in enumerate(grid.sources, 1)]
    return "\n".join([*lines, r"\end{table}", ""])


def _latex_row(row: Row, grid: Grid) -> str:
    name = rf"\textit{{{tex(row.method)}}}$^{{{row.source}}}$" if row.source else tex(row.method + row.sign)
    costs = (tex(getattr(row, cost)) for _, cost in grid.costs)
    return " & ".join([name, *map(_tex_cell, row.cells), *costs]) + r" \\"


def _tex_heading(title: str, direction: str) -> str:
    arrow = {"higher": r"\uparrow", "lower": r"\downarrow", "zero": r"\to 0", "none": ""}[direction]
    return f"{tex(title)} ${arrow}$"


def _tex_cell(cell: Cell) -> str:
    text = tex(cell.text).replace("∞", r"$\infty$").replace("–", "--")
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}.get(cell.mark, text)
    text += r"$^{\neq}$" if cell.disputed else ""
    share = f" ({tex(cell.share)})" if cell.share else ""
    return text + (r"$^{\approx}$" if cell.tied else "") + share + (rf" ($n={cell.n}$)" if cell.partial else "")
