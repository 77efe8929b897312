"""``evaluate``: what is given in Python, and what comes back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from asasr_bench import create_metric, evaluate, open_store
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.spec import SpecError
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.interface import MethodCard
from torch.nn.functional import interpolate


@pytest.fixture
def photos(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(2):
        write_png(tmp_path / "hr" / f"photo{number}.png", np.ascontiguousarray(photo[64 * number :][:64, :64]))
    return tmp_path / "hr"


def nearest(lq: torch.Tensor, scale: int) -> torch.Tensor:
    return interpolate(lq, scale_factor=scale)


class Enlarge(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        return self.gain * interpolate(lq, scale_factor=4)


class Carded:
    card = MethodCard("carded", "network", "Nearest, with a card")
    weight_files = ()

    def restore(self, lq: torch.Tensor, scale: int, seeds: Sequence[int]) -> torch.Tensor:
        return interpolate(lq, scale_factor=scale)


def mae(sr: np.ndarray, hr: np.ndarray) -> float:
    return float(np.abs(sr.astype(float) - hr).mean())


mae.card = {"id": "mae", "direction": "lower", "digits": 2}  # type: ignore[attr-defined]


def test_all_kinds_of_methods_give_what_they_are(photos: Path, tmp_path: Path) -> None:
    """Three ways to say nearest, and the package's own: equal to the last digit, as restored by the same rule."""
    methods = {
        "function": nearest,
        "module": Enlarge(),
        "object": Carded(),
        "id": "nearest",
        "mapping": {"id": "nearest"},
    }
    result = evaluate(
        "classic-x4-float",
        tmp_path / "s",
        methods=methods,
        metrics=["psnr_y", mae],
        datasets={"Photos": photos},
        progress=False,
    )
    assert list(result.table.index) == list(methods)
    assert list(result.table.columns) == [("Photos", "psnr_y"), ("Photos", "mae")]
    measured = result.table.loc[["function", "module", "object"]].to_numpy()
    assert (measured == measured[0]).all()
    assert (result.table.loc["id"] == result.table.loc["mapping"]).all()
    assert len(result.per_image) == 5 * 2 * 2
    row = result.per_image.query("method == 'function' and metric == 'psnr_y'").iloc[1]
    with open_store(tmp_path / "s") as store:
        digests = store.outputs().query(f"method == 'function' and image == '{row['image']}'").iloc[0]
        sr, hr = (store.objects.get(digests[side]) for side in ("sr", "reference"))
    assert create_metric("psnr_y", protocol="classic-x4-float")(sr, hr) == row["value"]
    assert result.summary.complete


def test_only_what_was_asked_for_comes_back(store: Path, photos: Path) -> None:
    """The store has three methods, four metrics and a dataset beside it."""
    result = evaluate(
        {"protocol": "asasr", "scale": 4},
        store,
        methods="bicubic",
        metrics="psnr_y",
        datasets={"P": photos},
        progress=False,
    )
    assert list(result.scores[["dataset", "method", "metric"]].itertuples(index=False, name=None)) == [
        ("P", "bicubic", "psnr_y")
    ]
    assert set(result.per_image["dataset"]) == {"P"}
    assert result.summary.measured == 2
    with open_store(store) as opened:
        assert set(opened.outputs()["dataset"]) == {"D", "P"}


def test_results_are_shown_and_written(photos: Path, tmp_path: Path) -> None:
    message: list[tuple[str, int, int]] = []
    result = evaluate(
        "classic-x4",
        tmp_path / "s",
        methods=["bicubic", "nearest"],
        metrics=["psnr_y"],
        datasets=[{"name": "P<b>", "hr": str(photos)}],
        progress=lambda *step: message.append(step),
    )
    assert message[-1] == ("restoring and measuring", 4, 4)
    assert {stage for stage, _, _ in message} == {"preparing images", "restoring and measuring"}
    page = result._repr_html_()
    assert "P&lt;b&gt;" in page
    assert "<b>" in page
    assert "bicubic" in repr(result)
    paths = result.report(tmp_path / "r", ["csv", "md"])
    assert [path.name for path in paths] == ["leaderboard.csv", "leaderboard.md"]
    written = pd.read_csv(paths[0])
    np.testing.assert_allclose(written["value"], result.scores["value"], rtol=1e-6)


CODE = """
from torch.nn.functional import interpolate
def mine(lq, scale):
    return {gain} * interpolate(lq, scale_factor=scale)
"""


def test_an_object_is_its_code_and_its_state(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unchanged it is not run again; changed code and changed weights are seen; what cannot be known is run again."""

    def restored(method: object) -> int:
        result = evaluate(
            "classic-x4",
            tmp_path / "s",
            methods={"mine": method},
            metrics=["psnr_y"],
            datasets={"P": photos},
            progress=False,
        )
        return result.summary.measured + result.summary.kept * 10

    module = Enlarge()
    assert restored(module) == 2
    assert module.training  # as it was given
    assert restored(module.eval()) == 20
    with torch.no_grad():
        module.gain.mul_(0.5)
    assert restored(module) == 2
    assert restored(Enlarge()) == 20  # the first weights, in another object
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for gain in (1, 0.5):
        (tmp_path / "own_code.py").write_text(CODE.format(gain=gain))
        sys.modules.pop("own_code", None)
        importlib.invalidate_caches()
        own = importlib.import_module("own_code")
        assert restored(own.mine) in (2, 20)
        assert restored(own.mine) == 20
    assert restored(lambda lq: interpolate(lq, scale_factor=4) * 0.9) == 2
    assert restored(lambda lq: interpolate(lq, scale_factor=4) * 0.9) == 2


def test_what_cannot_be_evaluated_is_said(photos: Path, tmp_path: Path) -> None:
    def run(**given: object) -> None:
        evaluate("classic-x4", tmp_path / "s", **{"metrics": ["psnr_y"], "datasets": {"P": photos}, **given})

    for given, error, said in (
        ({"methods": [Enlarge]}, MethodError, "method 'Enlarge' is a type: expected .*; make an instance of it first"),
        ({"methods": [3]}, MethodError, "method 'int' is a int"),
        ({"methods": [nearest, nearest]}, SpecError, "two methods are called 'nearest'"),
        ({"methods": [nearest], "workers": 2}, SpecError, "stay in this process"),
        ({"methods": ["bicubic"], "metrics": [nearest]}, MetricError, "needs to be a Metric, or a function"),
        ({"methods": ["bicubic"], "datasets": [5]}, SpecError, "dataset 5: expected"),
        ({"methods": ["session:mine"]}, MethodError, "was an object in somebody's Python"),
    ):
        with pytest.raises(error, match=said):
            run(**given)
