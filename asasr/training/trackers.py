"""Experiment trackers beside ``log.csv``: TensorBoard, Weights & Biases, trackio, through accelerate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TrainingConfigError

if TYPE_CHECKING:
    from accelerate import Accelerator
    from numpy.typing import NDArray

PROJECT = "asasr-bench"
TRACKER_FOLDER = "trackers"
"""In a stage's folder: where trackers that write files write them."""


def require_trackers(names: Sequence[str]) -> None:
    """Check that the packages of all trackers are installed; accelerate would skip a missing one silently.

    Raises:
        TrainingConfigError: a package is not installed.
    """
    for name in names:
        if find_spec(name) is None:
            raise TrainingConfigError(f"trackers: '{name}' is not installed; pip install {name}, or leave it out")


def start_trackers(folder: Path, settings: Mapping[str, Any], step: int, accelerator: Accelerator) -> None:
    """Begin a run of each tracker, or go on with the run of the same folder after ``step``.

    Args:
        settings: of the training, stored with a run that begins.
    """
    name = f"{folder.parent.name}/{folder.name}"
    identity = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    options = {
        "tensorboard": {"purge_step": step + 1},  # what a killed training wrote after its last state
        "wandb": {"name": name, "id": identity, "resume": "allow"},
        "trackio": {"name": f"{name}-{identity[:6]}", "resume": "allow"},
    }
    used = {tracker: options[tracker] for tracker in settings.get("trackers", ()) if tracker in options}
    accelerator.init_trackers(PROJECT, config=flat(settings) if step == 0 else None, init_kwargs=used)


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Nested settings as dotted keys with plain values, which is all that TensorBoard takes."""
    result: dict[str, str | int | float | bool] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            numbered = {str(number): item for number, item in enumerate(value, start=1)}
            result |= flat(numbered, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value if isinstance(value, str | int | float | bool) else str(value)
    return result


def track_image(accelerator: Accelerator, name: str, image: NDArray[Any], step: int) -> None:
    """Send an image to every tracker that supports images.

    Args:
        accelerator: has the trackers.
        name: name of the image in the tracker.
        image: uint8 ``[H, W, 3]``.
        step: step of the training.
    """
    for tracker in accelerator.trackers:
        if tracker.name == "tensorboard":
            tracker.log_images({name: image[None]}, step=step, dataformats="NHWC")
        elif tracker.name == "wandb":
            tracker.log_images({name: [image]}, step=step)
        elif tracker.name == "trackio":
            import trackio

            tracker.log({name: trackio.Image(image)}, step=step)
