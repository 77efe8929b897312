"""Outputs of baseline methods on degraded training images: what an adversary learns to make."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ...asasr.config import AsasrConfig, DataConfig
from ...asasr.errors import TrainingConfigError
from ...asasr.training.batches import PairedCrops
from ...asasr.training.files import split_files
from ...datasets.degradation.pipeline import degrade_image
from ...datasets.degradation.settings import preset
from ...datasets.images import as_rgb, crop_to_multiple, read_image, write_atomically, write_png
from ...methods.interface import Method, PixelMethod
from ...methods.registry import resolve
from ..execute.restore_image import restore_image, torch_device
from ..plan.image_seed import SEEDING

_RECIPE = "recipe.json"


def make_artifacts(config: AsasrConfig, folder: Path, device: str = "auto") -> PairedCrops:
    """Degrade a share of the training images and restore them by each of the adversary's methods.

    Images that are there already, made by the same recipe, are kept.

    Returns:
        Pairs whose HQ are the methods' outputs.

    Raises:
        TrainingConfigError: no adversary section, no HQ folder, or artifacts of another recipe in the folder.
        MethodError: a method that cannot be used.
    """
    stage, data = config.adversary, config.data
    if stage is None:
        raise TrainingConfigError(f"{config.name}: has no section 'adversary'")
    files = _training_files(data)
    chosen = files[: max(1, round(stage.share * len(files)))]
    entries = [resolve(method) for method in stage.methods]
    settings = preset(data.degradation)
    recipe = {
        "degradation": settings.identity, "seed": stage.seed, "images": len(chosen),
        "seeding": SEEDING,
        "methods": [[entry.card.id, entry.card.version, entry.weights_digest] for entry in entries],
    }  # fmt: skip
    _claim(folder / _RECIPE, recipe)
    for entry in entries:
        place = torch_device(device) if entry.takes_tensors else "cpu"
        if not entry.restores_images:
            raise TrainingConfigError(f"{entry.card.id}: restores no single images; give its outputs as data instead")
        method = None
        for path in chosen:
            name = path.stem + "-" + re.sub(r"[:/\\]", "-", entry.card.id) + ".png"
            if (folder / "sr" / name).exists():
                continue
            hr = crop_to_multiple(as_rgb(read_image(path)), settings.scale)
            lq = degrade_image(hr, settings, stage.seed)
            method = entry.load(place) if method is None else method
            assert isinstance(method, Method | PixelMethod)
            write_png(folder / "lq" / name, lq)
            write_png(folder / "sr" / name, restore_image(method, lq, settings.scale, stage.seed, place))
    return PairedCrops(folder / "sr", folder / "lq", crop=data.crop, scale=settings.scale)


def _training_files(data: DataConfig) -> list[Path]:
    if not data.hq:
        raise TrainingConfigError("data.hq: the adversary's baselines restore images of HQ folders; name one (--data)")
    return split_files([Path(folder) for folder in data.hq], data.held_out)[0]


def _claim(path: Path, recipe: dict[str, object]) -> None:
    text = json.dumps(recipe, indent=1)
    if path.exists() and json.loads(path.read_text()) != json.loads(text):
        raise TrainingConfigError(
            f"{path.parent}: holds artifacts of other methods or images; remove it, or name another"
        )
    write_atomically(path, text.encode())
