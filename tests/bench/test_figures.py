"""Figures from a store: what they show, that bytes repeat, and what is said when they cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.figures import write_figure_list, write_figures
from asasr_bench.bench.figures.curves import curves, groups
from asasr_bench.bench.figures.material import Material
from asasr_bench.bench.figures.options import KINDS, parse_options
from asasr_bench.bench.leaderboard import FormatError
from asasr_bench.bench.objects import StoreError
from asasr_bench.bench.store import open_store


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
        material = Material(opened)
        ((stem, figure),) = curves(material, parse_options({"kind": "curves", "y": ["lsd", "hf_ratio"]}, "t"))
        scores = opened.scores()
    assert stem == "curves-D-asasr"
    first, second = figure.axes
    single, joined = first.lines
    means = scores.groupby(["metric", "method"])["value"].mean()
    np.testing.assert_allclose(joined.get_xdata(), [means["psnr_y", "net-2"], means["psnr_y", "net-4"]])
    np.testing.assert_allclose(joined.get_ydata(), [means["lsd", "net-2"], means["lsd", "net-4"]])
    assert single.get_linestyle() == "None"
    medians = scores.groupby(["metric", "method"])["value"].median()  # how HF ratio is aggregated
    np.testing.assert_allclose(second.lines[1].get_ydata(), [medians["hf_ratio", f"net-{n}"] for n in (2, 4)])


@pytest.mark.parametrize("kind", ["spectrum", "curves"])
def test_every_kind_gives_the_same_bytes_again(store: Path, tmp_path: Path, kind: str) -> None:
    first = write_figures(store, [kind], tmp_path / "a")
    second = write_figures(store, [kind], tmp_path / "b")
    assert [path.suffix for path in first] == [".pdf", ".png"] * (len(first) // 2)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_list_draws_all_figures_by_one_command(store: Path, tmp_path: Path, command) -> None:
    text = "store: store\nout: paper\nfigures:\n  - {kind: curves, name: trade}\n  - {kind: spectrum, columns: 2}\n"
    (tmp_path / "figures.yaml").write_text(text)
    printed = command("figures", "--list", "figures.yaml").stdout.split()
    assert sorted(Path(name).name for name in printed) == [
        "spectrum-D-asasr.pdf", "spectrum-D-asasr.png", "trade.pdf", "trade.png",
    ]  # fmt: skip
    assert all((tmp_path / name).is_file() for name in printed)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: curve}", "unknown figure 'curve'; did you mean 'curves'?"),
        ("{kind: curves, yy: [lsd]}", "figure 'curves' has no key 'yy'; did you mean 'y'?"),
        ("{kind: curves, columns: 3}", "'columns'"),
        ("curves", "a figure is a mapping"),
    ],
)
def test_a_bad_entry_of_a_list_is_named(store: Path, tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "figures.yaml").write_text(f"store: store\nfigures:\n  - {entry}\n")
    with pytest.raises(FormatError, match="figure 1") as raised:
        write_figure_list(tmp_path / "figures.yaml")
    assert said in str(raised.value)


def test_what_the_store_lacks_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no values of metric 'lpips' \(it has: psnr_y, ssim_y, lsd, hf_ratio\)"):
        write_figures(store, ["curves"], tmp_path, {"y": ["lpips"]})
    with pytest.raises(StoreError, match=r"no scores of method 'gan' \(it has: bicubic, net-2, net-4\)"):
        write_figures(store, ["curves"], tmp_path, {"methods": ["gan"]})


def test_every_kind_says_what_it_is() -> None:
    assert all(model.__doc__ for model in KINDS.values())
