"""Figures of single images and of settings: their numbers are the store's, by other code than ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.publish.figures.data import FigureData
from asasr_bench.bench.publish.figures.options import parse_options
from asasr_bench.bench.publish.figures.write import MAKERS, write_figures
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.figures.style import Paper
from asasr_bench.reports.figures.training import Log, training_figure
from asasr_bench.reports.palette import line_styles
from matplotlib.figure import Figure

DIRECTIONS = {"psnr_y": 1, "ssim_y": 1, "lsd": -1, "hf_ratio": -1}


def drawn(store: Path, **options: object) -> Figure:
    """The only figure of a kind."""
    with open_store(store) as opened:
        ((_, figure),) = MAKERS[str(options["kind"])](FigureData(opened), parse_options(options, "test"))
    return figure


def values(store: Path) -> pd.DataFrame:
    """Of every output, by metric; sizes where 0 is best."""
    with open_store(store) as opened:
        table = opened.scores().pivot(index=["image", "method"], columns="metric", values="value")
    return table.assign(hf_ratio=table["hf_ratio"].abs())


def test_violins_show_the_images_of_each_method(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", images=12)
    figure = drawn(store, kind="violins", metrics=["psnr_y"])
    expected = values(store)["psnr_y"].groupby("method").median()
    medians = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(medians, expected[["bicubic", "net-2", "net-4"]])
    few = drawn(make_store(tmp_path / "few"), kind="violins", metrics=["psnr_y"])
    assert [len(line.get_xdata()) for line in few.axes[0].lines] == [6, 6, 6]
    assert not few.axes[0].collections


@pytest.mark.parametrize("coefficient", ["spearman", "kendall"])
def test_correlations_are_those_of_pandas_with_better_to_better(store: Path, coefficient: str) -> None:
    figure = drawn(store, kind="correlation", coefficient=coefficient)
    table = values(store)[list(DIRECTIONS)] * np.array(list(DIRECTIONS.values()))
    expected = table.corr(method=coefficient).to_numpy()
    shown = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    below = np.tri(3, dtype=bool)
    np.testing.assert_allclose(shown[below], expected[1:, :-1][below])
    assert np.isnan(shown[~below]).all()


def test_correlation_over_methods_takes_their_means(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", methods=("a", "b", "c", "d", "e"))
    figure = drawn(store, kind="correlation", over="methods", metrics=["psnr_y", "lsd"])
    means = values(store).groupby("method").mean()
    expected = means["psnr_y"].corr(-means["lsd"], method="spearman")
    assert float(figure.axes[0].images[0].get_array()[0, 0]) == pytest.approx(expected)
    with pytest.raises(StoreError, match=r"correlation: fewer than 4 methods of D have all of psnr_y, lsd"):
        drawn(make_store(tmp_path / "few"), kind="correlation", over="methods", metrics=["psnr_y", "lsd"])


def test_checkpoints_are_joined_by_their_steps(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", methods=("bicubic", "ours-2000", "ours-500", "ours-1000"))
    panel = drawn(store, kind="checkpoints", y=["lsd"]).axes[0]
    line, level, *_ = panel.lines
    means = values(store)["lsd"].groupby("method").mean()
    np.testing.assert_array_equal(line.get_xdata(), [500, 1000, 2000])
    np.testing.assert_allclose(line.get_ydata(), means[["ours-500", "ours-1000", "ours-2000"]])
    assert (level.get_label(), level.get_ydata()[0]) == ("bicubic", pytest.approx(means["bicubic"]))
    with pytest.raises(StoreError, match="no two methods are called NAME-STEP"):
        write_figures(make_store(tmp_path / "o", methods=("a", "b")), ["checkpoints"], tmp_path / "out")


def tell_tiles(store: Path) -> None:
    """Let the latest spec say that two methods are one network in tiles of two sizes."""
    methods = [
        {"name": "net-2", "weights": "n.pth", "tile": 128, "overlap": 8},
        "bicubic",
        {"name": "net-4", "weights": "n.pth", "tile": 64},
    ]
    with open_store(store, write=True) as opened:
        opened.begin_run("2024-05-02T00:00:00+00:00", {"name": "t", "methods": methods}, opened.runs()[0].provenance)


def test_tiles_come_from_the_specs(store: Path) -> None:
    with pytest.raises(StoreError, match="no two methods of its specs are one model with different 'tile'"):
        drawn(store, kind="tiles")
    tell_tiles(store)
    line = drawn(store, kind="tiles").axes[0].lines[0]
    means = values(store)["psnr_y"].groupby("method").mean()
    assert line.get_label() == "net"
    np.testing.assert_array_equal(line.get_xdata(), [64, 128])
    np.testing.assert_allclose(line.get_ydata(), means[["net-4", "net-2"]])


def test_values_of_validations_are_joined_over_the_rows_without_them() -> None:
    log = Log("a", np.array([1.0, 2, 3, 4]), {"psnr": np.array([20.0, np.nan, np.nan, 22])})
    figure = training_figure([log], ["psnr"], line_styles(["a"]), Paper())
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [1, 4])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [20, 22])
