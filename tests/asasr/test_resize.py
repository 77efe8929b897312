"""LQ at output size, against PIL and against torch's own bicubic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.resize import resized
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.prior import encode_pair
from PIL import Image
from torch import Tensor
from torch.nn import functional


def photo(height: int, width: int) -> Tensor:
    from skimage import data

    pixels = np.ascontiguousarray(data.astronaut()[180 : 180 + height, 180 : 180 + width])
    return torch.from_numpy(pixels).movedim(-1, 0)[None].float() / 255


@pytest.mark.parametrize(("height", "width", "scale"), [(64, 48, 4), (33, 50, 2), (20, 31, 3)])
def test_pil_bicubic_is_pils(height: int, width: int, scale: int) -> None:
    """Level by level, but for what float32 and PIL's fixed point round otherwise at a half."""
    lq = photo(height, width)
    image = Image.fromarray((lq[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy())
    theirs = np.asarray(image.resize((scale * width, scale * height), Image.Resampling.BICUBIC)).astype(np.int16)
    ours = (255 * resized(lq, scale * height, scale * width, "pil-bicubic")[0]).round().movedim(0, -1).numpy()
    apart = np.abs(ours.astype(np.int16) - theirs)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3
    torchs = (255 * resized(lq, scale * height, scale * width)[0]).round().movedim(0, -1).numpy()
    assert np.abs(torchs.astype(np.int16) - theirs).max() > 5  # the two kernels are two


def test_the_default_is_torchs() -> None:
    lq = photo(16, 24)
    plain = functional.interpolate(lq, (64, 96), mode="bicubic", align_corners=False).clamp(0, 1)
    assert torch.equal(resized(lq, 64, 96), plain)


def test_training_and_sampling_resize_as_the_model_says() -> None:
    """The presets and the published adapters of FLUX as PIL does, the small models as they were trained."""
    lq = photo(16, 16)
    for how in ("bicubic", "pil-bicubic"):
        model = build_model(load_config("small", {"model.resize": how}).model)
        wanted = resized(lq, 64, 64, model.config.resize)
        _, latents = encode_pair(model.codec, Batch(torch.zeros(1, 3, 64, 64), lq, 0), model.backbone.resize)
        assert torch.equal(latents, 2 * wanted - 1)
        conditions: list[Tensor] = []

        def record(state: Tensor, sigma: Tensor, lq: Tensor, *rest: object, seen: list[Tensor] = conditions) -> Tensor:
            seen.append(lq)
            return torch.zeros_like(state)

        model.backbone.forward = record  # type: ignore[method-assign, assignment]
        restore(model.backbone, model.codec, lq, 4, [0], SamplingSettings(steps=1, colour_fix="none"))
        assert torch.equal(conditions[0], 2 * wanted - 1)
    assert load_config("flux-dev").model.resize == "pil-bicubic"
    assert load_config("small").model.resize == "bicubic"
