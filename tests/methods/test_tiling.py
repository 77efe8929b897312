"""Tiles: exact where the network is local, without a visible cut where it is not."""

from __future__ import annotations

import pytest
import torch
from asasr_bench.methods.networks.tiling import PIXELS_AT_ONCE, restore_tiled, tiles_together
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn


def nearest(lq: Tensor) -> Tensor:
    return lq.repeat_interleave(2, -1).repeat_interleave(2, -2)


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), tile=st.integers(1, 12), overlap=st.integers(0, 6),
    blend=st.integers(0, 6), together=st.integers(1, 5),
)  # fmt: skip
def test_weights_add_up_to_one_everywhere(
    height: int, width: int, tile: int, overlap: int, blend: int, together: int
) -> None:
    """A method that sees one pixel gives the same images through any tiles, whatever goes together."""
    lq = torch.rand(2, 3, height, width, dtype=torch.float64)
    tiled = restore_tiled(nearest, lq, 2, tile=tile, overlap=overlap, blend=min(blend, overlap), together=together)
    torch.testing.assert_close(tiled, nearest(lq), atol=1e-6, rtol=0)


def test_a_local_network_is_exact() -> None:
    """Three 3x3 convolutions see three pixels; float32 sums may differ in the last digits by tile size."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)]
    network = nn.Sequential(*layers, nn.Upsample(scale_factor=2)).eval()
    lq = torch.rand(1, 3, 61, 47)
    with torch.inference_mode():
        whole = network(lq)
        for overlap, blend in ((3, 0), (6, 3)):
            tiled = restore_tiled(network, lq, 2, tile=16, overlap=overlap, blend=blend)
            assert (tiled - whole).abs().max() < 1e-6
        assert (restore_tiled(network, lq, 2, tile=16, overlap=1, blend=0) - whole).abs().max() > 1e-3


def test_images_that_fit_with_their_context_are_not_cut() -> None:
    seen = []

    def forward(piece: Tensor) -> Tensor:
        seen.append(tuple(piece.shape[-2:]))
        return nearest(piece)

    restore_tiled(forward, torch.rand(1, 3, 20, 24), 2, tile=16, overlap=4, blend=4)
    assert seen == [(20, 24)]
    seen.clear()
    restore_tiled(forward, torch.rand(1, 3, 20, 25), 2, tile=16, overlap=4, blend=4)
    assert max(max(shape) for shape in seen) <= 16 + 2 * 4


def test_tiles_of_one_size_go_together_and_no_more_than_said() -> None:
    """Corners, upright edges, lying edges and inner tiles, four of each: in threes, two calls for each kind."""
    seen: list[tuple[int, ...]] = []

    def forward(pieces: Tensor) -> Tensor:
        seen.append(tuple(pieces.shape))
        return nearest(pieces)

    lq = torch.rand(2, 3, 64, 64)
    tiled = restore_tiled(forward, lq, 2, tile=16, overlap=4, blend=2, together=3)
    torch.testing.assert_close(tiled, nearest(lq), atol=1e-6, rtol=0)
    assert sorted(shape[0] // 2 for shape in seen) == [1, 1, 1, 1, 3, 3, 3, 3]
    assert sum(shape[0] for shape in seen) == 2 * 16


def test_what_goes_together_has_the_pixels_of_the_largest_tile() -> None:
    assert tiles_together("cpu", 64, 32) == 1
    assert tiles_together("cuda", 256, 32) == 1
    assert tiles_together("cuda", 64, 32) == PIXELS_AT_ONCE // 128**2 == 6
    assert tiles_together("cuda", 512, 32) == 1


@pytest.mark.parametrize("blend", [0, 8])
def test_a_global_offset_between_tiles_becomes_a_ramp(blend: int) -> None:
    """A network with pooling gives each tile another brightness: blended, no step is larger than a ramp's."""
    calls = 0

    def forward(piece: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return torch.full_like(nearest(piece), float(calls % 2))

    sr = restore_tiled(forward, torch.zeros(1, 3, 30, 60), 2, tile=30, overlap=8, blend=blend)
    step = float((sr[..., 1:] - sr[..., :-1]).abs().max())
    assert step == pytest.approx(1 / (2 * 2 * blend) if blend else 1.0)
