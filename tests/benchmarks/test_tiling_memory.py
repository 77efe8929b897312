"""An output of 2048x2048 from every in-process method within 6 GiB on a CPU, without a visible cut."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import full_size
import numpy as np
import pytest
import torch
from asasr_bench.bench.execute.cost import Meter
from asasr_bench.datasets.images import read_image
from asasr_bench.methods.networks.spandrel_network import OVERLAP, TILE
from asasr_bench.methods.registry import resolve_and_load
from safetensors.torch import save_file
from torch import Tensor

pytestmark = pytest.mark.benchmark

LIMIT = 6 * 2**30
SIDE = 512


@pytest.mark.parametrize("id", ["realesr-general-x4v3", "esrgan", "swinir-gan", "hat-gan", "dat", "rcan"])
def test_the_largest_tile_of_a_network_fits(id: str, tmp_path: Path) -> None:
    """A tile with context on all sides is the most that a network ever sees; the image around it adds 150 MiB."""
    torch.manual_seed(0)
    network = full_size.network(id)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / "n.safetensors")
    del network
    method = resolve_and_load(str(tmp_path / "n.safetensors"))
    gc.collect()
    side = TILE + 2 * OVERLAP
    with torch.inference_mode(), Meter("cpu") as meter:
        method.restore(torch.rand(1, 3, side, side), 4, [0])
    assert meter.memory is not None
    image = 3 * 4 * (4 * SIDE) ** 2 * 3
    print(f"\n{id}: {method.card.parameters / 1e6:.2f} M parameters, tile {side}: {meter.seconds:.0f} s,"
          f" {meter.memory / 2**30:.2f} GiB")  # fmt: skip
    assert meter.memory + 4 * method.card.parameters + image < LIMIT


def cut_ratio(sr: Tensor, cut: int) -> float:
    """Mean absolute second difference across a cut over that 4 to 32 pixels away: 1 where no cut is seen.

    Neighbours are whole LQ pixels away, as networks that enlarge by four have a pattern of that period.
    """
    luma = sr[0].mean(0)
    bends = torch.stack([(side[:, 2:] - 2 * side[:, 1:-1] + side[:, :-2]).abs().mean(0) for side in (luma, luma.T)])
    around = bends.mean(0)[cut - 2 - 32 : cut - 2 + 36].view(-1, 4)[:, :2].mean(1)
    away = torch.cat([around[:8], around[9:]])
    return float(around[8] / away.mean())


def test_real_weights_leave_no_cut_in_a_large_photo(shared: Path) -> None:
    from skimage import data

    lq = torch.from_numpy(np.ascontiguousarray(data.astronaut())).permute(2, 0, 1)[None].float() / 255
    weights = str(shared / "weights" / "realesr-animevideov3.pth")
    with torch.inference_mode():
        with Meter("cpu") as meter:
            tiled = resolve_and_load(weights).restore(lq, 4, [0])
        whole = resolve_and_load({"weights": weights, "tile": 1024}).restore(lq, 4, [0])
    ratio, difference = cut_ratio(tiled, 2 * SIDE), float((tiled - whole).abs().max() * 255)
    assert meter.memory is not None
    print(
        f"\nrealesr-animevideov3, 2048x2048: {meter.seconds:.0f} s, {meter.memory / 2**30:.2f} GiB, at most"
        f" {difference:.1e} grey levels from the untiled image, curvature at cuts {ratio:.2f}"
    )
    assert tiled.shape == (1, 3, 2048, 2048)
    assert difference < 1e-2
    assert 0.5 < ratio < 1.5
    assert meter.memory < LIMIT


def test_a_sampled_photo_shows_no_cut(shared: Path) -> None:
    """The shipped prior on a real photo; its tiles are blended at every step."""
    path = min((shared / "data" / "RealSR_512" / "test_HR").iterdir())
    lq = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255
    method: Any = resolve_and_load({"id": "asasr:small-prior", "sampling": {"steps": 4}})
    with torch.inference_mode(), Meter("cpu") as meter:
        sr = method.restore(lq, 4, [0])
    assert sr.shape == (1, 3, 2048, 2048)
    assert meter.memory is not None
    edges = [edge for start in range(224, 4 * SIDE - 256 + 1, 224) for edge in (start, start + 32)]  # 9 tiles of 256
    ratio = max(cut_ratio(sr, edge) for edge in edges)
    print(
        f"\nasasr:small-prior, 4 steps, 2048x2048: {meter.seconds:.0f} s, {meter.memory / 2**30:.2f} GiB, curvature at"
        f" cuts at most {ratio:.2f}"
    )
    assert 0.5 < ratio < 1.5
    assert meter.memory < LIMIT
