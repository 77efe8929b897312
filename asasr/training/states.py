"""The files from which a training resumes: its settings, and the state after the last saved step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...datasets.images import write_atomically
from ..errors import TrainingError
from .log import Unlogged
from .settings import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

_UNLOGGED = "unlogged.json"
"""File of a state: values that the next row of the log is the mean of."""


def claim(folder: Path, settings: TrainingSettings, accelerator: Accelerator) -> None:
    """Write the settings into a new folder.

    Raises:
        TrainingError: the folder holds a training with other settings, or a longer one.
    """
    path = folder / "settings.json"
    if path.exists():
        stored = json.loads(path.read_text())
        changed = settings.differences(stored)
        if changed == ["steps"]:
            raise TrainingError(
                f"{folder}: its learning rate ends at step {stored['steps']}, as a cosine schedule has it; going on"
                f" from there is no training of {settings.steps} steps. Name a new folder; with 'schedule: constant' a"
                " training can become longer"
            )
        if changed:
            raise TrainingError(
                f"{folder}: holds a training with other settings ({', '.join(changed)}); name a new folder, or give"
                f" the settings in {path} to go on with it"
            )
        if (trained_steps := _last_step(folder)) > settings.steps:
            raise TrainingError(
                f"{folder}: has trained {trained_steps} steps already, more than {settings.steps}; name a new folder"
                " for a shorter training"
            )
    if accelerator.is_main_process:
        write_atomically(path, json.dumps(settings.model_dump(mode="json"), indent=2).encode())
    accelerator.wait_for_everyone()


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Turn errors of torch and safetensors while writing into one message that names the folder.

    Raises:
        TrainingError: a file could not be written inside the context.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(folder).free / 2**20
        raise TrainingError(
            f"{folder}: cannot be written ({str(error).splitlines()[0]}; {free:.0f} MiB are free there); make room and"
            " run the same command: what is whole is kept"
        ) from error


def _state(folder: Path, step: int) -> Path:
    return folder / f"state-{step:08d}"


def _last_step(folder: Path) -> int:
    """The step after which the last state was saved; 0 if there is none."""
    return max((int(path.name.removeprefix("state-")) for path in folder.glob("state-*")), default=0)


def save(folder: Path, step: int, unlogged: Unlogged, accelerator: Accelerator) -> None:
    """Write a new state, then remove the old one, so that a complete state exists at any moment.

    Args:
        folder: the stage's folder.
        step: step after which the state is saved.
        unlogged: values that no row of the log contains yet.
        accelerator: saves networks, optimisers and random states.
    """
    target = _state(folder, step)
    temporary = folder / f".{target.name}.tmp"
    if accelerator.is_main_process:
        shutil.rmtree(temporary, ignore_errors=True)
    accelerator.wait_for_everyone()
    with writing_into(folder):
        accelerator.save_state(str(temporary))
        if accelerator.is_main_process:
            (temporary / _UNLOGGED).write_text(json.dumps(unlogged))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        for old in folder.glob("state-*"):
            if old != target:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def resume(folder: Path, accelerator: Accelerator) -> tuple[int, Unlogged]:
    """Load the last state into what ``accelerator`` prepared.

    Returns:
        The step after which it was saved, 0 if there is none, and what the log had not written by then.
    """
    _keep_trainable_only(accelerator)
    step = _last_step(folder)
    if not step:
        return 0, {}
    accelerator.load_state(str(_state(folder, step)))
    path = _state(folder, step) / _UNLOGGED
    unlogged: Unlogged = json.loads(path.read_text()) if path.exists() else {}
    return step, unlogged


def _keep_trainable_only(accelerator: Accelerator) -> None:
    """Save only what the training changes: adapters, not the frozen backbone. Sharded models are saved whole."""

    def frozen(model: torch.nn.Module) -> set[str]:
        return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}

    def save(models: list[torch.nn.Module], weights: list[dict[str, Tensor]], output: str) -> None:
        if weights and accelerator.is_main_process:
            for number, model in enumerate(models):
                plain = accelerator.unwrap_model(model)
                frozen_names = frozen(plain)
                tensors = {
                    name: tensor.contiguous() for name, tensor in plain.state_dict().items() if name not in frozen_names
                }
                save_file(tensors, Path(output, f"trainable_{number}.safetensors"))
        weights.clear()

    def load(models: list[torch.nn.Module], source: str) -> None:
        for number, model in enumerate(models):
            path = Path(source, f"trainable_{number}.safetensors")
            if path.exists():
                _, unexpected = accelerator.unwrap_model(model).load_state_dict(load_file(path), strict=False)
                if unexpected:
                    raise TrainingError(
                        f"{source}: is the state of another network ({len(unexpected)} unknown tensors)"
                    )
        models.clear()

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)
