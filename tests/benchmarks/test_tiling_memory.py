"""An output of 2048x2048 from every in-process method within 6 GiB on a CPU, without a visible cut."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.bench.metering import Meter
from asasr_bench.datasets.images import read_image
from asasr_bench.methods.registry import load_method
from asasr_bench.methods.spandrel_network import OVERLAP, TILE
from safetensors.torch import save_file
from torch import Tensor, nn

pytestmark = pytest.mark.benchmark

LIMIT = 6 * 2**30
SIDE = 512


def full_size(id: str) -> nn.Module:
    """A random network of the published size."""
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DAT import DAT
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.HAT import HAT
    from spandrel.architectures.RCAN import RCAN
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    transformer = {"upscale": 4, "img_size": 64, "embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6}
    made: dict[str, Callable[[], nn.Module]] = {
        "compact": lambda: Compact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4),
        "esrgan": lambda: ESRGAN(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4),
        "swinir": lambda: SwinIR(**transformer, window_size=8, mlp_ratio=2, upsampler="nearest+conv",
                                 resi_connection="1conv"),
        "hat": lambda: HAT(**transformer, window_size=16, mlp_ratio=2, upsampler="pixelshuffle",
                           resi_connection="1conv", compress_ratio=3, squeeze_factor=30, overlap_ratio=0.5),
        "dat": lambda: DAT(upscale=4, img_size=64, embed_dim=180, depth=[6] * 6, num_heads=[6] * 6, split_size=[8, 32],
                           expansion_factor=4, resi_connection="1conv", upsampler="pixelshuffle"),
        "rcan": lambda: RCAN(scale=4, n_resgroups=10, n_resblocks=20, n_feats=64),
    }  # fmt: skip
    return made[id]()


@pytest.mark.parametrize("id", ["compact", "esrgan", "swinir", "hat", "dat", "rcan"])
def test_the_largest_tile_of_a_network_fits(id: str, tmp_path: Path) -> None:
    """A tile with context on all sides is the most that a network ever sees; the image around it adds 150 MiB."""
    save_file(
        {name: value.contiguous() for name, value in full_size(id).state_dict().items()}, tmp_path / "n.safetensors"
    )
    method = load_method(str(tmp_path / "n.safetensors"))
    gc.collect()
    side = TILE + 2 * OVERLAP
    with torch.inference_mode(), Meter("cpu") as meter:
        method.restore(torch.rand(1, 3, side, side), 4, [0])
    assert meter.memory is not None
    image = 3 * 4 * (4 * SIDE) ** 2 * 3
    print(f"\n{id}: {method.card.parameters / 1e6:.2f} M parameters, tile {side}: {meter.seconds:.0f} s,"
          f" {meter.memory / 2**30:.2f} GiB")  # fmt: skip
    assert meter.memory + 4 * method.card.parameters + image < LIMIT


def cut_ratio(sr: Tensor, cuts: list[int]) -> float:
    """Mean absolute second difference across the cuts over that of all columns and rows: 1 where no cut is seen."""
    luma = sr[0].mean(0)
    bends = [(side[:, 2:] - 2 * side[:, 1:-1] + side[:, :-2]).abs().mean(0) for side in (luma, luma.T)]
    at = torch.stack([bend[[place for cut in cuts for place in (cut - 2, cut - 1)]].mean() for bend in bends])
    return float(at.mean() / torch.stack([bend.mean() for bend in bends]).mean())


def test_real_weights_leave_no_cut_in_a_large_photo(shared: Path) -> None:
    from skimage import data

    lq = torch.from_numpy(np.ascontiguousarray(data.astronaut())).permute(2, 0, 1)[None].float() / 255
    weights = str(shared / "weights" / "realesr-animevideov3.pth")
    with torch.inference_mode():
        with Meter("cpu") as meter:
            tiled = load_method(weights).restore(lq, 4, [0])
        whole = load_method({"weights": weights, "tile": 1024}).restore(lq, 4, [0])
    ratio, difference = cut_ratio(tiled, [4 * SIDE // 2]), float((tiled - whole).abs().max() * 255)
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
    path = shared / "data" / "RealSR_512" / "test_HR" / "Canon_001_HR4.png"
    if not path.is_file():
        path = sorted(path.parent.iterdir())[0]
    lq = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255
    method: Any = load_method({"id": "asasr:small-prior", "sampling": {"steps": 4}})
    with torch.inference_mode(), Meter("cpu") as meter:
        sr = method.restore(lq, 4, [0])
    assert sr.shape == (1, 3, 2048, 2048)
    assert meter.memory is not None
    print(f"\nasasr:small-prior, 4 steps, 2048x2048: {meter.seconds:.0f} s, {meter.memory / 2**30:.2f} GiB")
    assert meter.memory < LIMIT
