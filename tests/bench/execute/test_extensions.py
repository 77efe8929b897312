"""What others add, all kinds together: an installed package, and files beside a spec; with two workers."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asasr_bench import open_store
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import load_spec
from asasr_bench.datasets.images import read_image

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the examples, installed where this test and its workers alone see it."""
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--target",
        str(site),
        str(EXAMPLES),
    ]
    subprocess.run(install, check=True, capture_output=True)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield site
    for name in [name for name in sys.modules if name.startswith("example_")]:
        del sys.modules[name]


def test_an_installed_package_extends_everything(installed: Path, tmp_path: Path, session) -> None:
    arguments = (
        "run",
        "classic-x2",
        "--scale",
        2,
        "--dataset",
        "example_dataset",
        "--method",
        "bicubic",
        "--method",
        "example_method",
        "--metric",
        "psnr_y",
        "--metric",
        "example_metric",
        "--metric",
        "miou:example_engine:hr",
        "--protocol",
        "example_protocol",
        "--workers",
        2,
        "--device",
        "cpu",
        "--store",
        "s",
    )
    result = session(*arguments)
    assert result.status == 0, result.err
    workers = json.loads((tmp_path / "s" / "progress.json").read_text())["workers"]
    assert workers
    assert not [worker for worker in workers if worker.endswith(f":{os.getpid()}")]  # they are other processes
    with open_store(tmp_path / "s") as store:
        scores, outputs = store.scores(), store.outputs()
        pixels = {digest: store.objects.get(digest) for digest in {*outputs["sr"], *outputs["reference"]}}
    assert set(scores["status"]) == {"done"}
    (protocol,) = set(scores["protocol"])
    assert protocol.startswith("example_protocol-")
    wanted = {"psnr_y": psnr_of_shaved_y, "example_metric": strength}
    sr = outputs[outputs["method"] == "example_method"].set_index("image")
    for id, measure in wanted.items():
        values = scores[(scores["metric"] == id) & (scores["method"] == "example_method")].set_index("image")["value"]
        assert len(values) == 3
        for image, value in values.items():
            expected = measure(*(pixels[sr.loc[image, side]] for side in ("sr", "reference")))
            assert value == pytest.approx(expected, rel=1e-9), id
    shown = session("report", "s", "--out", "report")
    assert shown.status == 0, shown.err
    text = (tmp_path / "report" / "leaderboard.md").read_text()
    assert "mIoU (Brightness, HR)" in text
    assert "Example metric" in text
    assert "identity incomplete" not in text
    again = session(*arguments)
    assert "0 cells measured" in again.out
    for kind in ("metrics", "methods", "datasets", "protocols"):
        assert "example_" in session("list", kind).out, kind


def test_reports_need_none_of_the_code(installed: Path, tmp_path: Path, session, monkeypatch) -> None:
    """The value of a set is computed from what the store has of an engine's findings."""
    arguments = ("--dataset", "example_dataset", "--metric", "miou:example_engine:hr", "--protocol", "example_protocol")
    assert session("run", "classic-x2", *arguments, "--method", "bicubic", "--store", "s").status == 0
    before = (tmp_path / "s" / "report" / "leaderboard.md").read_text()
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(installed)])
    assert session("report", "s", "--out", "without").status == 0
    assert (tmp_path / "without" / "leaderboard.md").read_text() == before
    for kind in ("spectrum2d", "bars"):
        assert session("figures", "s", "--kind", kind, "--out", "figures").status == 0, kind
    refused = session("run", "classic-x2", *arguments, "--method", "bicubic", "--store", "s")
    assert refused.status == 2
    assert "example_" in refused.err


def psnr_of_shaved_y(sr: np.ndarray, hr: np.ndarray) -> float:
    """BT.601's studio-range Y, not rounded, without 6 pixels at each side."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    a, b = ((image[6:-6, 6:-6].astype(float) * weights).sum(-1) for image in (sr, hr))
    return float(10 * np.log10(255**2 / ((a - b) ** 2).mean()))


def strength(sr: np.ndarray, hr: np.ndarray, step: int = 1) -> float:
    a, b = (image[6:-6, 6:-6].astype(float) for image in (sr, hr))
    return float(np.abs(a[step:] - a[:-step]).mean() / np.abs(b[step:] - b[:-step]).mean())


def test_the_spec_of_the_examples_runs_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = load_spec(EXAMPLES / "spec.yaml", {"workers": 2})
    assert run(spec, tmp_path / "s").complete
    with open_store(tmp_path / "s") as store:
        scores, outputs = store.scores(), store.outputs()
        sharpened = outputs[outputs["method"] == "sharpened"].set_index("image")
        for step, id in ((1, "example_metric"), (2, "strength_2")):
            values = scores[(scores["metric"] == id) & (scores["method"] == "sharpened")].set_index("image")["value"]
            for image, value in values.items():
                pair = (store.objects.get(sharpened.loc[image, side]) for side in ("sr", "reference"))
                assert value == pytest.approx(strength(*pair, step=step), rel=1e-9)
    assert set(scores["metric"]) == {"psnr_y", "example_metric", "strength_2", "miou:example_engine:hr"}
    assert read_image(tmp_path / "runs" / "gratings" / "grating1.png").shape == (96, 96, 3)
