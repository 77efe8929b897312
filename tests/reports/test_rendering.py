"""What a report shows, and what it must never do."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from asasr_bench.reports.board import COST_COLUMNS, METHOD_COLUMNS, SCORE_COLUMNS, Board, Example, RunRecord
from asasr_bench.reports.grid import between, grids, number
from asasr_bench.reports.notes import problems
from asasr_bench.reports.page import to_html
from asasr_bench.reports.tables import to_csv, to_latex, to_markdown
from asasr_bench.reports.terminal import to_terminal
from rich.console import Console
from rich.text import Text

HOSTILE = "<script>alert(1)</script>_&%"


def board(
    values: dict[str, tuple[float, int]],
    status: str = "",
    tied: tuple[str, ...] = (),
    untested: frozenset[tuple[str, str]] = frozenset(),
) -> Board:
    most = max(n for _, n in values.values())
    rows = [
        (
            "asasr",
            "Set",
            "psnr_y",
            name,
            value,
            value - 1,
            value + 1,
            n,
            "higher",
            value if n == most else np.nan,
            most,
            name in tied,
            0,
        )
        for name, (value, n) in values.items()
    ]
    lost = [
        ("asasr", "Set", name, "", status, "weights are missing", 1)
        for name, (value, _) in values.items()
        if value != value
    ]
    return Board(
        title="T",
        scores=pd.DataFrame(rows, columns=SCORE_COLUMNS),
        rules={("asasr", "Set"): "degradation:seesr-x4:0"},
        untested=untested,
        methods=pd.DataFrame([(name, "gan", 1_200_000, 28, "") for name in values], columns=METHOD_COLUMNS),
        costs=pd.DataFrame(
            [("asasr", "Set", name, 0.5, 2.0**30, "cpu", float("nan"), float("nan"), "") for name in values],
            columns=COST_COLUMNS,
        ),
        problems=pd.DataFrame(lost, columns=["protocol", "dataset", "method", "metric", "status", "message", "count"]),
        metrics=pd.DataFrame(
            [("psnr_y", "PSNR-Y", "dB", 2, "higher")], columns=["metric", "title", "unit", "digits", "direction"]
        ),
        provenance=[RunRecord("t", HOSTILE, "2024", "2025", {}, {}, {}, {})],
    )


def test_best_and_second_are_marked_at_printed_precision() -> None:
    text = to_markdown(board({"a": (30.001, 5), "b": (30.004, 5), "c": (29.0, 5), "d": (28.0, 5)}))
    assert text.count("**30.00**") == 2
    assert "<u>29.00</u>" in text
    assert "<u>28" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_terminal_cuts_no_value(width: int) -> None:
    """Nine metrics: those that do not fit beside others follow below, each once."""
    one = board({"a-method-of-a-long-name": (30.25, 50), "b": (float("nan"), 50)}, status="unavailable", tied=("b",))
    names = [f"metric{number}" for number in range(9)]
    many = replace(
        one,
        scores=pd.concat([one.scores.assign(metric=name) for name in names]),
        metrics=pd.concat([one.metrics.assign(metric=name, title=name.title()) for name in names]),
    )
    console = Console(width=width, record=True, file=io.StringIO())
    for table in to_terminal(many, width):
        console.print(table)
    text = console.export_text()
    assert "…" not in text
    assert text.count("30.25") == text.count("unavailable") == 9
    assert [text.count(name.title()) for name in names] == [1] * 9
    assert text.count("time") == text.count("memory") == 1
    *_, notes = to_terminal(replace(many, metrics=many.metrics.assign(note="of energy alone")), width)
    assert isinstance(notes, Text)
    assert notes.plain.startswith("Metric0: of energy alone.")  # as wide as the terminal, not as the last table


def test_tables_are_arranged_once_for_all_formats_and_anew_for_another_board() -> None:
    whole = board({"a": (1.0, 5), "b": (2.0, 5)})
    (first,), (again,) = grids(whole), grids(whole)
    assert first is again
    (part,) = grids(replace(whole, scores=whole.scores[whole.scores["method"] == "b"]))
    assert [row.method for row in first.rows] == ["a", "b"]
    assert [row.method for row in part.rows] == ["b"]


def test_what_cannot_be_told_from_the_best_is_marked() -> None:
    one = board({"a": (30.0, 50), "b": (29.9, 50)}, tied=("b",))
    assert "<u>29.90</u>≈" in to_markdown(one)
    assert r"\underline{29.90}$^{\approx}$" in to_latex(one)
    assert '29.90</span><span class="tied"' in to_html(one, [])
    few = board({"a": (30.0, 3), "b": (29.9, 3)}, untested=frozenset({("asasr", "Set")}))
    assert "3 images, too few for significance tests" in to_markdown(few)


def test_a_mean_of_fewer_images_is_told_and_not_ranked() -> None:
    text = to_markdown(board({"a": (35.0, 3), "b": (30.0, 5)}))
    assert "35.00 [34.00, 36.00] (n=3)" in text
    assert "**30.00**" in text


def test_what_is_missing_is_a_word_with_its_reason() -> None:
    text = to_markdown(board({"a": (float("nan"), 0), "b": (30.0, 5)}, status="unavailable"))
    assert "| unavailable |" in text
    assert "weights are missing" in text


def test_weights_that_are_missing_everywhere_are_told_once() -> None:
    lost = [("asasr", dataset, method, "psnr_y", "unavailable", "no weights", 5) for dataset in "DE" for method in "ab"]
    failures = [("asasr", dataset, "a", "", "failed", "too large", 1) for dataset in "DE"]
    several = board({"a": (30.0, 5)})
    several = replace(several, problems=pd.DataFrame(lost + failures, columns=several.problems.columns))
    assert [(one.status, one.count, one.place, one.message) for one in problems(several)] == [
        ("unavailable", 20, ("PSNR-Y",), "no weights"),
        ("failed", 1, ("D", "a"), "too large"),
        ("failed", 1, ("E", "a"), "too large"),
    ]


def test_the_origin_of_lq_is_told() -> None:
    assert "LQ by degradation:seesr-x4:0" in to_markdown(board({"a": (30.0, 5)}))


def test_csv_has_the_promised_header_and_full_precision() -> None:
    lines = to_csv(board({"a": (30.123456789012345, 5)})).splitlines()
    assert lines[0] == (
        "dataset,method,metric,protocol,value,ci_low,ci_high,n,direction,set_images,infinite,seconds,memory,"
        "macs,activations,lq_size,identity"
    )
    assert lines[1].split(",")[4] == repr(30.123456789012345)


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(-0.001, 2, "0.00"), (-0.0, 4, "0.0000"), (-0.005, 2, "-0.01"), (6e59, 2, "6.00e+59"), (-2.5e7, 0, "-2.50e+07"),
     (999999.4, 2, "999999.40"), (float("-inf"), 2, "-∞"), (float("nan"), 2, "")],
)  # fmt: skip
def test_no_number_is_minus_nothing_or_fills_the_page(value: float, digits: int, shown: str) -> None:
    assert number(value, digits) == shown


def test_no_bound_of_an_interval_is_minus_nothing() -> None:
    assert between(-0.001, 0.004, 2) == "0.00 to 0.00"
    assert between(-0.001, 0.2, 2, "+") == "+0.00 to +0.20"


def test_a_share_of_a_network_that_diverged_fills_no_page_either() -> None:
    one = board({"hr": (31.0, 5), "bicubic": (30.0, 5), "net": (6e59, 5)})
    one.methods.loc[0, "family"] = "reference"
    assert len(max(to_markdown(one).splitlines(), key=len)) < 300
    assert "(6.00e+61 %)" in to_markdown(one)


def test_equal_images_print_infinity() -> None:
    assert "∞" in to_markdown(board({"a": (float("inf"), 5)}))
    assert r"$\infty$" in to_latex(board({"a": (float("inf"), 5)}))


@pytest.mark.parametrize("render", [to_markdown, lambda b: to_html(b, [])])
def test_names_are_never_markup(render) -> None:
    assert "<script>alert" not in render(board({HOSTILE: (30.0, 5)}))


def test_gallery_names_cannot_leave_their_script_element(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    name = "</script><script>alert(1)</script>"
    example = Example("Set", name, pixels[::4, ::4], pixels, {"a": pixels}, protocol="asasr")
    page = to_html(board({"a": (30.0, 5)}), [example])
    assert "<script>alert" not in page
    assert page == to_html(board({"a": (30.0, 5)}), [example])


def test_latex_escapes_every_special_sign() -> None:
    text = to_latex(board({"a_b & 50% #1 {x} ~ ^ $ \\": (30.0, 5)}))
    assert r"a\_b \& 50\% \#1 \{x\} \textasciitilde{} \textasciicircum{} \$ \textbackslash{}" in text
    assert r"{*}a{[}b] &" in to_latex(board({"*a[b]": (30.0, 5)}))  # \\* and \\[ are commands
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
