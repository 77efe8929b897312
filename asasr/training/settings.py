"""Settings of one training, as configuration files give them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_FREE_TO_CHANGE = {"save_minutes", "log_every", "workers", "trackers"}


class TrainingSettings(BaseModel):
    """How long, how fast and how exactly. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: Annotated[int, Field(ge=1)]
    """Optimiser steps."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Crops per process and forward."""
    accumulation: Annotated[int, Field(ge=1)] = 1
    """Batches per optimiser step."""
    learning_rate: Annotated[float, Field(gt=0, strict=False)]
    warmup: Annotated[int, Field(ge=0)] = 200
    """Steps until the learning rate is reached."""
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: Annotated[float, Field(ge=0, strict=False)] = 0.01
    """Of AdamW."""
    clip: Annotated[float, Field(gt=0, strict=False)] = 1.0
    """Greatest norm of the gradient."""
    ema: Annotated[float, Field(ge=0, lt=1, strict=False)] = 0.0
    """Decay of the exponential moving average of the weights; 0: none."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Of the forward, ``bf16`` where the device has it; weights and optimiser stay float32."""
    checkpointing: bool = False
    """Trade time for memory: recompute activations in the backward pass."""
    seed: int = 0
    save_minutes: Annotated[float, Field(ge=0, strict=False)] = 5.0
    """Time after which the state is saved: the most that a kill costs. 0: after each step."""
    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps of one row of the log; the first step and the last have a row in any case."""
    workers: Annotated[int, Field(ge=0)] = 1
    """Processes that make batches ahead."""
    trackers: Annotated[tuple[Literal["tensorboard", "wandb"], ...], Field(strict=False)] = ()

    def determining(self) -> dict[str, Any]:
        """The keys on which the outcome depends."""
        return {key: value for key, value in self.model_dump(mode="json").items() if key not in _FREE_TO_CHANGE}

    def differences(self, stored: dict[str, Any]) -> list[str]:
        """Keys that would make a resumed training another one than the ``stored`` settings began."""
        own = self.determining()
        free = {"steps"} if self.schedule == "constant" else set()
        return [key for key in own if key not in free and own[key] != stored.get(key)]
