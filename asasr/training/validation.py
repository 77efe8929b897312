"""Validation while a network trains: loss on held-out images, restored images with their metrics, what is kept."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...datasets.images import write_atomically
from ..models import Model
from ..resize import resized
from ..sampling import SamplingSettings, restore
from .batches import Batch
from .log import Logs, Part
from .loop import Task, trainable
from .settings import StageSettings
from .sources import HeldOut
from .trackers import track_image

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers.training_utils import EMAModel

Measure = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
"""Metric of a restored image against HQ, both uint8 ``[H, W, 3]``."""

KEPT_FOLDER = "kept"
"""In a stage's folder: what was trained, after the last saves and at the best validation."""
_DRAWS = 4
"""Noise levels at which the loss of a validation image is taken; always the same ones."""
_BETTER = {"loss": -1, "lpips": -1, "psnr_y": 1, "ssim_y": 1}
_VALUES = "validation.json"


@runtime_checkable
class Examined(Protocol):
    """A task with something to log in validations alone."""

    def examine(self, batch: Batch) -> dict[str, Any]: ...


class Validation:
    """An ``Observer`` that validates every ``validate_every`` steps and keeps what was trained.

    It draws from its own seeds and puts back what it changes, so that a training is the same with and without it.
    Images are shared among processes. Where the weights have a moving average, that is validated and kept.

    Args:
        images: held-out images of one size; empty: nothing is validated.
        model: the model that is trained.
        task: gives the loss.
        sampling: how images are restored.
        metrics: metric of a restored image by name.
        settings: when to validate, and what to keep.
        folder: the stage's folder.
        accelerator: of the training.
        export: writes the trained model into a folder; all processes call it.
    """

    def __init__(
        self,
        images: Sequence[HeldOut],
        model: Model,
        task: Task,
        sampling: SamplingSettings,
        metrics: Mapping[str, Measure],
        settings: StageSettings,
        folder: Path,
        accelerator: Accelerator,
        export: Callable[[Path], object],
    ) -> None:
        self._images, self._model, self._task, self._sampling = list(images), model, task, sampling
        self._metrics, self._settings, self._folder = metrics, settings, folder
        self._accelerator, self._export = accelerator, export

    def after_step(self, step: int, averages: Mapping[str, EMAModel]) -> Logs:
        """See ``Observer``."""
        if not self._images or not self._settings.validate_every or step % self._settings.validate_every:
            return {}
        with self._at_rest(averages):
            values = self._losses()
            restored, measured = self._restored()
            values |= measured
            if self._accelerator.is_main_process:
                grid = self._grid(restored)
                write_atomically(self._folder / "validation" / f"{step:08d}.png", _png(grid))
                track_image(self._accelerator, "validation", grid, step)
            self._keep_if_best(step, values)
        return {f"validation_{name}": value for name, value in values.items()}

    def after_save(self, step: int, averages: Mapping[str, EMAModel]) -> None:
        """See ``Observer``."""
        if not self._settings.keep:
            return
        with self._at_rest(averages):
            self._write(f"step-{step:08d}", {"step": step})
        if self._accelerator.is_main_process:
            for old in sorted((self._folder / KEPT_FOLDER).glob("step-*"))[: -self._settings.keep]:
                shutil.rmtree(old)

    @contextmanager
    def _at_rest(self, averages: Mapping[str, EMAModel]) -> Iterator[None]:
        """The averaged weights in place and no gradients, until the end of the block."""
        backbone = self._model.backbone
        parameters, average = trainable(backbone), next(iter(averages.values()), None)
        training = backbone.training
        if average is not None:
            average.store(parameters)
            average.copy_to(parameters)
        backbone.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            backbone.train(training)
            if average is not None:
                average.restore(parameters)

    def _own(self) -> Iterator[tuple[int, HeldOut, float]]:
        """Number, image and weight 1 of this process's images; all processes have as many, the last of weight 0."""
        processes, rank = self._accelerator.num_processes, self._accelerator.process_index
        for start in range(0, len(self._images), processes):
            number = start + rank
            inside = number < len(self._images)
            yield number, self._images[number if inside else -1], float(inside)

    def _losses(self) -> Logs:
        """Means over images of what the task logs, at fixed noise."""
        players = self._task.players
        modules = {player.name: player.module for player in players}
        sums: dict[str, list[float]] = {}
        for number, image, weight in self._own():
            hq, lq = (side[None].to(self._accelerator.device).expand(_DRAWS, -1, -1, -1) for side in image[1:])
            batch = Batch(hq, lq, seed=1 + number)
            with self._accelerator.autocast():
                _, logs = self._task.loss(players[0].name, modules, batch)
                if isinstance(self._task, Examined):
                    logs |= self._task.examine(batch)
            for name, value in logs.items():
                part = value if isinstance(value, Part) else Part(value, 1.0)
                total = sums.setdefault(name, [0.0, 0.0])
                total[0] += weight * float(part.total)
                total[1] += weight * float(part.count)
        return self._mean_of_all(sums)

    def _restored(self) -> tuple[list[NDArray[np.uint8]], Logs]:
        """All images restored, in their order, and means of their metrics."""
        scale = self._images[0].hq.shape[-1] // self._images[0].lq.shape[-1]
        slots: list[Tensor] = []
        sums: dict[str, list[float]] = {}
        for _, image, weight in self._own():
            lq = image.lq[None].to(self._accelerator.device)
            sr = restore(self._model.backbone, self._model.codec, lq, scale, [0], self._sampling)
            pixels = (sr.float().clamp(0, 1) * 255).round().to(torch.uint8).movedim(1, -1).contiguous()
            slots.append(self._accelerator.gather(pixels))
            for name, measure in self._metrics.items():
                total = sums.setdefault(name, [0.0, 0.0])
                value = measure(pixels[0].cpu().numpy(), _pixels(image.hq))
                if weight and not math.isnan(value):  # some metrics are not defined for small images
                    total[0] += value
                    total[1] += 1
        images = [image for slot in slots for image in slot.cpu().numpy()]
        return images[: len(self._images)], self._mean_of_all(sums)

    def _mean_of_all(self, sums: Mapping[str, list[float]]) -> Logs:
        numbers = torch.tensor(list(sums.values()), dtype=torch.float64)
        if self._accelerator.num_processes > 1 and len(sums):
            numbers = self._accelerator.reduce(numbers.to(self._accelerator.device, torch.float32), "sum")
        pairs = zip(sums, numbers.tolist(), strict=True)
        return {name: total / count if count else math.nan for name, (total, count) in pairs}

    def _grid(self, restored: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """A row for each image: LQ enlarged, restored, HQ."""
        rows = []
        for image, sr in zip(self._images, restored, strict=True):
            height, width = image.hq.shape[-2:]
            enlarged = resized(image.lq[None], height, width, self._model.backbone.resize)[0]
            rows.append(np.concatenate([_pixels(enlarged), sr, _pixels(image.hq)], axis=1))
        return np.concatenate(rows)

    def _keep_if_best(self, step: int, values: Logs) -> None:
        name = self._settings.best
        value = values.get(name, math.nan)
        if not self._settings.keep or math.isnan(value):
            return
        before = sorted((self._folder / KEPT_FOLDER).glob(f"best-*/{_VALUES}"))
        best = json.loads(before[-1].read_text()) if before else {}
        if name in best and _BETTER[name] * (value - best[name]) <= 0:
            return
        self._accelerator.wait_for_everyone()  # all have read it
        measured = {metric: number for metric, number in values.items() if not math.isnan(number)}
        self._write(f"best-{step:08d}", {"step": step, **measured})
        if self._accelerator.is_main_process:
            for old in (self._folder / KEPT_FOLDER).glob("best-*"):
                if old.name != f"best-{step:08d}":
                    shutil.rmtree(old)

    def _write(self, name: str, values: Mapping[str, float]) -> None:
        """A folder that is whole or not there."""
        target = self._folder / KEPT_FOLDER / name
        temporary = target.with_name(f".{name}.tmp")
        if self._accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
        self._accelerator.wait_for_everyone()
        self._export(temporary)
        if self._accelerator.is_main_process:
            write_atomically(temporary / _VALUES, json.dumps(values, indent=1).encode())
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
        self._accelerator.wait_for_everyone()


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (image * 255).round().to(torch.uint8).movedim(0, -1).contiguous().numpy()
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
