"""The training loop: batches in, optimiser steps, logs, states to resume from."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...datasets.images import ImageError, write_atomically
from ..adapters import whole
from ..errors import TrainingError
from .batches import Batch, Batches, batch_stream
from .settings import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers.training_utils import EMAModel

Logs = dict[str, float]
Tell = Callable[[int, int, Logs], None]
"""Receives the step, the number of steps and the latest logged means."""


@dataclass(frozen=True)
class Player:
    """A network with an optimiser of its own; a GAN has two, all else one. Its trainable parameters are optimised."""

    name: str
    module: torch.nn.Module
    learning_rate: float


class Task(Protocol):
    """What is trained."""

    @property
    def players(self) -> Sequence[Player]:
        """In the order in which they step."""

    def loss(self, player: str, modules: Mapping[str, torch.nn.Module], batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        """Loss of one player on a batch, and what to log of it.

        Args:
            modules: all players' modules as ``accelerate`` wrapped them, by name.
        """


def train(
    task: Task, batches: Batches, settings: TrainingSettings, folder: Path, accelerator: Accelerator,
    tell: Tell | None = None,
) -> dict[str, EMAModel]:  # fmt: skip
    """Train to ``settings.steps``, from the state in ``folder`` where there is one.

    A batch and all that is drawn for it follow from the seed and the step, so that a training killed at any moment
    and started again gives bit for bit (on the CPU) what an undisturbed one gives.

    Returns:
        The moving averages by player, where the settings ask for them; the players' modules hold the last weights.

    Raises:
        TrainingError: the folder holds a training with other settings, or the loss is not finite.
    """
    _claim(folder, settings, accelerator)
    run = _prepare(task, settings, accelerator)
    start = _resume(run, folder, accelerator)
    log = _Log(folder, start, settings, accelerator)
    numbers = range(start * settings.accumulation, settings.steps * settings.accumulation)
    stream: Iterator[Batch] = iter(batch_stream(batches, numbers, settings.workers))
    for step in range(start, settings.steps):
        micro = [_moved(_next(stream), accelerator) for _ in range(settings.accumulation)]
        for player in task.players:
            _step(task, player.name, run, micro, settings, accelerator, log, folder, step)
        means = log.step(step + 1, run.learning_rate)
        if tell is not None:
            tell(step + 1, settings.steps, means)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            _save(folder, step + 1, accelerator)
    return run.averages


@dataclass
class _Run:
    modules: dict[str, torch.nn.Module]
    optimizers: dict[str, Any]
    schedules: dict[str, Any]
    averages: dict[str, EMAModel]

    @property
    def learning_rate(self) -> float:
        return float(next(iter(self.schedules.values())).get_last_lr()[0])


def trainable(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Parameters that the optimiser sees."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _prepare(task: Task, settings: TrainingSettings, accelerator: Accelerator) -> _Run:
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    if settings.ema and accelerator.distributed_type == "FSDP":
        raise TrainingError("ema: a network in shards (FSDP) keeps no moving average; set it to 0")
    run = _Run({}, {}, {}, {})
    for player in task.players:
        parameters = trainable(player.module)
        optimizer = torch.optim.AdamW(
            parameters, lr=player.learning_rate, betas=(0.9, 0.999), weight_decay=settings.weight_decay
        )
        # accelerate steps the schedule once for each process
        processes = accelerator.num_processes
        schedule = get_scheduler(
            settings.schedule if settings.schedule != "constant" else "constant_with_warmup", optimizer,
            num_warmup_steps=settings.warmup * processes, num_training_steps=settings.steps * processes,
        )  # fmt: skip
        prepared = accelerator.prepare(player.module, optimizer, schedule)
        run.modules[player.name], run.optimizers[player.name], run.schedules[player.name] = prepared
        if settings.ema:
            average = EMAModel(trainable(run.modules[player.name]), decay=settings.ema)
            average.to(accelerator.device)
            accelerator.register_for_checkpointing(average)
            run.averages[player.name] = average
    return run


def _step(
    task: Task, player: str, run: _Run, micro: Sequence[Batch], settings: TrainingSettings, accelerator: Accelerator,
    log: _Log, folder: Path, step: int,
) -> None:  # fmt: skip
    module = run.modules[player]
    for position, batch in enumerate(micro):
        last = position == len(micro) - 1
        with accelerator.autocast() if last else _unsynchronised(accelerator, module):
            loss, logs = task.loss(player, run.modules, batch)
        if not _finite_everywhere(loss, accelerator):
            _save(folder, step, accelerator)
            raise TrainingError(
                f"{folder}: the loss of '{player}' is {float(loss.detach())} at step {step + 1}; the state before this"
                " step is saved. Lower the learning rate, or train with another precision or seed in a new folder"
            )
        accelerator.backward(loss / len(micro))
        log.add(logs)
    norm = whole(accelerator.clip_grad_norm_(trainable(module), settings.clip))
    log.add({f"gradient_{player}" if len(run.modules) > 1 else "gradient": norm})
    run.optimizers[player].step()
    run.schedules[player].step()
    run.optimizers[player].zero_grad()
    if player in run.averages:
        run.averages[player].step(trainable(module))


def _finite_everywhere(loss: Tensor, accelerator: Accelerator) -> bool:
    """Whether all processes may go on: they stop together, or the others would wait for one that has stopped."""
    finite = torch.isfinite(loss.detach())
    if accelerator.num_processes > 1:
        finite = accelerator.reduce(finite.float(), "mean") == 1
    return bool(finite)


def _unsynchronised(accelerator: Accelerator, module: torch.nn.Module) -> Any:
    from contextlib import ExitStack

    stack = ExitStack()
    stack.enter_context(accelerator.no_sync(module))
    stack.enter_context(accelerator.autocast())
    return stack


def _next(stream: Iterator[Batch]) -> Batch:
    """The next batch; what went wrong in a worker process is told without that process's traceback."""
    try:
        return next(stream)
    except (ImageError, TrainingError) as error:
        *trace, text = str(error).strip().splitlines()
        raise TrainingError(text.partition(": ")[2] if trace else text) from None


def _moved(batch: Batch, accelerator: Accelerator) -> Batch:
    return batch._replace(hq=batch.hq.to(accelerator.device), lq=batch.lq.to(accelerator.device))


class _Log:
    """Means over ``log_every`` steps into ``log.csv`` and the trackers."""

    def __init__(self, folder: Path, start: int, settings: TrainingSettings, accelerator: Accelerator) -> None:
        self._path, self._every, self._accelerator = folder / "log.csv", settings.log_every, accelerator
        self._sums: dict[str, list[Any]] = {}
        self._means: Logs = {}
        if accelerator.is_main_process:
            self._cut(start)
        if settings.trackers:
            accelerator.init_trackers(folder.name, config=settings.model_dump(mode="json", exclude={"trackers"}))

    def add(self, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            self._sums.setdefault(name, []).append(value.detach() if isinstance(value, Tensor) else value)

    def step(self, step: int, learning_rate: float) -> Logs:
        if step % self._every:
            return self._means
        self._means = self._over_processes(
            {name: math.fsum(map(float, values)) / len(values) for name, values in self._sums.items()}
        )
        self._means["learning_rate"] = learning_rate
        self._sums.clear()
        self._accelerator.log(self._means, step=step)
        if self._accelerator.is_main_process:
            fresh = not self._path.exists()
            with self._path.open("a", newline="") as file:
                writer = csv.writer(file)
                if fresh:
                    writer.writerow(["step", *self._means])
                writer.writerow([step, *(f"{value:.6g}" for value in self._means.values())])
        return self._means

    def _over_processes(self, means: Logs) -> Logs:
        if self._accelerator.num_processes == 1:
            return means
        values = torch.tensor(list(means.values()), device=self._accelerator.device)
        return dict(zip(means, self._accelerator.reduce(values, "mean").tolist(), strict=True))

    def _cut(self, start: int) -> None:
        """Remove what a killed training logged after its last state."""
        if self._path.exists():
            head, *rows = self._path.read_text().splitlines(keepends=True)
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= start]
            if kept:
                write_atomically(self._path, "".join([head, *kept]).encode())
            else:
                self._path.unlink()


def _claim(folder: Path, settings: TrainingSettings, accelerator: Accelerator) -> None:
    """Write the settings into a new folder; refuse a folder whose training had others."""
    path = folder / "settings.json"
    if path.exists():
        changed = settings.differences(json.loads(path.read_text()))
        if changed:
            raise TrainingError(
                f"{folder}: holds a training with other settings ({', '.join(changed)}); name a new folder, or give"
                f" the settings in {path} to go on with it"
            )
    if accelerator.is_main_process:
        write_atomically(path, json.dumps(settings.model_dump(mode="json"), indent=2).encode())
    accelerator.wait_for_everyone()


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Name the folder where torch or safetensors cannot write: they say it in words of their own.

    Raises:
        TrainingError: what is written inside the context could not be.
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


def _save(folder: Path, step: int, accelerator: Accelerator) -> None:
    """Write a state beside the last one, then remove that: at any moment one is whole."""
    target = _state(folder, step)
    temporary = folder / f".{target.name}.tmp"
    if accelerator.is_main_process:
        shutil.rmtree(temporary, ignore_errors=True)
    accelerator.wait_for_everyone()
    with writing_into(folder):
        accelerator.save_state(str(temporary))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        for old in folder.glob("state-*"):
            if old != target:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def _resume(run: _Run, folder: Path, accelerator: Accelerator) -> int:
    """Load the last state; the step it was saved after."""
    _keep_trainable_only(accelerator)
    states = sorted(folder.glob("state-*"))
    if not states:
        return 0
    accelerator.load_state(str(states[-1]))
    return int(states[-1].name.removeprefix("state-"))


def _keep_trainable_only(accelerator: Accelerator) -> None:
    """States hold what training changes: adapters, not the frozen backbone. Sharded models are left alone."""

    def frozen(model: torch.nn.Module) -> set[str]:
        return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}

    def save(models: list[torch.nn.Module], weights: list[dict[str, Tensor]], output: str) -> None:
        if weights and accelerator.is_main_process:
            for number, model in enumerate(models):
                plain = accelerator.unwrap_model(model)
                left = frozen(plain)
                tensors = {name: one.contiguous() for name, one in plain.state_dict().items() if name not in left}
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
