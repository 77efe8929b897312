"""The log of a training: means over steps, in a file that is the same after an interrupted and resumed training."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ...datasets.images import write_atomically
from .settings import TrainingSettings
from .trackers import start_trackers

if TYPE_CHECKING:
    from accelerate import Accelerator

Logs = dict[str, float]
Unlogged = dict[str, list[Any]]
"""Values since the last row: numbers, or pairs of a sum and the count of its terms."""


class Part(NamedTuple):
    """Sum and count over a subset of a batch, which may be empty; logged as the mean over all subsets of the steps."""

    total: Any
    count: Any


def by_noise_level(name: str, values: Tensor, sigma: Tensor, levels: int = 4) -> dict[str, Part]:
    """Split values by noise level: ``NAME_sigma_1`` near data to ``NAME_sigma_4`` near noise.

    Args:
        name: begins the keys.
        values: ``[B]``.
        sigma: ``[B]`` in [0, 1].
        levels: number of equal ranges of sigma.
    """
    values = values.detach().float()
    level = (sigma.to(values.device).float() * levels).long().clamp(0, levels - 1)
    return {
        f"{name}_sigma_{number + 1}": Part((values * (level == number)).sum(), (level == number).sum())
        for number in range(levels)
    }


class Log:
    """Writes means since the row before to ``log.csv`` and the trackers, every ``log_every`` steps.

    Args:
        folder: the stage's folder.
        start: step after which the training starts or resumes; later rows of the file are removed.
        unlogged: values of a resumed training that no row contains yet.
        settings: how often to log, and the trackers.
        accelerator: of the training.
    """

    def __init__(
        self, folder: Path, start: int, unlogged: Unlogged, settings: TrainingSettings, accelerator: Accelerator
    ) -> None:
        self._path, self._settings, self._accelerator = folder / "log.csv", settings, accelerator
        self._step: dict[str, list[Part]] = {}
        """Values of the step that is not finished."""
        self._values: dict[str, list[Part]] = {
            name: [Part(*value) if isinstance(value, list) else Part(value, 1.0) for value in values]
            for name, values in unlogged.items()
        }
        """Values of the steps since the last row."""
        self._means: Logs = {}
        if accelerator.is_main_process:
            self._cut(start)
        if settings.trackers:
            start_trackers(folder, settings.model_dump(mode="json"), start, accelerator)

    def add(self, logs: Mapping[str, Any]) -> None:
        """Add values of the current step."""
        for name, value in logs.items():
            part = value if isinstance(value, Part) else Part(value, 1.0)
            self._step.setdefault(name, []).append(Part(*(_detached(number) for number in part)))

    def step(self, step: int, learning_rate: float, validation: Mapping[str, float] | None = None) -> Logs:
        """Finish a step; the latest means.

        Args:
            validation: further values of this step's row, which is written whenever there are some.
        """
        for name, parts in self._step.items():
            self._values.setdefault(name, []).extend(parts)
        self._step.clear()
        row: Logs = {}
        if step % self._settings.log_every == 0 or step in (1, self._settings.steps):
            sums = self._sums()
            self._means = {name: mean for name, parts in sums.items() if (mean := _mean(parts)) is not None}
            self._means["learning_rate"] = learning_rate
            # A part that was empty has a column all the same.
            columns = {**dict.fromkeys(sums, math.nan), **self._means}
            self._values.clear()
            row |= columns
        row |= validation or {}
        if row:
            logged = {name: value for name, value in row.items() if not math.isnan(value)}
            self._accelerator.log(logged, step=step)
            if self._accelerator.is_main_process:
                self._write(step, row)
        return self._means

    def unlogged(self) -> Unlogged:
        """All values since the last row, means over processes; a state has them, so that no stop shows in the log."""
        return {
            name: [total if count == 1 else [total, count] for total, count in parts]
            for name, parts in self._sums().items()
        }

    def _sums(self) -> dict[str, list[Part]]:
        local_sums = {
            name: [Part(float(total), float(count)) for total, count in parts] for name, parts in self._values.items()
        }
        if self._accelerator.num_processes == 1 or not local_sums:
            return local_sums
        numbers = [number for parts in local_sums.values() for part in parts for number in part]
        together = torch.tensor(numbers, dtype=torch.float64).to(self._accelerator.device, torch.float32)
        means = iter(self._accelerator.reduce(together, "mean").tolist())
        return {name: [Part(next(means), next(means)) for _ in parts] for name, parts in local_sums.items()}

    def _write(self, step: int, row: Mapping[str, float]) -> None:
        """Append a row; a column that is new widens the table."""
        text = {name: "" if math.isnan(value) else f"{value:.6g}" for name, value in row.items()}
        columns = ["step"]
        if self._path.exists():
            with self._path.open(newline="") as file:
                columns = next(csv.reader(file))
        wider = [*columns, *(name for name in text if name not in columns)]
        if wider != columns:
            before = self._path.read_text() if self._path.exists() else ""
            rows = [dict(old) for old in csv.DictReader(io.StringIO(before))]
            write_atomically(self._path, _table(wider, [*rows, {"step": str(step), **text}]).encode())
            return
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, columns, restval="").writerow({"step": step, **text})

    def _cut(self, start: int) -> None:
        """Remove what a killed training logged after its last state."""
        if self._path.exists():
            head, *rows = self._path.read_text().splitlines(keepends=True)
            earlier_rows = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= start]
            if earlier_rows:
                write_atomically(self._path, "".join([head, *earlier_rows]).encode())
            else:
                self._path.unlink()


def _table(columns: list[str], rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _mean(parts: list[Part]) -> float | None:
    count = math.fsum(part.count for part in parts)
    return math.fsum(part.total for part in parts) / count if count else None


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value
