"""Settings, random crops and the training loop of small referee networks; a stopped training goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ....asasr.training.stopping import TrainingStopped, asked_to_stop
from ....datasets.errors import BenchError

WEIGHTS_FILE = "referee.safetensors"
Tell = Callable[[int, int, dict[str, float]], None]
"""Receives the step, the number of steps and the mean loss."""


class TrainingDataError(BenchError, ValueError):
    """Images or labels that cannot be trained on; the message names the file or folder."""


@dataclass(frozen=True, kw_only=True)
class RefereeTraining:
    """Settings of the training of a referee network."""

    steps: int = 3000
    batch: int = 8
    crop: int = 240
    width: int = 16
    """Number of channels of the network's first layer."""
    learning_rate: float = 2e-3
    seed: int = 0
    save_every: int = 100


def optimise(
    network: nn.Module, loss_at: Callable[[int], Tensor], settings: RefereeTraining, folder: Path, tell: Tell | None
) -> None:
    """Train with AdamW and a one-cycle cosine schedule; a training that was stopped goes on from its saved state.

    Args:
        network: the network, whose parameters are changed in place.
        loss_at: computes the loss of a step; it must depend on the settings and the number of the step alone.
        settings: number of steps, learning rate and the like.
        folder: folder for the saved state and the log.
        tell: called with the step, the number of steps and the mean loss at each save.

    Raises:
        TrainingDataError: the folder holds a training with other settings.
        TrainingStopped: the process received SIGINT or SIGTERM; the state is saved.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps + 1)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.pt"
    start, total = 0, 0.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        if saved["settings"] != _plain(settings):
            raise TrainingDataError(f"{folder}: holds a training with other settings; name a new folder")
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        start, total = saved["step"], saved.get("total", 0.0)
    network.train()
    with asked_to_stop(
        "asked to end: the state is saved at the end of this step; ask again to end at once"
    ) as stop_signal:
        for step in range(start, settings.steps):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_at(step)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
            stopped_by = stop_signal()
            due = (step + 1) % settings.save_every == 0 or step + 1 == settings.steps
            if due:
                mean, total = total / ((step % settings.save_every) + 1), 0.0
                with (folder / "log.csv").open("a", newline="") as file:
                    csv.writer(file).writerow([step + 1, f"{mean:.4f}"])
            if due or stopped_by:
                temporary = folder / ".state.tmp"
                torch.save(
                    {
                        "step": step + 1,
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "schedule": schedule.state_dict(),
                        "settings": _plain(settings),
                        "total": total,
                    },
                    temporary,
                )
                temporary.replace(state)
            if due and tell is not None:
                tell(step + 1, settings.steps, {"loss": mean})
            if stopped_by:
                raise TrainingStopped(
                    f"stopped after step {step + 1} of {settings.steps}; the state is saved in {folder}, run the same"
                    " command to go on",
                    stopped_by,
                )
    network.eval()


def random_crop(
    pixels: NDArray[np.uint8], labels: NDArray[np.uint8], side: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A random square of an image ``[3, side, side]`` in [0, 1] and of its label map ``[side, side]``.

    Mirrored, brightened, contrast changed and resized (factor 0.75 to 1.5) at random.

    Args:
        pixels: image ``[H, W, 3]`` of 8 bits.
        labels: label map ``[H, W]`` of 8 bits.
        side: height and width of the result in pixels.
        rng: generator that every random choice is drawn from.
    """
    height, width = labels.shape
    window_side = min(round(side / rng.uniform(0.75, 1.5)), height, width)
    top, left = int(rng.integers(height - window_side + 1)), int(rng.integers(width - window_side + 1))
    window = slice(top, top + window_side), slice(left, left + window_side)
    image = torch.from_numpy(pixels[window].copy()).permute(2, 0, 1)[None].float() / 255
    cut = torch.from_numpy(labels[window].copy())[None, None].float()
    image = functional.interpolate(image, (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    classes = functional.interpolate(cut, (side, side), mode="nearest-exact")[0, 0].long()
    if rng.random() < 0.5:
        image, classes = image.flip(-1), classes.flip(-1)
    image = (image - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + rng.uniform(-0.1, 0.1)
    return image.clamp(0, 1), classes


def class_weights(counts: NDArray[np.float64], offset: float) -> Tensor:
    """Weight of each class, ``1 / ln(offset + its share of the pixels)`` (Paszke et al., 2016, with offset 1.02).

    A larger offset makes the weights more equal.
    """
    return torch.from_numpy(1 / np.log(offset + counts / max(counts.sum(), 1))).float()


def stacked(images: list[Tensor]) -> Tensor:
    """A batch in the memory order in which convolutions are fastest (channels last)."""
    return torch.stack(images).contiguous(memory_format=torch.channels_last)


def _plain(settings: RefereeTraining) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}
