"""The report of a user study: Markdown, one HTML page, and CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..escaping import markdown, plain, without_folders, xml
from ..grid import between
from ..table_template import template_text
from ..tables import csv_text
from .board import StudyBoard


@dataclass(frozen=True)
class _Table:
    """A heading with a table and what must be known of it."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def study_markdown(board: StudyBoard) -> str:
    """The report in Markdown."""
    lines = [f"# {markdown(board.title)}", "", *map(markdown, facts(board))]
    for table in _tables(board):
        lines += ["", f"## {table.title}", "", table.note, ""]
        lines += [f"| {' | '.join(map(markdown, table.columns))} |", f"|{'---|' * len(table.columns)}"]
        lines += [f"| {' | '.join(map(markdown, row))} |" for row in table.rows]
    if board.problems:
        lines += [
            "",
            "## Files that were not used",
            "",
            *(f"- {markdown(without_folders(line))}" for line in board.problems),
        ]
    return "\n".join(lines) + "\n"


def study_html(board: StudyBoard) -> str:
    """The report as one page that requests nothing."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(template_text("user_study/report.html.j2")).render(
        title=board.title,
        facts=facts(board),
        tables=list(_tables(board)),
        plot=Markup(strengths_svg(board)),
        problems=[without_folders(line) for line in board.problems],
        style=Markup(template_text("user_study/report.css")),
    )
    return "\n".join(map(plain, text.split("\n")))


def study_csv(board: StudyBoard) -> dict[str, str]:
    """Tables at full precision, by the name of the file."""
    names = [record.method for record in board.methods]
    wins = pd.DataFrame(board.wins, columns=names)
    wins.insert(0, "method", names)
    return {
        "methods.csv": csv_text(pd.DataFrame([vars(record) for record in board.methods])),
        "wins.csv": csv_text(wins),
        "metrics.csv": csv_text(pd.DataFrame([vars(record) for record in board.metrics], columns=_METRIC_COLUMNS)),
        "raters.csv": csv_text(
            pd.DataFrame([{**vars(record), "left_out": "; ".join(record.left_out)} for record in board.raters])
        ),
    }


def terminal_tables(board: StudyBoard) -> Iterator[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """Title, columns and rows of the tables that a terminal shows."""
    for table in _tables(board):
        if table.title != "Raters":
            yield table.title, table.columns, table.rows
        elif left_out := tuple(row for row, rater in zip(table.rows, board.raters, strict=True) if rater.left_out):
            yield "Raters that are left out", table.columns, left_out


_METRIC_COLUMNS = ["metric", "title", "predicted", "low", "high", "srcc", "kendall"]


def facts(board: StudyBoard) -> list[str]:
    """The study in sentences."""
    counted = sum(not rater.left_out for rater in board.raters)
    kind = "pairs" if board.kind == "pairs" else f"the best of {len(board.methods)}"
    sentences = [
        f"“{board.question}” ({kind}, {board.protocol}): {board.votes} votes of {counted} raters on {board.images}"
        f" images; {len(board.raters) - counted} of {len(board.raters)} raters are left out by the study's rules.",
        f"Agreement of raters beyond chance (Krippendorff's alpha): {_number(board.alpha, 2)}"
        f" [{between(board.alpha_low, board.alpha_high, 2)}].",
    ]
    if board.ties:
        sentences.append(f"{board.ties} votes are “no difference”; each is half a win for either side.")
    return [*sentences, *board.notes]


def _tables(board: StudyBoard) -> Iterator[_Table]:
    yield _Table(
        "Methods",
        "Share: votes for the method of those in trials that showed it. Strength: Bradley-Terry in log-odds, mean 0."
        " Intervals of 95 % are over raters and images. p: as strong as the next one, Holm over all pairs.",
        ("method", "share", "95 % interval", "strength", "95 % interval", "p", "with all raters"),
        tuple(
            (
                row.method,
                _percent(row.share),
                _percents(row.share_low, row.share_high),
                f"{row.strength:+z.2f}",
                between(row.low, row.high, 2, "+"),
                "" if isnan(row.p_next) else f"{row.p_next:.4f}",
                f"{row.all_raters:+z.2f}",
            )
            for row in board.methods
        ),
    )
    names = [row.method for row in board.methods]
    yield _Table(
        "Wins",
        "How often the method of the row was preferred to that of the column; a vote for the best of several counts"
        " against each of the others.",
        ("", *names),
        tuple(
            (name, *("" if row == column else f"{board.wins[row, column]:g}" for column in range(len(names))))
            for row, name in enumerate(names)
        ),
    )
    if board.metrics:
        yield _Table(
            "Metrics and votes",
            "Predicted: preferences between two outputs of an image in which the metric has the same one ahead (chance"
            " is 50 %). SRCC and Kendall's tau: strengths against the metric's means of methods, 1 agrees with votes.",
            ("metric", "predicted", "95 % interval", "SRCC", "tau"),
            tuple(
                (
                    row.title,
                    _percent(row.predicted),
                    _percents(row.low, row.high),
                    _number(row.srcc, 2),
                    _number(row.kendall, 2),
                )
                for row in board.metrics
            ),
        )
    yield _Table(
        "Raters",
        " ".join(board.rules),
        ("rater", "answers", "catch trials failed", "median time", "counts"),
        tuple(
            (
                rater.name,
                f"{rater.answers}{'' if rater.complete else ' (stopped)'}",
                f"{rater.catch_failed} of {rater.catch}",
                f"{rater.median:.1f} s",
                "; ".join(rater.left_out) or "yes",
            )
            for rater in board.raters
        ),
    )


def _number(value: float, digits: int) -> str:
    return "–" if isnan(value) else f"{value:z.{digits}f}"


def _percent(value: float) -> str:
    return "–" if isnan(value) else f"{100 * value:.1f} %"


def _percents(low: float, high: float) -> str:
    return "–" if isnan(low) or isnan(high) else f"{100 * low:.1f} to {100 * high:.1f} %"


_LABEL, _WIDTH, _ROW, _SIDE = 210, 720, 30, 20


def strengths_svg(board: StudyBoard) -> str:
    """Strengths with their intervals, a row for each method."""
    bounds = [
        value for method in board.methods for value in (method.strength, method.low, method.high) if not isnan(value)
    ]
    low, high = min([*bounds, -0.5]), max([*bounds, 0.5])

    def x(value: float) -> float:
        return round(_LABEL + _SIDE + (_WIDTH - _LABEL - 2 * _SIDE) * (value - low) / (high - low), 1)

    bottom = _ROW * len(board.methods) + 10
    height = bottom + 44
    fragments = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Strengths with intervals"'
        ' xmlns="http://www.w3.org/2000/svg">'
    ]
    for tick in _ticks(low, high):
        line = f'x1="{x(tick)}" x2="{x(tick)}" y1="5" y2="{bottom}"'
        fragments.append(f'<line {line} class="{"zero" if tick == 0 else "tick"}"/>')
        fragments.append(f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle" class="axis">{tick:g}</text>')
    for number, method in enumerate(board.methods):
        y = _ROW * number + _ROW // 2 + 8
        name = method.method if len(method.method) <= 28 else f"{method.method[:27]}…"
        fragments.append(f'<text x="{_LABEL}" y="{y + 4}" text-anchor="end">{Markup.escape(xml(plain(name)))}</text>')
        if not isnan(method.low):
            line = f'x1="{x(method.low)}" x2="{x(method.high)}" y1="{y}" y2="{y}"'
            fragments.append(f"<line {line}/>")
        fragments.append(f'<circle cx="{x(method.strength)}" cy="{y}" r="5"/>')
    place = f'x="{(_LABEL + _WIDTH) / 2}" y="{height - 6}"'
    fragments.append(f'<text {place} text-anchor="middle" class="axis">strength (log-odds of being preferred)</text>')
    return "".join([*fragments, "</svg>"])


def _ticks(low: float, high: float) -> Sequence[float]:
    step = next(size for size in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100) if (high - low) / size <= 8 or size == 100)
    first = int(low // step) + (low % step > 0)
    return [count * step for count in range(first, int(high // step) + 1)]
