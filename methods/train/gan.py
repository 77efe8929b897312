"""The small GAN baseline: its configuration, and the training that writes its weight file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ...asasr.config import DataConfig, read_config
from ...asasr.errors import TrainingError
from ...asasr.model_config import Number
from ...asasr.training.loop import train
from ...asasr.training.settings import TrainingSettings
from ...asasr.training.sources import training_pairs
from ...asasr.training.stages import Place
from ...asasr.training.states import writing_into
from ...datasets.strict import Strict
from .compact_gan import CompactGanTask, PatchDiscriminator, compact_generator
from .perceptual import vgg16_distance

GENERATOR_FILE = "generator.safetensors"
"""Weight file that a finished training writes into its folder; spandrel can load it."""


class GeneratorConfig(Strict):
    """See ``compact_generator``."""

    width: Annotated[int, Field(ge=1)] = 64
    depth: Annotated[int, Field(ge=1)] = 16
    weights: str | None = None
    """Safetensors file of such a network, in place of random weights."""


class DiscriminatorConfig(Strict):
    """See ``PatchDiscriminator``."""

    width: Annotated[int, Field(ge=1)] = 48


class GanStage(TrainingSettings):
    """Mean absolute error, perceptual, texture and structure distance, and a hinge GAN; see ``CompactGanTask``."""

    perceptual: Number = 0.0
    """Weight of the perceptual distance; above 0 it needs the weights ``vgg16``."""
    texture: Number = 0.02
    structure: Number = 1.0
    adversarial: Number = 0.005


class GanConfig(Strict):
    """Networks, data and training of a GAN: one YAML file with strict keys."""

    name: str
    summary: str = ""
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    data: DataConfig = DataConfig()
    gan: GanStage


def load_gan_config(source: str | Path, overrides: Mapping[str, Any] | None = None) -> GanConfig:
    """Read the shipped preset ``compact-gan`` or a YAML file; relative paths in a file start from its folder.

    Raises:
        TrainingConfigError: the file is missing, or a key is unknown or invalid.
    """
    presets = files(__package__).joinpath("presets")
    return read_config(GanConfig, source, presets, overrides)


def train_gan(config: GanConfig, place: Place) -> Path:
    """Train for the configured number of steps, or continue a training that was interrupted.

    Returns:
        The generator's weight file; it holds the moving average of the weights if the settings ask for it.

    Raises:
        TrainingError: unusable data or weights, or a loss that is not finite.
        WeightsError: the weights of the perceptual distance are missing.
    """
    stage, scale = config.gan, config.data.scale
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stage.seed)
        generator = _generator(config.generator, scale)
        discriminator = PatchDiscriminator(config.discriminator.width)
    device = place.accelerator.device
    task = CompactGanTask(
        generator.to(device),
        discriminator.to(device),
        stage.learning_rate,
        texture=stage.texture,
        structure=stage.structure,
        adversarial=stage.adversarial,
        perceptual=stage.perceptual,
        distance=vgg16_distance().to(device) if stage.perceptual else None,
    )
    averages = train(
        task, place.batches(training_pairs(config.data), stage), stage, place.folder, place.accelerator, place.tell
    )
    if "generator" in averages:
        averages["generator"].copy_to(generator.parameters())
    path = place.folder / GENERATOR_FILE
    if place.accelerator.is_main_process:
        temporary = place.folder / f".{GENERATOR_FILE}.tmp"
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
        with writing_into(place.folder):
            save_file(weights, temporary)
        temporary.replace(path)
    place.accelerator.wait_for_everyone()
    return path


def _generator(config: GeneratorConfig, scale: int) -> nn.Module:
    generator = compact_generator(config.width, config.depth, scale)
    if config.weights is not None:
        try:
            generator.load_state_dict(load_file(config.weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise TrainingError(
                f"{config.weights}: no weights of a compact generator of width {config.width}, depth {config.depth} and"
                f" scale {scale} ({str(error).splitlines()[0]})"
            ) from None
    return generator
