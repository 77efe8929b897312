"""Settings of one training, as configuration files give them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from ...datasets.strict import Strict

_WHILE_RUNNING = {"save_minutes", "log_every", "workers", "trackers"}
_VALIDATION = {"validate_every", "validate_images", "best", "keep"}
_FREE_TO_CHANGE = _WHILE_RUNNING | _VALIDATION
"""Keys that do not change what is trained."""


class Section(Strict):
    """A part of a configuration whose unknown keys are errors.

    Keys of ``added`` came in a later release: they are written only where they differ from their default, so that what
    earlier releases stored (settings of a training that is to go on, digests of studies) stays equal.
    """

    added: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_added_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        fields = type(self).model_fields
        usual = {key for key in self.added if getattr(self, key) == fields[key].get_default(call_default_factory=True)}
        return {key: value for key, value in content.items() if key not in usual}


class TrainingSettings(Section):
    """How long, how fast and how exactly. Unknown keys are errors."""

    added: ClassVar[frozenset[str]] = frozenset({"optimizer"})

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
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """``adamw8bit`` keeps its moments in 8 bits (bitsandbytes), a quarter of their memory."""
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
    trackers: Annotated[tuple[Literal["tensorboard", "wandb", "trackio"], ...], Field(strict=False)] = ()
    """Where the log goes beside ``log.csv``, through accelerate."""

    def determining(self) -> dict[str, Any]:
        """The settings on which the trained weights depend, by key."""
        return {key: value for key, value in self.model_dump(mode="json").items() if key not in _FREE_TO_CHANGE}

    def differences(self, stored: dict[str, Any]) -> list[str]:
        """Keys whose values forbid these settings to resume a training with the ``stored`` settings."""
        try:
            before = type(self).model_validate(stored).determining()
        except ValidationError:  # keys of another release: compared as they stand
            before = stored
        current = self.determining()
        free = _FREE_TO_CHANGE | ({"steps"} if self.schedule == "constant" else set())
        return [key for key in {**current, **before} if key not in free and current.get(key) != before.get(key)]


class StageSettings(TrainingSettings):
    """Settings of a stage of ASASR, which can be validated while it trains."""

    added: ClassVar[frozenset[str]] = TrainingSettings.added | {"validate_every", "validate_images", "best", "keep"}

    validate_every: Annotated[int, Field(ge=0)] = 0
    """Steps between validations on held-out images (``data.held_out``); 0: none."""
    validate_images: Annotated[int, Field(ge=1)] = 8
    """Held-out images that are restored and measured."""
    best: Literal["loss", "psnr_y", "ssim_y", "lpips"] = "loss"
    """Which value of a validation decides what is kept as the best."""
    keep: Annotated[int, Field(ge=0)] = 1
    """Trained files kept from the last saves, beside that of the best validation; 0: neither."""
