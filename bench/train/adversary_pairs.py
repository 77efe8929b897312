"""Training pairs of the adversary: outputs of baseline methods (its teachers) on degraded training images.

Each output is computed once, by one of the processes that train together, and is kept in a file. The name of the file
holds a digest of everything that determines the output, so that a training that was stopped and later trainings reuse
it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...asasr.config import AdversaryStage, AsasrConfig, DataConfig
from ...asasr.errors import TrainingConfigError, TrainingError
from ...asasr.training.batches import PairedCrops, paired_files
from ...asasr.training.files import require_enough, stem_order
from ...asasr.training.processes import Processes
from ...asasr.training.sources import (
    HeldOut,
    TrainingImage,
    centre_of_pair,
    degradation_at,
    sharpened,
    training_images,
)
from ...datasets.degradation.pipeline import degrade_image
from ...datasets.images import as_rgb, crop_to_multiple, read_image, write_atomically, write_png
from ...methods.entry import MethodEntry
from ...methods.interface import FinishedImages, Interface
from ...methods.registry import resolve
from ..execute.restore_image import LqImage
from ..execute.restore_images import restore_images
from ..failures import Failure
from ..plan.image_seed import SEEDING

RECIPE_FILE = "recipe.json"
_DIGITS = 16


class TeacherPairs(NamedTuple):
    """Training pairs of an adversary, and the images on which it is validated."""

    pairs: PairedCrops
    held_out: list[HeldOut]


def teacher_pairs(config: AsasrConfig, folder: Path, processes: Processes) -> TeacherPairs:
    """Outputs of the adversary's teachers for a share of the training images; those missing in ``folder`` are computed.

    Every process that trains calls this function, with the same folder.

    Returns:
        Pairs whose HQ images are the outputs, and held-out pairs if the stage is validated.

    Raises:
        TrainingConfigError: no adversary section, no teacher, or no folders of HQ images.
        TrainingError: a teacher fails.
        MethodError: a teacher that cannot be used.
    """
    stage = config.adversary
    if stage is None:
        raise TrainingConfigError(f"{config.name}: has no section 'adversary'")
    if not stage.methods and not stage.outputs:
        raise TrainingConfigError(
            "adversary: has no teacher; name methods in 'adversary.methods', or folders of outputs in"
            " 'adversary.outputs'"
        )
    trained, held_out_files = _finished_outputs(stage, config.data)
    if stage.methods:
        entries = [(reference, resolve(reference)) for reference in stage.methods]  # before any is run
        sources = training_images(config.data)
        chosen = [image for images, _ in sources for image in images[: max(1, round(stage.share * len(images)))]]
        validation_images = [image for _, images in sources for image in images][: stage.validate_images]
        validation_images = validation_images if stage.validate_every else []
        lqs = _degraded([*chosen, *validation_images], config.data, stage.seed, folder, processes)
        for _, entry in entries:
            outputs = _outputs(entry, [*chosen, *validation_images], lqs, config.data, stage.seed, folder, processes)
            id = _plain(entry.card.id)
            trained |= {f"{image.name}-{id}": (outputs[image.name], lqs[image.name]) for image in chosen}
            held_out_files |= {
                f"{image.name}-{id}": (outputs[image.name], lqs[image.name]) for image in validation_images
            }
    held_out = [
        centre_of_pair(name, as_rgb(read_image(sr)), as_rgb(read_image(lq)), config.data)
        for name, (sr, lq) in sorted(held_out_files.items())
    ]
    pairs = PairedCrops.of(
        [files for _, files in sorted(trained.items())], crop=config.data.crop, scale=config.data.scale
    )
    return TeacherPairs(pairs, held_out[: stage.validate_images])


Files = dict[str, tuple[Path, Path]]
"""Output and LQ by name."""


def _finished_outputs(stage: AdversaryStage, data: DataConfig) -> tuple[Files, Files]:
    """Files in the folders of ``adversary.outputs``: those to train on, and those held out for validation."""
    trained: Files = {}
    held_out_files: Files = {}
    for number, outputs in enumerate(stage.outputs, start=1):
        files = paired_files(Path(outputs.sr), Path(outputs.lq))
        stems = sorted(files, key=stem_order)
        count = data.held_out if stage.validate_every else 0
        require_enough([Path(outputs.sr)], len(stems), count)
        held_out_files |= {f"{stem}-outputs{number}": files[stem] for stem in stems[:count]}
        trained |= {f"{stem}-outputs{number}": files[stem] for stem in stems[count:]}
    return trained, held_out_files


def _degraded(
    images: Sequence[TrainingImage], data: DataConfig, seed: int, folder: Path, processes: Processes
) -> dict[str, Path]:
    """LQ file of each image by the image's name; an LQ image that is missing is degraded from its HQ image."""
    recipe = {
        "degradations": _degradations(images, data.scale),
        "seed": seed,
        "sharpened": data.sharpen,
        "images": _listed(images),
    }
    place = folder / f"lq-{_claimed(folder, 'lq', recipe)}"
    files = {image.name: image.lq or place / f"{image.name}.png" for image in images}
    for image in processes.share(images):
        if image.lq is None and not files[image.name].exists():
            settings = degradation_at(image.degradation, data.scale)
            hr = crop_to_multiple(as_rgb(read_image(image.hq)), settings.scale)
            write_png(files[image.name], degrade_image(sharpened(hr) if data.sharpen else hr, settings, seed))
    processes.wait_for(files.values())
    return files


def _outputs(
    entry: MethodEntry,
    images: Sequence[TrainingImage],
    lqs: dict[str, Path],
    data: DataConfig,
    seed: int,
    folder: Path,
    processes: Processes,
) -> dict[str, Path]:
    """File with one teacher's output of each image, by the image's name; missing outputs are restored."""
    if entry.interface == Interface.FINISHED:
        finished = entry.load("cpu")
        assert isinstance(finished, FinishedImages)
        return {image.name: finished.image_path(image.name, data.scale) for image in images}
    recipe = {
        "method": entry.identity_of_all(),
        "degradations": _degradations(images, data.scale),
        "seed": seed,
        "seeding": SEEDING,
        "sharpened": data.sharpen,
        "scale": data.scale,
        "images": _listed(images),
    }
    id = _plain(entry.card.id)
    place = folder / f"{id}-{_claimed(folder, id, recipe)}"
    files = {image.name: place / f"{image.name}.png" for image in images}
    missing = [image.name for image in processes.share(images) if not files[image.name].exists()]
    if missing:
        if entry.interface == Interface.HR:
            raise TrainingConfigError(f"adversary.methods: '{entry.card.id}' restores no images; name another teacher")
        device = processes.device if entry.interface == Interface.TENSOR else "cpu"
        work = [LqImage(name, _reader(lqs[name])) for name in missing]
        outcomes = restore_images(entry.load(device), entry.card.id, work, data.scale, seed, device)
        for name, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, Failure):
                raise TrainingError(f"{entry.card.id}: {name} is not restored ({outcome.message})") from outcome.error
            write_png(files[name], as_rgb(outcome.pixels))
    processes.wait_for(files.values())
    return files


def _reader(path: Path) -> Callable[[], Any]:
    return lambda: as_rgb(read_image(path))


def _claimed(folder: Path, name: str, recipe: dict[str, Any]) -> str:
    """Digest of a recipe; the recipe itself is written into the folder that is named after the digest."""
    text = json.dumps(recipe, indent=1, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    path = folder / f"{name}-{digest}" / RECIPE_FILE
    if not path.exists():
        write_atomically(path, text.encode())
    return digest


def _degradations(images: Sequence[TrainingImage], scale: int) -> dict[str, Any]:
    names = sorted({image.degradation for image in images if not image.lq})
    return {name: degradation_at(name, scale).identity for name in names}


def _listed(images: Sequence[TrainingImage]) -> str:
    """Digest of the names and sizes of the files; to read every file would take as long as to restore some."""
    names_and_sizes = [
        [image.name, *(path.stat().st_size for path in (image.hq, image.lq) if path)] for image in images
    ]
    return hashlib.sha256(json.dumps(names_and_sizes).encode()).hexdigest()


def _plain(id: str) -> str:
    return re.sub(r"[^\w.-]", "-", id)
