"""Figures from a store: what they show, that bytes repeat, and what is said when they cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.publish.artifact_layers import artifact_layers
from asasr_bench.bench.publish.figures.comparisons import bars, sensitivity
from asasr_bench.bench.publish.figures.curves import curves, groups
from asasr_bench.bench.publish.figures.data import FigureData
from asasr_bench.bench.publish.figures.options import KINDS, FigureOptions, parse_options
from asasr_bench.bench.publish.figures.pictures import artifacts, crops
from asasr_bench.bench.publish.figures.spectra import frc, spectrum
from asasr_bench.bench.publish.figures.trainings import read_log
from asasr_bench.bench.publish.figures.write import write_figure_list, write_figures
from asasr_bench.bench.publish.formats import FormatError
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.figures.bars import Bar, Panel, bars_figure
from asasr_bench.reports.figures.crops import most_different_box
from asasr_bench.reports.figures.curves import AxisLabel
from asasr_bench.reports.figures.style import Paper
from asasr_bench.reports.figures.training import running_mean
from asasr_bench.reports.palette import line_styles
from matplotlib.axes import Axes
from matplotlib.lines import Line2D


def test_methods_of_one_model_are_joined_in_the_order_of_their_setting() -> None:
    names = ["bicubic", "full-14", "full-8", "full-28", "no-amg-8", "no-amg-14", "net-4"]
    assert groups(names) == {
        "bicubic": {"": "bicubic"},
        "full": {"8": "full-8", "14": "full-14", "28": "full-28"},
        "no-amg": {"8": "no-amg-8", "14": "no-amg-14"},
        "net-4": {"": "net-4"},  # alone: its number says nothing
    }


def test_a_curve_has_the_means_of_the_store(store: Path) -> None:
    with open_store(store) as opened:
        data = FigureData(opened)
        ((stem, figure),) = curves(data, parse_options({"kind": "curves", "y": ["lsd", "hf_ratio"]}, "t"))
        scores = opened.scores()
    assert stem == "curves-D-asasr"
    first, second = figure.axes
    single, joined = first.lines
    means = scores.groupby(["metric", "method"])["value"].mean()
    np.testing.assert_allclose(joined.get_xdata(), [means["psnr_y", "net-2"], means["psnr_y", "net-4"]])
    np.testing.assert_allclose(joined.get_ydata(), [means["lsd", "net-2"], means["lsd", "net-4"]])
    assert single.get_linestyle() == "None"
    sizes = scores.assign(value=scores["value"].abs()).groupby(["metric", "method"])["value"].mean()
    np.testing.assert_allclose(second.lines[1].get_ydata(), [sizes["hf_ratio", f"net-{n}"] for n in (2, 4)])
    assert (scores["value"][scores["metric"] == "hf_ratio"] < 0).any()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a training, with a field that was not logged."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").write_text("step,loss,accuracy\n50,1.0,\n100,0.5,0.6\n150,0.3,0.7\n")
    return tmp_path / "run"


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_gives_the_same_bytes_again(make_store, log: Path, tmp_path: Path, kind: str) -> None:
    rules = {"D, clean": "severity:clean:0", "D, blur 2": "severity:blur=2:0"}
    fields = {"datasets": tuple(rules), "lq_rules": rules} if kind == "severity" else {}
    store = make_store(tmp_path / "store", metrics=("psnr_y", "ssim_y", "lsd", "hf_ratio", "frc"), **fields)
    if kind == "tiles":
        methods = [{"name": name, "weights": "n.pth", "tile": tile} for name, tile in (("net-2", 64), ("net-4", 128))]
        with open_store(store, write=True) as opened:
            started = "2024-05-02T00:00:00+00:00"
            opened.begin_run(started, {"name": "t", "methods": methods}, opened.runs()[0].provenance)
    needed = {"training": {"logs": {"a": str(log)}}, "sensitivity": {"values": {"net-2": 2, "net-4": 4}}}
    first = write_figures(store, [kind], tmp_path / "a", needed.get(kind))
    second = write_figures(store, [kind], tmp_path / "b", needed.get(kind))
    assert first
    assert [path.suffix for path in first] == [".pdf", ".png"] * (len(first) // 2)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_ring_curves_are_the_means_of_what_frc_stored(make_store, tmp_path: Path) -> None:
    """Of 48x48 pixels the 24 rings end at Nyquist; .5 / 4 cycles a pixel is LQ's."""
    with open_store(make_store(tmp_path / "store", metrics=("frc",))) as opened:
        ((stem, figure),) = frc(FigureData(opened), parse_options({"kind": "frc"}, "t"))
        payloads = [payload for place, payload in opened.payloads("frc") if place.method == "net-2"]
    assert stem == "frc-D-asasr"
    correlation, error = figure.axes
    for axes, stored in zip((correlation, error), np.mean(payloads, axis=0), strict=True):
        (line,) = (line for line in axes.lines if line.get_color() == line_of(correlation, "net-2").get_color())
        assert line.get_xdata()[-1] == 0.5
        assert line.get_ydata()[-1] == pytest.approx(stored[23], abs=1e-5)
        assert np.interp(6 / 48, line.get_xdata(), line.get_ydata()) == pytest.approx(stored[5], abs=0.02)
    assert any(list(line.get_xdata()) == [0.125, 0.125] for line in correlation.lines)


def line_of(axes: Axes, label: str) -> Line2D:
    return next(line for line in axes.lines if line.get_label() == label)


def test_a_store_without_ring_correlations_is_told(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has no ring correlations; run the metric 'frc' first"):
        write_figures(store, ["frc"], tmp_path)


def test_a_list_draws_all_figures_by_one_command(store: Path, tmp_path: Path, command) -> None:
    text = "store: store\nout: paper\nfigures:\n  - {kind: curves, name: trade}\n  - {kind: spectrum, columns: 2}\n"
    (tmp_path / "figures.yaml").write_text(text)
    printed = command("figures", "--list", "figures.yaml").stdout.split()
    assert sorted(Path(name).name for name in printed) == [
        "spectrum-D-asasr.pdf",
        "spectrum-D-asasr.png",
        "trade.pdf",
        "trade.png",
    ]
    assert all((tmp_path / name).is_file() for name in printed)
    only = command("figures", "--list", "figures.yaml", "--format", "svg", "--out", "other").stdout.split()
    assert sorted(Path(name).name for name in only) == ["spectrum-D-asasr.svg", "trade.svg"]
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["spectrum-D-asasr.svg", "trade.svg"]
    assert "without it" in command("figures", "--list", "figures.yaml", "--columns", "2", status=2).stderr


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: curve}", "unknown figure 'curve'; did you mean 'curves'?"),
        ("{kind: curves, yy: [lsd]}", "figure 'curves': 'yy': unknown key; did you mean 'y'"),
        ("{kind: curves, columns: 3}", "'columns'"),
        ("curves", "a figure is a mapping"),
    ],
)
def test_a_bad_entry_of_a_list_is_named(store: Path, tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "figures.yaml").write_text(f"store: store\nfigures:\n  - {entry}\n")
    with pytest.raises(FormatError, match="figure 1") as raised:
        write_figure_list(tmp_path / "figures.yaml")
    assert said in str(raised.value)


def test_a_key_goes_to_the_kinds_that_have_it(store: Path, tmp_path: Path, command) -> None:
    chosen = ("--set", "x=lsd", "--set", "power=false")
    names = command("figures", "store", "--kind", "curves,ranks", *chosen[:2], "--out", "f").stdout.split()
    assert {Path(name).name.split("-")[0] for name in names} == {"curves", "ranks"}
    with pytest.raises(FormatError, match="'power': unknown key"):
        write_figures(store, ["curves", "ranks"], tmp_path / "f", {"x": "lsd", "power": False})


def test_what_the_store_lacks_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no values of metric 'psnr'; did you mean 'psnr_y'\?"):
        write_figures(store, ["curves"], tmp_path, {"y": ["psnr"]})
    with pytest.raises(StoreError, match="no scores of method 'gan'; known: bicubic, net-2, net-4"):
        write_figures(store, ["curves"], tmp_path, {"methods": ["gan"]})


def opened_options(store: Path, **options: object) -> tuple[FigureData, FigureOptions]:
    return FigureData(open_store(store)), parse_options(options, "test")


def test_a_parameter_comes_from_the_references_in_specs(store: Path) -> None:
    with open_store(store, write=True) as opened:
        methods = [
            {"name": "net-2", "id": "asasr:x", "sampling": {"steps": 2}},
            {"name": "net-4", "id": "asasr:x", "sampling": {"steps": 4}},
        ]
        opened.begin_run("2024-05-02T00:00:00+00:00", {"name": "t", "methods": methods}, opened.runs()[0].provenance)
    data, options = opened_options(store, kind="sensitivity", y=["lsd"])
    ((_, figure),) = sensitivity(data, options)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [2, 4])
    data, options = opened_options(store, kind="sensitivity", parameter="sampling.shift")
    with pytest.raises(StoreError, match=r"fewer than two methods have the parameter 'sampling\.shift'"):
        list(sensitivity(data, options))


def test_bars_show_the_board(store: Path) -> None:
    data, options = opened_options(store, kind="bars", metrics=["psnr_y", "lsd"])
    ((_, figure),) = bars(data, options)
    values = data.board.scores.query("metric == 'psnr_y'").set_index("method")["value"]
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 0], values[data.names])
    assert not figure.axes[0].patches  # 0 dB is the end of nothing
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert bold == [f"{values.max():.2f}"]


def test_every_bar_begins_at_zero() -> None:
    styles, paper = line_styles(["a", "b"]), Paper()
    for values in ((0.2, 0.4), (-0.3, 0.4), (-2.0, -1.0), (5.0, 5.01), (7.0, 3.0)):
        drawn = [
            Bar(name, value, value - 0.05, value + 0.05, str(value), False)
            for name, value in zip("ab", values, strict=True)
        ]
        for zero in (True, False):
            axes = bars_figure([Panel(AxisLabel("x"), drawn, zero)], "", styles, paper).axes[0]
            low, high = axes.get_xlim()
            assert bool(axes.patches) != bool(axes.collections)
            assert bool(axes.patches) == (zero and abs(values[0] - values[1]) > 0.1)
            if axes.patches:
                assert low <= 0 <= high
                assert [patch.get_x() for patch in axes.patches] == [0, 0]
            assert low <= min(values) - 0.05 * (min(values) < 0 or not axes.patches)
            assert high >= max(values)


def test_crops_show_every_version_and_mark_the_best(store: Path) -> None:
    data, options = opened_options(store, kind="crops", metrics=["psnr_y"], boxes=[[8, 4, 16, 12]])
    ((stem, figure),) = crops(data, options)
    assert stem == "crops-D-image0-asasr"
    shown = [axes.images[0].get_array() for axes in figure.axes]
    with open_store(store) as opened:
        row = opened.outputs().query("image == 'image0' and method == 'net-2'").iloc[0]
        hr, sr = opened.objects.get(row["reference"]), opened.objects.get(row["sr"])
        scores = opened.scores().query("image == 'image0' and metric == 'psnr_y'").set_index("method")["value"]
    np.testing.assert_array_equal(shown[0], hr)
    assert shown[1].shape == (3, 4, 3)  # LQ, at scale 4
    np.testing.assert_array_equal(shown[3], sr[4:16, 8:24])
    np.testing.assert_array_equal(shown[-1], hr[4:16, 8:24])
    bold = [text.get_text() for text in figure.texts if text.get_weight() == "bold"]
    assert bold == [f"PSNR-Y {scores.max():.2f}"]
    data, options = opened_options(store, kind="crops", boxes=[[40, 0, 16, 16]])
    with pytest.raises(StoreError, match="leaves image 'image0' of 48x48"):
        list(crops(data, options))


def test_artifacts_are_drawn_over_each_method(store: Path) -> None:
    data, options = opened_options(store, kind="artifacts", images=["image1"])
    ((stem, figure),) = artifacts(data, options)
    assert stem == "artifacts-D-image1-asasr"
    titles = [axes.get_title(loc="center") for axes in figure.axes]
    assert titles[:4] == ["HR", "bicubic", "net-2", "net-4"]
    assert titles[5:8] == ["LDL"] * 3
    assert titles[9:] == ["DeSRA 0.0 %"] * 3  # 48x48 pixels are no area of 4,000
    data, options = opened_options(store, kind="artifacts", stable="bicubic")
    ((_, figure),) = artifacts(data, options)
    assert [axes.get_title(loc="center") for axes in figure.axes][:3] == ["HR", "net-2", "net-4"]
    data, options = opened_options(store, kind="artifacts", stable="net")
    with pytest.raises(StoreError, match=r"no method 'net' restored image 'image0' \(it has: bicubic, net-2, net-4\)"):
        list(artifacts(data, options))


def test_layers_lie_where_an_image_differs() -> None:
    hr = np.full((96, 96, 3), 120, np.uint8)
    sr = hr.copy()
    sr[:, :90] = np.random.default_rng(0).integers(60, 180, (96, 90, 3))
    layers = artifact_layers({"noise": sr}, hr)["noise"]
    assert set(layers) == {"LDL", "DeSRA"}
    for layer in layers.values():
        assert layer.shape == (96, 96, 4)
        assert layer[10:80, 10:80, 3].mean() > 50
    assert not artifact_layers({"same": hr[..., 0]}, hr[..., 0])["same"]["LDL"][..., 3].any()


def test_the_layers_of_methods_have_one_scale() -> None:
    noise = np.random.default_rng(0).integers(-60, 60, (96, 96, 3))
    hr = np.full((96, 96, 3), 120, np.uint8)
    layers = artifact_layers({"strong": (hr + noise).astype(np.uint8), "weak": (hr + noise // 4).astype(np.uint8)}, hr)
    strong, weak = (layers[name]["LDL"][..., 3].mean() for name in ("strong", "weak"))
    assert strong > 10 * weak > 0


def test_the_most_different_box_is_where_versions_differ(rng: np.random.Generator) -> None:
    first = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    second = first.copy()
    second[40:48, 72:80] ^= 128
    box = most_different_box([first, second], 16)
    assert (box.width, box.height) == (16, 16)
    assert box.left <= 72 < 80 <= box.left + 16
    assert box.top <= 40 < 48 <= box.top + 16


def test_a_training_log_is_read_and_smoothed(log: Path) -> None:
    read = read_log("a", log)
    np.testing.assert_array_equal(read.steps, [50, 100, 150])
    assert np.isnan(read.columns["accuracy"][0])
    np.testing.assert_allclose(running_mean(read.columns["loss"], 2), [1.0, 0.75, 0.4])
    (log / "log.csv").write_text("not,a\nlog,at all\n")
    with pytest.raises(StoreError, match="log of a training"):
        read_log("a", log)


def test_spectra_have_the_truths_profile_and_the_ratio_to_it(store: Path) -> None:
    data, options = opened_options(store, kind="spectrum")
    ((_, figure),) = spectrum(data, options)
    power, ratio = figure.axes
    curves_by_name = {line.get_label(): line for line in power.lines}
    assert list(curves_by_name) == ["HR", "bicubic", "net-2", "net-4"]
    gap = 10 * np.log10(curves_by_name["net-2"].get_ydata() / curves_by_name["HR"].get_ydata())
    np.testing.assert_allclose(ratio.lines[2].get_ydata(), gap, atol=1e-3)


def test_every_kind_says_what_it_is() -> None:
    assert all(model.__doc__ for model in KINDS.values())
