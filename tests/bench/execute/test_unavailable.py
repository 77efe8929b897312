"""Cells that a machine cannot measure: the run goes on around them, and fills them once it can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import random_weights
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.execute.run import Summary, run
from asasr_bench.bench.metrics.shipped import shipped_metrics
from asasr_bench.bench.spec import SpecError, parse_spec
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png

Run = Callable[..., Summary]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and no other that libraries share."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("ASASR_BENCH_WEIGHTS", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.fixture
def again(tmp_path: Path, photo: np.ndarray) -> Run:
    """Run with these methods and metrics into one store."""
    for number in range(2):
        write_png(tmp_path / "hr" / f"{number}.png", np.ascontiguousarray(photo[56 * number :][:200, :200]))

    def go(methods: list[str], metrics: list[str], **more: Any) -> Summary:
        content = {
            "name": "s",
            "protocol": "classic-x4",
            "datasets": [f"D={tmp_path / 'hr'}"],
            "methods": methods,
            "metrics": metrics,
            "device": "cpu",
            **more,
        }
        return run(parse_spec(json.dumps(content), origin="s"), tmp_path / "store")

    return go


def cells(tmp_path: Path) -> pd.DataFrame:
    with open_store(tmp_path / "store") as store:
        return store.scores()


def test_every_metric_without_its_weights_lets_the_same_command_go_on(again: Run, weights: Path) -> None:
    metrics = [metric.id for metric in shipped_metrics().values() if metric.missing()]
    assert {"lpips_vgg", "dists", "niqe"} <= set(metrics)
    first = again(["bicubic"], ["psnr_y", *metrics])
    assert (first.measured, first.unavailable) == (2, 2 * len(metrics))
    second = again(["bicubic"], ["psnr_y", *metrics])
    assert (second.measured, second.kept, second.unavailable) == (0, 2, 2 * len(metrics))
    assert second.messages == first.messages
    third = again(["bicubic", "nearest"], ["psnr_y", *metrics])
    assert (third.measured, third.kept, third.unavailable) == (2, 2, 4 * len(metrics))


def test_cells_are_filled_once_the_weights_are_there_and_kept_when_they_go(
    again: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert again(["bicubic"], ["psnr_y", "niqe"]).unavailable == 2
    random_weights.place(("niqe",), weights, monkeypatch)
    filled = again(["bicubic"], ["psnr_y", "niqe"])
    assert (filled.measured, filled.kept, filled.complete) == (2, 2, True)
    values = cells(tmp_path).query("metric == 'niqe'")["value"]
    assert np.isfinite(values).all()
    for path in weights.iterdir():
        path.unlink()
    gone = again(["bicubic", "nearest"], ["psnr_y", "niqe"])
    assert (gone.measured, gone.kept, gone.unavailable) == (2, 4, 2)
    after = cells(tmp_path).query("metric == 'niqe' and method == 'bicubic'")
    assert list(after["value"]) == list(values)


def test_a_run_is_complete_without_what_is_optional(again: Run, weights: Path) -> None:
    parts = (["bicubic", "realesrgan-x4plus"], ["psnr_y", "niqe"])
    whole = again(*parts)
    assert (whole.unavailable, whole.complete, whole.spared) == (6, False, ())
    spared = again(*parts, optional=["niqe", "realesrgan-x4plus"])
    assert (spared.kept, spared.unavailable, spared.complete, spared.messages) == (2, 0, True, ())
    network, metric = sorted(whole.messages)
    assert sorted(spared.spared) == [f"niqe: {metric}", network]
    part = again(*parts, optional=["niqe"])
    assert (part.unavailable, part.complete, len(part.spared)) == (4, False, 1)


def test_tables_leave_out_what_is_optional_and_missing(again: Run, weights: Path, tmp_path: Path) -> None:
    parts = (["bicubic", "realesrgan-x4plus"], ["psnr_y", "niqe"])

    def shown() -> tuple[set[str], set[str], set[str]]:
        with open_store(tmp_path / "store") as store:
            board = load_board(store, title="t")
        return set(board.methods["method"]), set(board.metrics["metric"]), set(board.problems["status"])

    again(*parts)
    assert shown() == ({"bicubic", "realesrgan-x4plus"}, {"psnr_y", "niqe"}, {"unavailable"})
    again(*parts, optional=["niqe", "realesrgan-x4plus"])
    assert shown() == ({"bicubic"}, {"psnr_y"}, {"unavailable"})  # the page still says how to get them


def test_an_optional_name_is_one_of_the_spec() -> None:
    text = "name: s\nprotocol: asasr\nmethods: [bicubic]\nmetrics: [psnr_y, niqe]\noptional: [nique]"
    with pytest.raises(SpecError, match=r"s: optional: 'nique' is neither .* did you mean 'niqe'"):
        parse_spec(text, origin="s")
    assert parse_spec(text, origin="s", overrides={"metrics": ["psnr_y"]}).metrics == ("psnr_y",)
