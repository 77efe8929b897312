"""Scales such as 1.5 from the files of a dataset to tables, figures and exchanged results; whole ones as they were."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from asasr_bench.bench import evaluate, load_method, open_store
from asasr_bench.bench.analysis.compare import compare_methods
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.analysis.severity import case_values, curves_over
from asasr_bench.bench.api.evaluation import Evaluation
from asasr_bench.bench.api.read import figures
from asasr_bench.bench.exchange.export_results import export_results
from asasr_bench.bench.exchange.import_results import import_results
from asasr_bench.bench.protocols import ProtocolError, get_protocol, is_shipped
from asasr_bench.bench.spec import SpecError, parse_spec
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.keys import input_key, restoration_key
from asasr_bench.datasets.errors import UsageError
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.interface import MethodCard
from numpy.typing import NDArray
from skimage import data


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sides that no scale here divides."""
    folder = tmp_path_factory.mktemp("photos")
    write_png(folder / "cat.png", np.ascontiguousarray(data.chelsea()[100:197, 120:251]))
    write_png(folder / "coffee.png", np.ascontiguousarray(data.coffee()[150:263, 200:301]))
    return folder


def matrix(size: int, sides: int, scale: float) -> NDArray[np.float64]:
    """MATLAB's bicubic along one side, ``[size, sides]``, from its definition."""
    width = min(scale, 1.0)
    x = np.abs(np.arange(-sides, 2 * sides) - ((np.arange(size)[:, None] + 0.5) / scale - 0.5)) * width
    weights = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    weights /= weights.sum(1, keepdims=True)
    before, inside, after = np.split(weights, 3, axis=1)
    return np.asarray(before[:, ::-1] + inside + after[:, ::-1])


def enlarged(image: NDArray[np.uint8], size: tuple[int, int], scale: float) -> NDArray[np.uint8]:
    """Rows first, rounded after each pass, as MATLAB does with 8 bits."""
    for axis in (0, 1):
        sums = np.moveaxis(np.tensordot(matrix(size[axis], image.shape[axis], scale), image, (1, axis)), 0, axis)
        image = np.clip(np.floor(sums + 0.5), 0, 255).astype(np.uint8)
    return image


def bicubic_psnr(hr: NDArray[np.uint8], scale: float, step: int) -> float:
    """ArbSR's evaluation of bicubic: gen_LR_img.m, ``calc_psnr`` of utility.py on Y with ceil(scale) pixels shaved."""
    unit = round(step * scale)
    hr = hr[: len(hr) // unit * unit, : hr.shape[1] // unit * unit]
    size = round(len(hr) / scale), round(hr.shape[1] / scale)
    sr = enlarged(enlarged(hr, size, 1 / scale), hr.shape[:2], scale)
    shave = int(np.ceil(scale))
    y = (sr.astype(float) - hr) @ (65.738, 129.057, 25.064) / 256
    return float(-10 * np.log10((y[shave:-shave, shave:-shave] ** 2).mean() / 255**2))


@pytest.mark.parametrize(("scale", "step"), [(1.5, 2), (2.4, 5), (3.3, 10)])
def test_bicubic_is_an_independent_computation_of_it(photos: Path, tmp_path: Path, scale: float, step: int) -> None:
    at(scale, tmp_path / "s", "classic-xS-float", datasets={"photos": photos})
    with open_store(tmp_path / "s") as store:
        ours = store.scores().set_index("image")["value"]
        assert set(store.outputs()["scale"]) == {scale}
    for path in photos.iterdir():
        assert ours[path.stem] == pytest.approx(bicubic_psnr(read_image(path), scale, step), abs=2e-3)


def at(scale: float, root: Path, protocol: str = "osediff-512", **more: Any) -> Evaluation:
    """PSNR of bicubic under a protocol for any scale, unless more is said."""
    spec = {"protocol": protocol, "metrics": ["psnr_y"], "methods": ["bicubic"], "device": "cpu"}
    own = {key: more.pop(key) for key in ("methods", "datasets") if key in more}
    return evaluate({**spec, **more}, root, scale=scale, progress=False, **own)


def spec_file(folder: Path, protocol: str, **more: Any) -> Path:
    path = folder / "spec.yaml"
    path.write_text(json.dumps({"name": "s", "protocol": protocol, "metrics": ["psnr_y"], "device": "cpu", **more}))
    return path


def test_one_store_holds_several_scales_from_dataset_to_table(
    photos: Path, tmp_path: Path, command: Callable[..., Any], session: Callable[..., Any]
) -> None:
    spec = spec_file(
        tmp_path, "classic-xS-float", datasets=[{"name": "photos", "hr": str(photos)}], methods=["bicubic", "nearest"]
    )
    command("run", spec, "--store", "S", "--scale", "1.5")
    for arguments in (["S", "--scale", "2.5"], ["S"], ["W"]):
        assert session("run", spec, "--store", *arguments).status == 0
    assert session("report", "S", "--format", "md,csv", "--out", "R").status == 0
    with open_store(tmp_path / "S") as store, open_store(tmp_path / "W") as alone:
        scores = store.scores()
        assert [str(scale) for scale in scores["scale"].unique()] == ["1.5", "2.5", "4"]
        whole = scores[scores["protocol"] == "classic-x4-float"]
        assert whole["value"].to_list() == alone.scores()["value"].to_list()
        assert {key for key, *_ in store.query("SELECT key FROM restorations")} >= {
            key for key, *_ in alone.query("SELECT key FROM restorations")
        }
    means = scores.groupby(["scale", "method"])["value"].mean()
    assert means[1.5, "bicubic"] > means[2.5, "bicubic"] > means[4, "bicubic"] > means[4, "nearest"]
    rows = pd.read_csv(tmp_path / "R" / "leaderboard.csv").set_index(["protocol", "method"])["value"]
    text = (tmp_path / "R" / "leaderboard.md").read_text()
    for scale in ("1.5", "2.5", "4"):
        assert rows[f"classic-x{scale}-float", "bicubic"] == pytest.approx(means[float(scale), "bicubic"], rel=1e-12)
        assert f"Protocol `classic-x{scale}-float`, LQ by matlab-bicubic" in text


def test_a_set_s_scales_are_told_apart_under_one_protocol(photos: Path, tmp_path: Path) -> None:
    for scale in (1.5, 4):
        at(scale, tmp_path / "S", datasets={"photos": photos}, methods=["bicubic", "lanczos"])
    with open_store(tmp_path / "S") as store:
        assert set(load_board(store, title="t").scores["dataset"]) == {"photos x1.5", "photos x4"}
    rows = compare_methods(tmp_path / "S", "bicubic", "lanczos", metrics=["psnr_y"])
    assert {row.dataset for row in rows} == {"photos x1.5", "photos x4"}


@pytest.mark.parametrize("format", ["json", "parquet", "eee"])
def test_scales_go_out_and_come_back(photos: Path, tmp_path: Path, format: str) -> None:
    for scale in (1.5, 4):
        at(scale, tmp_path / "S", datasets={"photos": photos})
    target = tmp_path / {"json": "r.json", "parquet": "r.parquet", "eee": "eee"}[format]
    export_results(tmp_path / "S", format, target)
    import_results(target, tmp_path / "again")
    with open_store(tmp_path / "S") as store, open_store(tmp_path / "again") as again:
        assert [str(scale) for scale in again.scores()["scale"].unique()] == ["1.5", "4"]
        pd.testing.assert_frame_equal(again.scores(), store.scores(), check_exact=True)


def test_severity_has_such_scales_on_its_axis(photos: Path, tmp_path: Path) -> None:
    for scale in (1.5, 2.5, 4):
        at(scale, tmp_path / "S", datasets={"photos": photos}, severity={"noise": [0, 10]})
    with open_store(tmp_path / "S") as store:
        (values,) = case_values(store)
    labels, (curve,) = curves_over(values, "scale")
    assert labels == ("1.5", "2.5", "4")
    assert (np.diff(curve.means) < 0).all()
    assert [path.name for path in figures(tmp_path / "S", "severity", tmp_path / "F")]


class Own:
    """A researcher's method, with what it was asked for."""

    def __init__(self, *scales: float) -> None:
        self.card = MethodCard("own", "regression", "Interpolation by torch", scales)
        self.asked: list[float] = []

    def restore(self, lq: torch.Tensor, scale: float, seeds: Any) -> torch.Tensor:
        self.asked.append(scale)
        size = [round(scale * side) for side in lq.shape[2:]]
        return torch.nn.functional.interpolate(lq, size, mode="bicubic").clamp(0, 1)


def test_a_method_of_one_s_own_gets_the_scale_as_it_is_written(photos: Path, tmp_path: Path) -> None:
    own = Own(1.5, 2, 3.3)
    for scale in (1.5, 2):
        at(scale, tmp_path / "S", datasets={"photos": photos}, methods={"own": own})
    assert [repr(scale) for scale in own.asked] == ["1.5", "1.5", "2", "2"]
    with open_store(tmp_path / "S") as store:
        assert set(store.scores()["status"]) == {"done"}
    with pytest.raises(UsageError, match=r"method 'own' is made for scale 1.5, 2, 3.3, not 2.5; give --scale"):
        at(2.5, tmp_path / "N", datasets={"photos": photos}, methods={"own": own})
    assert len(own.asked) == 4


def test_what_is_for_another_scale_ends_before_any_work(
    photos: Path, session: Callable[..., Any], tmp_path: Path
) -> None:
    refused = {
        "ntire-sr-x4": ("bicubic", "protocol 'ntire-sr-x4' is for scale 4, not 1.5; give --scale 4"),
        "osediff-512": ("compact-gan", "method 'compact-gan' is made for scale 4, not 1.5"),
    }
    for protocol, (method, told) in refused.items():
        said = session(
            "run",
            spec_file(tmp_path, protocol),
            "--dataset",
            f"photos={photos}",
            "--method",
            method,
            "--scale",
            "1.5",
            "--store",
            "S",
        )
        assert (said.status, told in said.err) == (2, True)
    said = session(
        "run",
        spec_file(tmp_path, "osediff-512"),
        "--dataset",
        f"photos={photos}",
        "--method",
        "bicubic",
        "--scale",
        "1.33",
        "--store",
        "S",
    )
    assert said.status == 2
    assert "scale 1.33: a scale that is not whole is a multiple of 0.05" in said.err
    assert "the nearest is 1.35" in said.err
    assert not (tmp_path / "S").exists()


def test_images_without_hr_have_any_size(session: Callable[..., Any], tmp_path: Path, rng: np.random.Generator) -> None:
    write_png(tmp_path / "in.png", rng.integers(0, 256, (21, 13, 3), dtype=np.uint8))
    assert session("restore", "bicubic", "in.png", "out.png", "--scale", "1.5").status == 0
    assert read_image(tmp_path / "out.png").shape == (32, 20, 3)
    np.testing.assert_array_equal(load_method("bicubic")(tmp_path / "in.png", 1.5), read_image(tmp_path / "out.png"))


def test_lq_files_of_such_a_scale_are_paired_and_checked(
    photos: Path, session: Callable[..., Any], tmp_path: Path
) -> None:
    assert session("data", "prepare", f"photos={photos}", "--scale", "2.4", "--out", "LQ").status == 0
    assert sorted(path.name for path in (tmp_path / "LQ").iterdir()) == ["catx2.4.png", "coffeex2.4.png"]
    assert read_image(tmp_path / "LQ" / "catx2.4.png").shape == (40, 50, 3)  # of 96 x 120 of 97 x 131 pixels
    spec = spec_file(tmp_path, "classic-x2.4-float", methods=["bicubic"])
    assert session("run", spec, "--dataset", f"photos=LQ,{photos}", "--store", "S").status == 0
    assert session("run", spec, "--dataset", f"photos={photos}", "--store", "T").status == 0
    with open_store(tmp_path / "S") as given, open_store(tmp_path / "T") as made:
        assert given.scores()["value"].to_list() == made.scores()["value"].to_list()


@pytest.mark.parametrize(
    ("name", "scale", "shave"),
    [("classic-x1.5", 1.5, 2), ("classic-x2.4-float", 2.4, 3), ("classic-x4", 4, 4), ("classic-x3.05", 3.05, 4)],
)
def test_classic_protocols_shave_the_scale_rounded_up(name: str, scale: float, shave: int) -> None:
    """As ``calc_psnr`` of ArbSR's utility.py does with its benchmarks."""
    protocol = get_protocol(name, None)
    assert (protocol.name, protocol.scale, protocol.shave) == (name, scale, shave)
    assert get_protocol(name.replace(str(scale), "S"), float(scale)) == protocol


def test_a_protocol_of_no_scale_is_none() -> None:
    assert not is_shipped("classic-x1.33")
    with pytest.raises(ProtocolError, match=r"protocol 'classic-x1.5' is for scale 1.5, not 2; use 'classic-x2'"):
        get_protocol("classic-x1.5", 2)


def test_specs_take_both_kinds() -> None:
    def scale(text: str, **overrides: Any) -> str:
        return repr(parse_spec(f"{{name: s, metrics: [psnr_y], {text}}}", origin="s", overrides=overrides).scale)

    assert scale("protocol: osediff-512, scale: 1.5") == "1.5"
    assert scale("protocol: osediff-512, scale: 4.0") == scale("protocol: osediff-512") == "4"
    assert scale("protocol: classic-x2.5") == scale("protocol: classic-x2", scale=2.5) == "2.5"
    with pytest.raises(SpecError, match=r"'scale': .*multiple of 0\.05"):
        scale("protocol: osediff-512, scale: 1.33")
    with pytest.raises(SpecError, match="a crop of 100 pixels is no multiple of 3"):
        scale("protocol: osediff-512, scale: 1.5, crop: 100")


def test_keys_of_whole_scales_are_those_of_old_stores() -> None:
    """Digests of version 0.2.0."""
    assert restoration_key(lq="ab", identity={"id": "x"}, scale=4, seed=0) == (
        "771d7d1366cde0659c45362138a6d386c7623f79967c0ff3dc9ee87315103022"
    )
    assert input_key(hr_file="ab", lq_file=None, lq_rule="matlab-bicubic", rule_version=1, scale=4, on_luma=False) == (
        "2321b542fa457f29bf1684b11afc21fe3ac5a579bbd6256a4f14d16fa3659591"
    )


def test_baselines_and_studies_have_them(photos: Path, session: Callable[..., Any], tmp_path: Path) -> None:
    at(1.5, tmp_path / "S", datasets={"photos": photos}, methods=["bicubic", "nearest"])
    assert session("baseline", "S", "--out", "b.json").status == 0
    assert session("check", "S", "--baseline", "b.json").status == 0
    (tmp_path / "design.yaml").write_text("{name: mine, kind: pairs, images: 2, crop: 48}")
    assert session("user-study", "make", "S", "--design", "design.yaml", "--out", "U").status == 0
    assert json.loads((tmp_path / "U" / "key.json").read_text())["scale"] == 1.5
    (tmp_path / "design.yaml").write_text("{name: mine, kind: pairs, images: 2, crop: 50}")
    said = session("user-study", "make", "S", "--design", "design.yaml", "--out", "V")
    assert "a crop of 50 pixels is no multiple of 3, of which sides of HR are at scale 1.5" in said.err


@pytest.mark.parametrize("scale", [1.33, 0.5, 1e300, "'four'"])
def test_a_store_with_what_is_no_scale_is_damaged(photos: Path, tmp_path: Path, scale: object) -> None:
    at(1.5, tmp_path / "S", datasets={"photos": photos})
    with sqlite3.connect(tmp_path / "S" / "store.sqlite") as database:
        database.execute(f"UPDATE outputs SET scale = {scale}")
    with pytest.raises(StoreError, match="table 'outputs' holds values of other types"):
        open_store(tmp_path / "S")
