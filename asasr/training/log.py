"""The log of a training: means over steps, in a file that stops and kills leave as if they had not been."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...datasets.images import write_atomically
from .settings import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

Logs = dict[str, float]
Unlogged = dict[str, list[float]]
"""Values since the last row."""


class Log:
    """Means since the row before into ``log.csv`` and the trackers, every ``log_every`` steps."""

    def __init__(
        self, folder: Path, start: int, unlogged: Unlogged, settings: TrainingSettings, accelerator: Accelerator
    ) -> None:
        self._path, self._settings, self._accelerator = folder / "log.csv", settings, accelerator
        self._step: dict[str, list[Any]] = {}
        """Values of the step that is not finished."""
        self._values: dict[str, list[Any]] = dict(unlogged)
        """Values of the steps since the last row."""
        self._means: Logs = {}
        if accelerator.is_main_process:
            self._cut(start)
        if settings.trackers:
            accelerator.init_trackers(folder.name, config=settings.model_dump(mode="json", exclude={"trackers"}))

    def add(self, logs: Mapping[str, Any]) -> None:
        """Take values of the step that is going on."""
        for name, value in logs.items():
            self._step.setdefault(name, []).append(value.detach() if isinstance(value, Tensor) else value)

    def step(self, step: int, learning_rate: float) -> Logs:
        """Finish a step; the latest means."""
        for name, values in self._step.items():
            self._values.setdefault(name, []).extend(values)
        self._step.clear()
        if step % self._settings.log_every and step not in (1, self._settings.steps):
            return self._means
        self._means = {name: math.fsum(values) / len(values) for name, values in self.unlogged().items()}
        self._means["learning_rate"] = learning_rate
        self._values.clear()
        self._accelerator.log(self._means, step=step)
        if self._accelerator.is_main_process:
            fresh = not self._path.exists()
            with self._path.open("a", newline="") as file:
                writer = csv.writer(file)
                if fresh:
                    writer.writerow(["step", *self._means])
                writer.writerow([step, *(f"{value:.6g}" for value in self._means.values())])
        return self._means

    def unlogged(self) -> Unlogged:
        """Means over processes of all values since the last row; a state has them, so that no stop shows in the log."""
        own = {name: [float(value) for value in values] for name, values in self._values.items()}
        if self._accelerator.num_processes == 1 or not own:
            return own
        flat = [value for values in own.values() for value in values]
        together = torch.tensor(flat, dtype=torch.float64).to(self._accelerator.device, torch.float32)
        means = iter(self._accelerator.reduce(together, "mean").tolist())
        return {name: [next(means) for _ in values] for name, values in own.items()}

    def _cut(self, start: int) -> None:
        """Remove what a killed training logged after its last state."""
        if self._path.exists():
            head, *rows = self._path.read_text().splitlines(keepends=True)
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= start]
            if kept:
                write_atomically(self._path, "".join([head, *kept]).encode())
            else:
                self._path.unlink()
