"""Agreement of the learned adversary with theory: its cosine to the Riesz direction over s and sigma."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ....asasr.config import MODEL_FILE, load_config
from .images import ImageSet

if TYPE_CHECKING:
    from torch import Tensor

    from ....asasr.choices import Kind
    from ....asasr.spectral import SobolevOperator

DIRECTIONS: tuple[Kind, ...] = ("adversary", "lq")
SMOOTHNESS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)
_SIDE = 64
"""Side of the centre crops in HR pixels, the same as in training."""


def agreement(folder: Path, adversary: Path, teacher: str, image_set: ImageSet, device: str) -> pd.DataFrame:
    """Cosines in ``H^s`` to the Riesz direction, of the adversary's step and of a step towards the LQ image.

    Args:
        folder: folder of the prior's model.
        adversary: file of the adversary.
        teacher: name of the adversary's teacher, for the table.
        image_set: photos on whose centre crops the cosines are computed.
        device: torch device.

    Returns:
        Columns teacher, direction (adversary, lq), s, sigma, image, cosine.
    """
    import torch
    from torch.nn import functional

    from ....asasr.models import build_model
    from ....asasr.negatives import Negative, Pairing, make_loser, residual_gradient
    from ....asasr.spectral import SobolevOperator

    config = load_config(folder / MODEL_FILE)
    adapters = {**config.model.adapters, "adv": str(adversary)}
    model = build_model(config.model.model_copy(update={"adapters": adapters})).to(device)
    model.adapters.activate([])
    hr, lq = (_crops(images, side) for images, side in ((image_set.hr, _SIDE), (image_set.lq, _side(image_set))))
    clean = model.codec.encode(torch.from_numpy(hr).to(device))
    enlarged = functional.interpolate(torch.from_numpy(lq).to(device), hr.shape[-2:], mode="bicubic").clamp(0, 1)
    condition = model.codec.encode(enlarged)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(device)

    def learned(state: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        with model.adapters.using(["adv"]):
            velocity: torch.Tensor = model.backbone(state, sigma, condition)
        return velocity

    rows = []
    for sigma in SIGMAS:
        pairing = Pairing(
            clean,
            condition,
            noise,
            torch.full((len(clean),), sigma, device=device),
            policy=lambda state, sigma: model.backbone(state, sigma, condition),
            adversary=learned,
            operator=SobolevOperator(0),
            generator=torch.Generator().manual_seed(0),
        )
        gradient = residual_gradient(pairing)
        steps = {kind: make_loser(Negative(kind), pairing).clean - clean for kind in DIRECTIONS}
        for s in SMOOTHNESS:
            operator = SobolevOperator(s, "dct", "unit-mean")
            for direction, step in steps.items():
                place = {"teacher": teacher, "direction": direction, "s": s, "sigma": sigma}
                cosines = riesz_cosine(operator, step, gradient).tolist()
                rows += [
                    {**place, "image": image, "cosine": cosine}
                    for image, cosine in zip(image_set.images, cosines, strict=True)
                ]
    return pd.DataFrame(rows)


def riesz_cosine(operator: SobolevOperator, step: Tensor, gradient: Tensor) -> Tensor:
    """Cosine in ``H^s`` between a step and the Riesz direction of a gradient, ``[B, C, h, w]`` to ``[B]``."""
    direct = operator.riesz(gradient, 1.0)
    product = (operator.energy(step + direct) - operator.energy(step - direct)) / 4
    return product / (operator.energy(step) * operator.energy(direct)).clamp_min(1e-30).sqrt()


def _side(image_set: ImageSet) -> int:
    return int(_SIDE * image_set.lq.shape[1] // image_set.hr.shape[1])


def _crops(images: np.ndarray, side: int) -> np.ndarray:
    """Centre crops as float32 ``[N, 3, side, side]`` in [0, 1]."""
    top = (images.shape[1] - side) // 2
    crops = images[:, top : top + side, top : top + side]
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32) / 255
