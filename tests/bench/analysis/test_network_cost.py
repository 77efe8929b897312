"""Operations, activations and the challenge's score against hand counts; times are only asked for, never judged."""

from __future__ import annotations

import json
from math import exp
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.bench.analysis.network_cost import Cost, CostError, efficiency_score, measure_cost
from torch import nn


def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=2),
        nn.Conv2d(8, 48, 1),
        nn.PixelShuffle(4),
    )


def measured(model: nn.Module, height: int = 10, width: int = 12, runs: int = 3, **options: Any) -> Cost:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return measure_cost("m", parameters, model, [torch.rand(1, 3, height, width)], "cpu", runs=runs, **options)


def test_operations_are_those_of_the_layers() -> None:
    """MACs of a convolution: pixels times outputs times inputs of a group times the kernel's places."""
    cost = measured(net().eval())
    pixels = 10 * 12
    assert cost.macs == pixels * (8 * 3 * 9 + 8 * 4 * 9 + 48 * 8)
    assert cost.activations == pixels * (8 + 8 + 48)
    assert cost.convolutions == 3
    assert cost.parameters == (8 * 27 + 8) + (8 * 36 + 8) + (48 * 8 + 48)
    assert len(cost.seconds) == 3
    assert cost.mean > 0


def test_warm_up_counts_nowhere() -> None:
    calls = []
    model = net().eval()

    def restore(lq: torch.Tensor) -> torch.Tensor:
        calls.append(lq.shape)
        result: torch.Tensor = model(lq)
        return result

    cost = measure_cost("m", 1, restore, [torch.rand(1, 3, 8, 8)] * 2, "cpu", runs=2, warm_up=3)
    assert len(calls) == 1 + 3 * 2 + 2 * 2
    assert len(cost.seconds) == 2


def test_a_transformer_counts_its_products() -> None:
    layer = nn.Linear(16, 32, bias=False)
    cost = measure_cost("m", 512, lambda lq: layer(torch.zeros(1, 7, 16)), [torch.rand(1, 3, 4, 4)], "cpu", runs=1)
    assert (cost.macs, cost.activations) == (7 * 16 * 32, 0)


def test_what_is_not_computed_with_torch_has_no_number() -> None:
    cost = measure_cost("m", None, lambda lq: lq.numpy().sum(), [torch.rand(1, 3, 4, 4)], "cpu", runs=1)
    assert (cost.macs, cost.activations, cost.convolutions) == (None, None, None)
    assert efficiency_score(cost, measured(net())) is None
    with pytest.raises(CostError, match="at least one image"):
        measure_cost("m", None, lambda lq: lq, [], "cpu")


def test_the_score_is_the_challenges_formula() -> None:
    """Its README: SPAN against itself has 7.3891; 0.8, 0.1 and 0.1 are the weights of runtime, FLOPs and parameters."""
    span = Cost("span", 151_000, 9_830_000_000, None, None, (0.00774,), None)
    other = Cost("other", 126_000, 8_220_000_000, None, None, (0.0080, 0.00776), None)
    assert efficiency_score(span, span) == (
        pytest.approx(7.3891, abs=1e-4),
        dict.fromkeys(("seconds", "macs", "parameters"), pytest.approx(7.3891, abs=1e-4)),
    )
    score, parts = efficiency_score(other, span) or (0.0, {})
    expected = (exp(2 * 7.88 / 7.74), exp(2 * 8.22 / 9.83), exp(2 * 126 / 151))
    assert score == pytest.approx(0.8 * expected[0] + 0.1 * expected[1] + 0.1 * expected[2], rel=1e-12)
    assert tuple(parts.values()) == pytest.approx(expected)


def test_the_command_prints_and_writes_them(session: Any, tmp_path: Path) -> None:
    result = session(
        "cost",
        "compact-gan",
        "--size",
        "16x12",
        "--runs",
        "2",
        "--warm-up",
        "0",
        "--device",
        "cpu",
        "--against",
        "compact-gan",
        "--out",
        "c.json",
    )
    assert result.status == 0, result.err
    assert "7.389" in result.out
    (row,) = json.loads((tmp_path / "c.json").read_text())["costs"]
    assert row["score"] == pytest.approx(exp(2))
    assert row["against"] == row["method"] == "compact-gan"
    assert row["macs"] > row["parameters"]
    assert len(row["seconds"]) == 2
    assert "outside of torch" in session("cost", "bicubic", "--device", "cpu").err
    assert "WIDTHxHEIGHT" in session("cost", "compact-gan", "--size", "16").err
    assert (
        "not among the methods"
        in session("cost", "compact-gan", "--size", "8x8", "--runs", "1", "--device", "cpu", "--against", "span").err
    )
