"""The training loop: optimiser steps over batches, with logs and saved states to resume from."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from ...datasets.images import ImageError
from ..adapters import whole
from ..errors import TrainingError
from .batches import Batch, Batches, batch_stream, running
from .log import Log, Logs
from .settings import TrainingSettings
from .states import claim, resume, save
from .stopping import TrainingStopped, asked_to_stop

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers.training_utils import EMAModel

Tell = Callable[[int, int, Logs], None]
"""Receives the step, the number of steps and the latest logged means."""


@dataclass(frozen=True)
class Player:
    """A network with its own optimiser, which trains its trainable parameters; a GAN has two players, others one."""

    name: str
    module: torch.nn.Module
    learning_rate: float


class Task(Protocol):
    """What is trained."""

    @property
    def players(self) -> Sequence[Player]:
        """In the order in which they step."""

    def loss(self, player: str, modules: Mapping[str, torch.nn.Module], batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        """Loss of one player on a batch, and the values to log.

        Args:
            player: name of the player that steps.
            modules: the modules of all players as ``accelerate`` wrapped them, by name.
            batch: the batch.
        """


class Observer(Protocol):
    """Watches a training without changing it, such as a validation."""

    def after_step(self, step: int, averages: Mapping[str, EMAModel]) -> Mapping[str, float]:
        """Values to log in the row of this step; all processes call it."""

    def after_save(self, step: int, averages: Mapping[str, EMAModel]) -> None:
        """Called after the state of this step was saved, by all processes."""


def train(
    task: Task,
    batches: Batches,
    settings: TrainingSettings,
    folder: Path,
    accelerator: Accelerator,
    tell: Tell | None = None,
    observer: Observer | None = None,
) -> dict[str, EMAModel]:
    """Train to ``settings.steps``, from the state in ``folder`` where there is one.

    A batch and all that is drawn for it follow from the seed and the step, so that a training killed at any moment
    and started again gives bit for bit (on the CPU) what an undisturbed one gives. SIGINT and SIGTERM end it after the
    step in which they come.

    Args:
        task: what is trained: its networks and their losses.
        batches: the training batches.
        settings: length, optimiser, saving and logging.
        folder: the stage's folder for state and log.
        accelerator: device, precision and processes of the training.
        tell: progress callback after every step.
        observer: called after every step and every save.

    Returns:
        The moving averages by player, where the settings ask for them; the players' modules hold the last weights.

    Raises:
        TrainingError: the folder holds a training with other settings, or the loss is not finite.
        TrainingStopped: a signal ended the training; the state is saved.
    """
    claim(folder, settings, accelerator)
    run = _prepare(task, settings, accelerator)
    start, unlogged = resume(folder, accelerator)
    for average in run.averages.values():
        average.to(accelerator.device)  # accelerate reads states of its own objects onto the CPU
    log = Log(folder, start, unlogged, settings, accelerator)
    numbers = range(start * settings.accumulation, settings.steps * settings.accumulation)
    saving = "asked to end: the state is saved at the end of this step; ask again to end at once"
    loader = batch_stream(batches, numbers, settings.workers)
    with asked_to_stop(saving if accelerator.is_main_process else "") as stop_signal, running(loader) as stream:
        saved = time.monotonic()
        for step in range(start, settings.steps):
            micro = [_moved(_next(stream), accelerator) for _ in range(settings.accumulation)]
            for player in task.players:
                _step(task, player.name, run, micro, settings, accelerator, log, folder, step)
            validation = observer.after_step(step + 1, run.averages) if observer is not None else {}
            means = log.step(step + 1, run.learning_rate, validation)
            if tell is not None:
                tell(step + 1, settings.steps, means)
            due = step + 1 == settings.steps or time.monotonic() - saved >= 60 * settings.save_minutes
            stopped_by, due = _agreed(stop_signal(), due, accelerator)
            if stopped_by or due:
                save(folder, step + 1, log.unlogged(), accelerator)
                saved = time.monotonic()
                if observer is not None:
                    observer.after_save(step + 1, run.averages)
            if stopped_by:
                end = f"stopped after step {step + 1} of {settings.steps}; the state is saved in {folder}, run the same"
                raise TrainingStopped(f"{end} command to go on" if accelerator.is_main_process else "", stopped_by)
    return run.averages


def _agreed(stop_signal: int, due: bool, accelerator: Accelerator) -> tuple[int, bool]:
    """The signal that came to any process, and whether the main one's clock says that it is time to save."""
    if accelerator.num_processes == 1:
        return stop_signal, due
    local_flags = [stop_signal == signal.SIGINT, stop_signal == signal.SIGTERM, due and accelerator.is_main_process]
    flags = torch.tensor(local_flags, dtype=torch.float32, device=accelerator.device)
    interrupted, terminated, due = (accelerator.reduce(flags, "sum") > 0).tolist()
    return signal.SIGINT if interrupted else signal.SIGTERM if terminated else 0, due


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
        optimizer = _optimizer(settings)(
            parameters, lr=player.learning_rate, betas=(0.9, 0.999), weight_decay=settings.weight_decay
        )
        # accelerate steps the schedule once for each process
        processes = accelerator.num_processes
        schedule = get_scheduler(
            settings.schedule if settings.schedule != "constant" else "constant_with_warmup",
            optimizer,
            num_warmup_steps=settings.warmup * processes,
            num_training_steps=settings.steps * processes,
        )
        prepared = accelerator.prepare(player.module, optimizer, schedule)
        run.modules[player.name], run.optimizers[player.name], run.schedules[player.name] = prepared
        if settings.ema:
            average = EMAModel(trainable(run.modules[player.name]), decay=settings.ema)
            average.to(accelerator.device)
            accelerator.register_for_checkpointing(average)
            run.averages[player.name] = average
    return run


def _optimizer(settings: TrainingSettings) -> Callable[..., torch.optim.Optimizer]:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise TrainingError(
            "optimizer: 'adamw8bit' needs bitsandbytes; pip install bitsandbytes, or set it to adamw"
        ) from None
    eight_bits: Callable[..., torch.optim.Optimizer] = AdamW8bit
    return eight_bits


def _step(
    task: Task,
    player: str,
    run: _Run,
    micro: Sequence[Batch],
    settings: TrainingSettings,
    accelerator: Accelerator,
    log: Log,
    folder: Path,
    step: int,
) -> None:
    module = run.modules[player]
    for position, batch in enumerate(micro):
        last = position == len(micro) - 1
        with accelerator.autocast() if last else _unsynchronised(accelerator, module):
            loss, logs = task.loss(player, run.modules, batch)
        if not _finite_everywhere(loss, accelerator):
            save(folder, step, log.unlogged(), accelerator)
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
    """The next batch; an error of a worker process is raised without that process's traceback."""
    try:
        return next(stream)
    except (ImageError, TrainingError) as error:
        *trace, text = str(error).strip().splitlines()
        raise TrainingError(text.partition(": ")[2] if trace else text) from None


def _moved(batch: Batch, accelerator: Accelerator) -> Batch:
    return batch._replace(hq=batch.hq.to(accelerator.device), lq=batch.lq.to(accelerator.device))
