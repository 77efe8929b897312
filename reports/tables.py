"""The board as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator

from .board import Board
from .grid import Cell, Grid, grids
from .ranks import rank_grids

CSV_COLUMNS = ["dataset", "method", "metric", "protocol", "value", "ci_low", "ci_high", "n", "direction"]


def to_csv(board: Board) -> str:
    """One line per mean, at full precision; empty where there is none."""
    return board.scores[CSV_COLUMNS].to_csv(index=False, lineterminator="\n")


def to_markdown(board: Board) -> str:
    """One table per dataset and protocol, then problems and provenance."""
    parts = [f"# {_plain(board.title)}", "", *_markdown_ranks(board)]
    for grid in grids(board):
        parts += [f"## {_plain(grid.dataset)}", "", f"Protocol `{grid.protocol}`, {_plain(grid.lq)},"
                  f" {grid.size}, mean and 95 % bootstrap interval over images;"
                  " best **bold**, second <u>underlined</u>; ≈: a paired permutation test (Holm-corrected, 5 %)"
                  " cannot tell it from the best.", ""]  # fmt: skip
        heads = ["Method", "Family", *(column.heading for column in grid.columns), "Parameters", "Time", "Memory"]
        parts += [f"| {' | '.join(heads)} |", f"|{'---|' * 2}{'---:|' * (len(heads) - 2)}"]
        for row in grid.rows:
            cells = (_markdown_cell(cell) for cell in row.cells)
            line = [_plain(row.method), row.family, *cells, row.parameters, row.seconds, row.memory]
            parts.append(f"| {' | '.join(line)} |")
        parts.append("")
    if len(board.problems):
        parts += ["## Not measured", ""]
        parts += [
            f"- {row.status}, {row.count} of {_plain(row.dataset)}, {_plain(row.method)}: {_plain(row.message)}"
            for row in board.problems.itertuples()
        ]
        parts.append("")
    parts += ["## Provenance", "", *(f"- {name}: {_plain(text)}" for name, text in board.provenance.items()), ""]
    return "\n".join(parts)


def _markdown_ranks(board: Board) -> Iterator[str]:
    for grid in rank_grids(board):
        yield "## Average rank"
        yield ""
        yield (f"Protocol `{grid.protocol}`: mean rank over all metrics that rank methods, 1 is best,"
               " with 95 % bootstrap interval over images.")  # fmt: skip
        yield ""
        yield f"| Method | Family | {' | '.join(map(_plain, grid.columns))} |"
        yield f"|---|---|{'---:|' * len(grid.columns)}"
        for row in grid.rows:
            texts = [f"**{cell.text}**" if cell.best else cell.text for cell in row.cells]
            cells = [f"{text} [{cell.interval}]" if cell.interval else text
                     for text, cell in zip(texts, row.cells, strict=True)]  # fmt: skip
            yield f"| {_plain(row.method)} | {row.family} | {' | '.join(cells)} |"
        yield ""


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}.get(cell.mark, cell.text)
    interval = f" [{cell.low}, {cell.high}]" if cell.low else ""
    return text + ("≈" if cell.tied else "") + interval + (f" (n={cell.n})" if cell.partial else "")


def _plain(text: object) -> str:
    """Text that Markdown and the HTML inside it leave alone."""
    result = str(text)
    for sign in "\\`*_|[]":
        result = result.replace(sign, "\\" + sign)
    return " ".join(result.replace("&", "&amp;").replace("<", "&lt;").split())


def to_latex(board: Board) -> str:
    """One booktabs table per dataset and protocol; compiles as is after \\usepackage{booktabs}."""
    return "\n".join(_latex_grid(grid) for grid in grids(board))


def _latex_grid(grid: Grid) -> str:
    heads = [_tex_heading(column.title, column.direction) for column in grid.columns]
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{_tex(grid.dataset)}, protocol \texttt{{{_tex(grid.protocol)}}}, {_tex(grid.lq)},"
        rf" mean of {grid.size}. Best in bold, second underlined;"
        r" $\approx$: not distinguishable from the best (paired permutation test, Holm, 5\,\%).}",
        rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"\toprule",
        " & ".join(["Method", *heads]) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join([_tex(row.method), *map(_tex_cell, row.cells)]) + r" \\" for row in grid.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _tex_heading(title: str, direction: str) -> str:
    arrow = {"higher": r"\uparrow", "lower": r"\downarrow", "one": r"\to 1", "none": ""}[direction]
    return f"{_tex(title)} ${arrow}$"


def _tex_cell(cell: Cell) -> str:
    text = _tex(cell.text).replace("∞", r"$\infty$").replace("–", "--")
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}.get(cell.mark, text)
    return text + (r"$^{\approx}$" if cell.tied else "") + (rf" ($n={cell.n}$)" if cell.partial else "")


_TEX_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX_ESCAPES.get(sign, sign) for sign in text)
