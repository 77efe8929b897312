"""What tests of training share: photos to learn from and the settings of a stage that is over in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from asasr_bench.asasr.config import AsasrConfig
from asasr_bench.asasr.training.stages import Place
from asasr_bench.datasets.images import write_png
from tiny_networks import FAMILIES

STAGE: dict[str, Any] = {
    "steps": 2, "batch": 2, "learning_rate": 1e-3, "warmup": 0, "save_minutes": 0, "log_every": 1, "workers": 0,
}  # fmt: skip
SMALL: dict[str, Any] = {"family": "small", "rank": 4, "alpha": 4, **FAMILIES["small"]}
"""The section ``model`` of the smallest network."""


def write_photos(folder: Path, count: int = 4) -> Path:
    """The folder, with parts of a photo of scikit-image, each of 160x160 pixels."""
    from skimage import data

    photo = data.astronaut()
    for number in range(count):
        write_png(folder / f"photo{number}.png", np.ascontiguousarray(photo[80 * number :][:160, 120 : 120 + 160]))
    return folder


def data_section(hq: Path | str, **changes: Any) -> dict[str, Any]:
    """The section ``data`` of a configuration: small crops of these photos, degraded."""
    return {"hq": [str(hq)], "crop": 32, "margin": 8, "degradation": "stablesr-x4", **changes}


def configuration(family: str, hq: Path, **changes: Any) -> AsasrConfig:
    """All stages of a family; ``stage__name=value`` changes an entry of a section."""
    content: dict[str, Any] = {
        "name": family,
        "model": {"family": family, "rank": 4, "alpha": 4, **FAMILIES[family]},
        "data": data_section(hq, crop=32 if family == "small" else 64),
        "prior": {**STAGE, "what": "network" if family == "small" else "sr"},
        "adversary": {**STAGE, "methods": ["bicubic"], "share": 1.0},
        "preference": {
            **STAGE, "beta": 50, "negatives": [
                {"kind": "lq", "own_noise": True}, {"kind": "adversary", "trust": 0.5},
                {"kind": "gradient", "radius": 0.5}, {"kind": "policy", "steps": 2},
            ],
        },
        "sampling": {"steps": 2, "colour_fix": "none"},
    }  # fmt: skip
    for key, value in changes.items():
        section, _, name = key.partition("__")
        content[section] = {**content[section], name: value}
    return AsasrConfig.model_validate(content)


def place(folder: Path, tell: Any = None, validation: Any = None) -> Place:
    """Where a training on the CPU writes."""
    return Place(folder, Accelerator(cpu=True), tell, validation)
