"""What holds for every image: the size of SR, and that a flat image stays flat."""

from __future__ import annotations

from pathlib import Path

import torch
from asasr_bench import load_method

METHOD = {"object": f"{Path(__file__).with_name('example_method.py')}:ExampleMethod", "args": {"amount": 1.0}}


def test_sr_is_as_large_as_the_scale_says() -> None:
    lq = torch.rand(2, 3, 8, 12)
    assert load_method(METHOD, "cpu").restore(lq, 3, [0, 1]).shape == (2, 3, 24, 36)


def test_a_flat_image_stays_flat() -> None:
    sr = load_method(METHOD, "cpu").restore(torch.full((1, 3, 8, 8), 0.25), 2, [0])
    assert torch.allclose(sr, torch.tensor(0.25), atol=1e-6)
