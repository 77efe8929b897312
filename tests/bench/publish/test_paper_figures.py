"""Figures that can go into a paper as they are: no text on another, nothing cut off, its fonts, widths and formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from asasr_bench.bench.publish.figures.data import FigureData
from asasr_bench.bench.publish.figures.options import KINDS, parse_options
from asasr_bench.bench.publish.figures.write import MAKERS, write_figures
from asasr_bench.bench.publish.formats import FormatError
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.figures.crops import Box, Version, crops_figure
from asasr_bench.reports.figures.labels import PointLabel, place_labels
from asasr_bench.reports.figures.style import INCHES, TALLEST, Font, Paper, Width
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LONG = (
    "bicubic",
    "realesr-animevideov3",
    "swinir-real-sr-large",
    "net-2",
    "net-4",
    "a_b $x$ & 50%",
    "DAT-light",
    "OSEDiff",
    "ours (w/o adversary)",
)
KINDS_TO_READ = sorted(set(KINDS) - {"training", "sensitivity", "tiles", "severity"} - {"ranks", "correlation"})
"""All that need nothing but a store, and whose labels are not turned: boxes of turned text are larger than it."""
METRICS = ("psnr_y", "ssim_y", "lsd", "hf_ratio", "frc")


@pytest.fixture(scope="module")
def crowded(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine methods whose values are close to each other and whose names are long."""
    return make_store(tmp_path_factory.mktemp("crowded") / "store", methods=LONG, metrics=METRICS)


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """What is written when a figure is drawn, and the boxes of it without their outermost half point."""
    result = []
    original = Text.draw

    def draw(text: Text, renderer: RendererBase) -> None:
        if text.get_visible() and text.get_text().strip():
            result.append((text.get_text(), text.get_window_extent(renderer).padded(-0.5 * figure.dpi / 72)))
        original(text, renderer)

    with mock.patch.object(Text, "draw", draw):
        figure.draw_without_rendering()
    return result


def check(figure: Figure, paper: Paper) -> None:
    """No two texts overlap, and none leaves the page."""
    with paper.drawing():
        result = texts(figure)
        page = figure.bbox.padded(0.5)
        for (one, box), (other, second) in combinations(result, 2):
            assert not box.overlaps(second), (one, other)
        for text, box in result:
            assert (box.min >= page.min).all(), text
            assert (box.max <= page.max).all(), text


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("kind", KINDS_TO_READ)
def test_no_text_lies_on_another_or_leaves_the_page(crowded: Path, kind: str, columns: Width) -> None:
    options = parse_options({"kind": kind, "columns": columns}, "test")
    with open_store(crowded) as store:
        figures = list(MAKERS[kind](FigureData(store), options))
    assert figures
    for _, figure in figures:
        assert figure.get_figwidth() == INCHES[columns]
        check(figure, options.paper)


@pytest.mark.parametrize("kind", ["cost"])
def test_titles_and_larger_text_of_another_font_fit_too(crowded: Path, kind: str) -> None:
    options = parse_options({"kind": kind, "font": "sans", "size": 10, "title": True}, "test")
    with open_store(crowded) as store:
        for _, figure in MAKERS[kind](FigureData(store), options):
            check(figure, options.paper)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(LONG)), min_size=1, max_size=14),
    st.booleans(),
)
def test_labels_touch_no_label_and_no_marker(points: list[tuple[float, float, str]], needed: bool) -> None:
    paper = Paper()
    with paper.drawing():
        figure = paper.figure(2.5)
        axes = figure.subplots()
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o")
        axes.margins(0.15)
        labels = [PointLabel(paper.text(name), x, y, "black") for x, y, name in points]
        lost = place_labels(figure, axes, labels, paper.small, needed=needed)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) + len(lost) == len(labels)
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        centres = axes.transData.transform([(x, y) for x, y, _ in points])
        half = axes.lines[0].get_markersize() / 2 * figure.dpi / 72
        for box in boxes:
            assert not any(box.overlaps(Bbox([centre - half, centre + half])) for centre in centres)
            assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1


def test_few_labels_are_all_written_wherever_their_points_are() -> None:
    paper = Paper()
    places = [(0.0, 0.0), (0.001, 0.001), (0.002, 0.0), (1.0, 1.0)]
    with paper.drawing():
        figure = paper.figure(2.5)
        axes = figure.subplots()
        axes.plot(*zip(*places, strict=True), "o")
        axes.margins(0.15)
        labels = [PointLabel(name, *place, "black") for name, place in zip(LONG, places, strict=False)]
        assert place_labels(figure, axes, labels, paper.small) == ()
    assert [text.get_text() for text in axes.texts] != []


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("shape", [(320, 480), (768, 512)])
@pytest.mark.parametrize("count", [2, 8, 14])
@pytest.mark.parametrize("boxes", [1, 2])
def test_crops_fit_a_column(columns: Width, shape: tuple[int, int], count: int, boxes: int) -> None:
    whole = np.zeros((*shape, 3), dtype=np.uint8)
    names = [LONG[number % len(LONG)] for number in range(count)]
    versions = [Version(name, whole, (("PSNR-Y 25.15", True), ("LPIPS 0.2921", False))) for name in names]
    places = [Box(0, 0, 64, 48), Box(100, 100, 64, 64)][:boxes]
    paper = Paper(columns)
    figure = crops_figure(whole, versions, places, "Urban100: img_024", paper)
    assert figure.get_figwidth() == INCHES[columns] <= (3.3 if columns == 1 else 6.9)
    if count <= 8 or boxes == 1:
        assert figure.get_figheight() <= TALLEST[columns] + 1e-6
    check(figure, paper)
    for axes in figure.axes:
        place = axes.get_position()
        assert 0 <= place.x0 < place.x1 <= 1
        assert 0 <= place.y0 < place.y1 <= 1


def test_titles_are_off_unless_asked_for(store: Path) -> None:
    with open_store(store) as opened:
        data = FigureData(opened)
        for title in (False, True):
            options = parse_options({"kind": "spectrum", "title": title}, "test")
            ((_, figure),) = MAKERS["spectrum"](data, options)
            assert figure.get_suptitle() == ("D, 6 images, asasr" if title else "")


@pytest.mark.parametrize("font", ["serif", "sans"])
def test_fonts_are_embedded_as_true_type(store: Path, tmp_path: Path, font: Font) -> None:
    (path,) = write_figures(store, ["cost"], tmp_path, {"font": font, "y": "lsd", "formats": ["pdf"]})
    content = path.read_bytes()
    assert b"/Type3" not in content
    assert set(re.findall(rb"/FontFile\d?", content)) == {b"/FontFile2"}  # TrueType
    names = set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([\w-]+)", content))
    assert any(name.startswith(b"STIXGeneral") for name in names) == (font == "serif")


def test_formats_and_size_are_as_asked_for(store: Path, tmp_path: Path, command) -> None:
    done = command("figures", store, "--kind", "curves", "--format", "svg,png", "--out", "f", "--set", "size=10")
    svg, png = (tmp_path / name for name in done.stdout.split())
    assert (svg.suffix, png.suffix) == (".svg", ".png")
    assert re.search(r'<svg [^>]*width="234pt"', svg.read_text())
    assert "<dc:date>" not in svg.read_text()
    command("figures", store, "--kind", "curves", "--format", "jpg", "--out", "f", status=2)


def test_latex_gets_escaped_text_and_is_asked_for_where_it_is_missing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Paper(usetex=True).text("a_b ↑ 50% $x") == r"a\_b $\uparrow$ 50\% \$x"
    assert Paper(usetex=True).text("27.1 %", bold=True) == r"\textbf{27.1 \%}"
    assert Paper().text("a_b $x$", bold=True) == r"a_b \$x\$"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FormatError, match="figure 'curves': usetex: there is no 'latex' on this machine"):
        write_figures(store, ["curves"], tmp_path / "out", {"usetex": True})
    assert not (tmp_path / "out").exists()
