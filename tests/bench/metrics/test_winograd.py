"""Winograd's convolution against torch's in float64."""

from __future__ import annotations

import pytest
import torch
from asasr_bench.bench.metrics.networks.winograd import RectifiedConvolution, _transforms, applies
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_transforms_are_exact() -> None:
    """Four places of a filter of three values over six, for the unit vectors of both."""
    back, filters, forth = (torch.from_numpy(each) for each in _transforms())
    for tap in torch.eye(3, dtype=torch.float64):
        for window in torch.eye(6, dtype=torch.float64):
            expected = torch.stack([(window[place : place + 3] * tap).sum() for place in range(4)])
            torch.testing.assert_close(back @ ((filters @ tap) * (forth @ window)), expected, rtol=0, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 2), height=st.integers(1, 40), width=st.integers(1, 300), bias=st.booleans(),
    channels=st.sampled_from([(64, 64), (64, 80), (96, 64)]), innermost=st.booleans(),
)  # fmt: skip
def test_it_is_the_convolution_and_relu(
    batch: int, height: int, width: int, bias: bool, channels: tuple[int, int], innermost: bool
) -> None:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    convolution = torch.nn.Conv2d(*channels, 3, padding=1, bias=bias).requires_grad_(False)
    layout = torch.channels_last if innermost else torch.contiguous_format
    state = torch.randn(batch, channels[0], height, width, generator=generator).contiguous(memory_format=layout)
    result = RectifiedConvolution(convolution)(state)
    expected = convolution.double()(state.double()).relu()
    assert applies(convolution)
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=2e-5 * float(expected.abs().max() + 1e-3))


@pytest.mark.parametrize(
    "convolution",
    [
        torch.nn.Conv2d(64, 64, 5, padding=2), torch.nn.Conv2d(64, 64, 3), torch.nn.Conv2d(64, 64, 3, 2, 1),
        torch.nn.Conv2d(64, 64, 3, padding=2, dilation=2), torch.nn.Conv2d(128, 128, 3, padding=1, groups=2),
        torch.nn.Conv2d(3, 64, 3, padding=1),
    ],
    ids=["5x5", "no border", "stride 2", "dilated", "grouped", "of pixels"],
)  # fmt: skip
def test_others_are_left_to_torch(convolution: torch.nn.Conv2d) -> None:
    assert not applies(convolution)
