"""The three stages of training, from a configuration to a folder with a model that can be used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from safetensors.torch import save_file

from ...datasets.degradation.settings import preset
from ...datasets.images import write_atomically
from ..adapters import whole
from ..backbones.codec import VaeCodec
from ..choices import Role
from ..config import MODEL_FILE, AsasrConfig, PreferenceStage
from ..errors import TrainingConfigError
from ..model_config import HUB, names_a_folder
from ..models import Model, build_model
from ..negatives import Negative, needs_adversary
from ..precision import training_policy
from ..prompts import empty_prompt
from ..sampling import SamplingSettings
from ..spectral import SobolevOperator
from .batches import Batches, Pairs
from .latents import cache_latents
from .loop import Task, Tell, train, trainable
from .preference import Preference, PreferenceTask
from .prior import PriorTask
from .processes import Processes
from .settings import StageSettings, TrainingSettings
from .sources import HeldOut, held_out_images, identity_of_images, training_pairs
from .states import writing_into
from .validation import Measure, Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

Section = TypeVar("Section")


@dataclass(frozen=True)
class Place:
    """Where a stage runs."""

    folder: Path
    accelerator: Accelerator
    tell: Tell | None = None
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    """Of restored validation images, by name."""

    def batches(self, pairs: Pairs, stage: TrainingSettings) -> Batches:
        """This process's part of the training's batches."""
        accelerator = self.accelerator
        return Batches(pairs, stage.batch, stage.seed, accelerator.process_index, accelerator.num_processes)


def train_prior(config: AsasrConfig, place: Place) -> Path:
    """Supervised flow matching of the whole network, or of an ``sr`` adapter.

    Returns:
        The folder's ``model.yaml``.

    Raises:
        TrainingError: a stage that is not configured, unusable data, a loss that is not finite.
    """
    stage = _section(config, "prior", config.prior)
    pairs = training_pairs(config.data)  # before the model: what is wrong with images is told at once
    held_out = _held_out(config, stage)
    model = _model(config, stage, place)
    if stage.what == "network":
        model.backbone.requires_grad_(True)
    else:
        model.new_adapter("sr")
        model.adapters.train("sr")
        model.adapters.activate(["sr"])
    sigmas = stage.sigma_mean, stage.sigma_std
    task = PriorTask(model.backbone, model.codec, stage.learning_rate, sigmas)
    return _run(config, task, _cached(pairs, config, model, stage, place), held_out, model, stage, place, stage.what)


def train_adversary(config: AsasrConfig, outputs: Pairs, place: Place, held_out: Sequence[HeldOut] = ()) -> Path:
    """The ``adv`` adapter: plain flow matching, with outputs of baseline methods in HQ's place.

    Args:
        held_out: outputs to validate on.
    """
    stage = _section(config, "adversary", config.adversary)
    model = _model(config, stage, place)
    model.new_adapter("adv")
    model.adapters.train("adv")
    model.adapters.activate([*(role for role in model.adapters.roles if role == "sr"), "adv"])
    task = PriorTask(model.backbone, model.codec, stage.learning_rate)
    return _run(config, task, outputs, held_out, model, stage, place, "adv")


def train_preference(config: AsasrConfig, place: Place) -> Path:
    """The ``dpo`` adapter, or the whole network, by AS-DPO."""
    stage = _section(config, "preference", config.preference)
    preference = preference_of(stage)
    if needs_adversary(preference.negatives) and "adv" not in config.model.adapters:
        raise TrainingConfigError(
            f"{config.name}: negatives of kind 'adversary' need a trained one; run 'train adversary' first, or name its"
            " file as model.adapters.adv"
        )
    pairs = training_pairs(config.data)
    held_out = _held_out(config, stage)
    model = _model(config, stage, place)
    frozen = None
    if stage.what == "network":
        copy = _model(config, stage, place, trained=False)
        frozen = copy.backbone, copy.adapters
    else:
        model.new_adapter("dpo")
    task = PreferenceTask(model.backbone, model.codec, model.adapters, preference, stage.learning_rate, frozen)
    return _run(config, task, _cached(pairs, config, model, stage, place), held_out, model, stage, place, stage.what)


def preference_of(stage: PreferenceStage) -> Preference:
    """The objective that a configuration describes."""
    sobolev = stage.sobolev
    return Preference(
        SobolevOperator(sobolev.s, sobolev.basis, sobolev.weights),
        stage.beta,
        tuple(Negative(**negative.model_dump()) for negative in stage.negatives),
        stage.anchor,
        stage.supervised,
        stage.agreement,
    )


def _cached(pairs: Pairs, config: AsasrConfig, model: Model, stage: TrainingSettings, place: Place) -> Pairs:
    """The configured pairs, as latents where they are cached; beside the stages' folders, for all of them."""
    if not config.data.cached:
        return pairs
    if not isinstance(model.codec, VaeCodec):
        raise TrainingConfigError("data.cached: this family has no VAE, there is nothing to encode")
    recipe: dict[str, object] = {
        "data": {**config.data.model_dump(mode="json"), "degradation": preset(config.data.degradation).identity},
        "source": config.model.source,
        "vae": config.model.vae,
        **({} if config.model.resize == "bicubic" else {"resize": config.model.resize}),
        "images": identity_of_images(config.data),
    }
    return cache_latents(
        pairs,
        model.codec,
        place.folder.parent / "latents",
        config.data.cached,
        seed=stage.seed,
        batch=stage.batch,
        recipe=recipe,
        resize=config.model.resize,
        processes=Processes.of(place.accelerator),
    )


def _section(config: AsasrConfig, name: str, stage: Section | None) -> Section:
    if stage is None:
        raise TrainingConfigError(f"{config.name}: has no section '{name}'")
    return stage


def _model(config: AsasrConfig, stage: TrainingSettings, place: Place, *, trained: bool = True) -> Model:
    """The configured model; what is frozen in the forward's precision, what is trained in float32.

    A network that is trained in shards (FSDP) stays in main memory: ``accelerate`` moves this process's shard of each
    block to the device. Where its plugin loads thriftily, the first process alone has the weights, and the others get
    their shards from it.
    """
    whole_network = getattr(stage, "what", "") == "network"
    accelerator = place.accelerator
    policy = training_policy(config.model.family, whole_network, accelerator.mixed_precision)
    sharded = trained and accelerator.distributed_type == "FSDP"
    thrifty = sharded and accelerator.state.fsdp_plugin.cpu_ram_efficient_loading
    model = build_model(config.model, policy, hollow=thrifty and not accelerator.is_main_process)
    if not sharded:
        model.to(accelerator.device)
    elif isinstance(model.codec, VaeCodec):
        model.codec.vae.to(accelerator.device)
    if config.model.text_in("training") == "empty":
        model.backbone.text = empty_prompt(config.model, accelerator.device)
    model.backbone.train()
    if stage.checkpointing:
        model.backbone.network.enable_gradient_checkpointing()
    return model


def _held_out(config: AsasrConfig, stage: StageSettings) -> list[HeldOut]:
    return held_out_images(config.data, stage.validate_images) if stage.validate_every else []


def _run(
    config: AsasrConfig,
    task: Task,
    pairs: Pairs,
    held_out: Sequence[HeldOut],
    model: Model,
    stage: StageSettings,
    place: Place,
    trained: Role | Literal["network"],
) -> Path:
    """Train, and write what was trained; validated and kept on the way as the stage wants it."""
    sampling = {**config.sampling.settings(), "adversary": 0.0}
    validation = Validation(
        held_out,
        model,
        task,
        SamplingSettings(**sampling),
        place.metrics,
        stage,
        place.folder,
        place.accelerator,
        lambda folder: _write(config, model, replace(place, folder=folder), place.folder, trained),
    )
    averages = train(task, place.batches(pairs, stage), stage, place.folder, place.accelerator, place.tell, validation)
    for average in averages.values():
        average.copy_to(trainable(model.backbone))
    return _write(config, model, place, place.folder, trained)


def _write(
    config: AsasrConfig, model: Model, place: Place, stage_folder: Path, trained: Role | Literal["network"]
) -> Path:
    """Write what is trained, an adapter or all weights of the network, with the ``model.yaml`` that uses it."""
    place.folder.mkdir(parents=True, exist_ok=True)
    path, main = place.folder / f"{trained}.safetensors", place.accelerator.is_main_process
    if trained != "network":
        with writing_into(place.folder):
            model.adapters.save(trained, path, write=main)
    else:
        weights = {
            name: whole(tensor.detach()).cpu().contiguous() for name, tensor in model.adapters.network_weights().items()
        }
        if main:
            temporary = place.folder / ".network.tmp"
            with writing_into(place.folder):
                save_file(weights, temporary)
            temporary.replace(path)
    if main:
        model_config = config.model
        paths: dict[str, Any] = {"weights": model_config.weights, "adapters": model_config.adapters}
        if model_config.source and names_a_folder(model_config.source):
            paths["source"] = model_config.source
        relative_paths = _from_folder(paths, place.folder, stage_folder.parent)
        if trained == "network":
            relative_paths["weights"] = path.name
        else:
            relative_paths["adapters"] = {**relative_paths["adapters"], trained: path.name}
        content = {
            "name": config.name,
            "summary": config.summary,
            "model": {**model_config.model_dump(mode="json"), "scale": config.scale, **relative_paths},
            "sampling": config.sampling.model_dump(mode="json"),
        }
        write_atomically(place.folder / MODEL_FILE, yaml.safe_dump(content, sort_keys=False).encode())
    place.accelerator.wait_for_everyone()
    return place.folder / MODEL_FILE


def _from_folder(files: Any, folder: Path, training: Path) -> Any:
    """Paths as a file in ``folder`` names them: a training can be moved as a whole, what it took from elsewhere stays
    where it is, and so does the Hub's."""
    if isinstance(files, dict):
        return {name: _from_folder(inner, folder, training) for name, inner in files.items()}
    if files is None or files.startswith(HUB):
        return files
    path, folder = Path(files).resolve(), folder.resolve()
    return os.path.relpath(path, folder) if path.is_relative_to(training.resolve()) else str(path)
