"""Costs: the same measure for every method, counted in what was loaded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench import open_store
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.execute.cost import Meter, Peaks
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import parse_spec
from asasr_bench.datasets.images import write_png
from asasr_bench.reports.tables import to_latex, to_markdown
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

MIB = 2**20


@pytest.mark.parametrize("before", [0, 64])
def test_the_peak_of_a_call_is_seen_whatever_ran_before(before: int) -> None:
    """32 MiB are written and freed; an earlier call of twice the size must not hide them."""
    if before:
        del_me = np.ones(before * MIB // 8)
        del del_me
    with Meter("cpu") as meter:
        data = np.ones(32 * MIB // 8)
        del data
    if meter.memory is None:
        pytest.skip("this kernel does not tell the peak of a call")
    assert 31 * MIB < meter.memory < 40 * MIB


def test_small_blocks_freed_before_are_counted_again() -> None:
    """Blocks below the allocator's threshold stay with the process unless they are given back."""
    blocks = [bytearray(64 * 1024) for _ in range(512)]
    blocks.clear()
    with Meter("cpu") as meter:
        blocks = [bytearray(64 * 1024) for _ in range(512)]
    if meter.memory is None:
        pytest.skip("this kernel does not tell the peak of a call")
    assert meter.memory > 28 * MIB


def test_what_is_known_of_a_size_holds_for_the_next_image_of_it() -> None:
    peaks: Peaks = {}
    for size, blocks in ((1, 32), (1, 0), (2, 0)):
        with Meter("cpu", peaks, (size,)) as meter:
            data = np.ones(blocks * MIB // 8)
            del data
        if meter.memory is None:
            pytest.skip("this kernel does not tell the peak of a call")
        assert (meter.memory > 31 * MIB) == (size == 1)
        assert meter.seconds > 0
    assert sorted(peaks) == [(1,), (2,)]


def test_costs_are_counted_in_the_loaded_network_and_shown(tmp_path: Path) -> None:
    network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    rng = np.random.default_rng(0)
    for number in range(2):
        write_png(tmp_path / "hr" / f"{number}.png", rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    spec = parse_spec(
        "{name: t, protocol: classic-x4-float, metrics: [psnr_y], device: cpu}",
        origin="t",
        overrides={"datasets": [f"D={tmp_path / 'hr'}"], "methods": ["bicubic", str(tmp_path / "net.pth")]},
    )
    for _ in range(2):  # the second run restores nothing and must not forget the count
        run(spec, tmp_path / "store")
        with open_store(tmp_path / "store") as store:
            board = load_board(store, title="t")
        methods, costs = (frame.set_index("method") for frame in (board.methods, board.costs))
        expected = sum(parameter.numel() for parameter in network.parameters())
        assert methods.loc["net", "parameters"] == expected
        assert costs.loc["net", "seconds"] > 0
    assert methods["steps"].isna().all()
    assert "| Parameters |" in to_markdown(board)
    assert "Steps" not in to_markdown(board)  # no sampler among them
    assert re.search(r"Parameters & MACs .* & Activations .* & Time & Memory \\\\", to_latex(board))
