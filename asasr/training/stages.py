"""The three stages of training, from a configuration to a folder with a model that can be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from safetensors.torch import save_file

from ...datasets.degradation.settings import preset
from ...datasets.images import write_atomically
from ..adapters import whole
from ..backbones.codec import VaeCodec
from ..choices import Role
from ..config import MODEL_FILE, AsasrConfig, DataConfig, PreferenceStage
from ..errors import TrainingConfigError
from ..model_config import HUB
from ..models import Model, build_model
from ..negatives import Negative, needs_adversary
from ..precision import training_policy
from ..prompts import empty_prompt
from ..spectral import SobolevOperator
from .batches import Batches, DegradedCrops, HubPairs, PairedCrops, Pairs
from .files import split_files
from .latents import cache_latents
from .loop import Task, Tell, train, trainable
from .preference import Preference, PreferenceTask
from .prior import PriorTask
from .settings import TrainingSettings
from .states import writing_into

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers.training_utils import EMAModel

Section = TypeVar("Section")


@dataclass(frozen=True)
class Place:
    """Where a stage runs."""

    folder: Path
    accelerator: Accelerator
    tell: Tell | None = None

    def batches(self, pairs: Pairs, stage: TrainingSettings) -> Batches:
        """This process's part of the training's batches."""
        here = self.accelerator
        return Batches(pairs, stage.batch, stage.seed, here.process_index, here.num_processes)


def train_prior(config: AsasrConfig, place: Place) -> Path:
    """Supervised flow matching of the whole network, or of an ``sr`` adapter.

    Returns:
        The folder's ``model.yaml``.

    Raises:
        TrainingError: a stage that is not configured, unusable data, a loss that is not finite.
    """
    stage = _section(config, "prior", config.prior)
    pairs = training_pairs(config.data)  # before the model: what is wrong with images is told at once
    model = _model(config, stage, place)
    if stage.what == "network":
        model.backbone.requires_grad_(True)
    else:
        model.new_adapter("sr")
        model.adapters.train("sr")
        model.adapters.activate(["sr"])
    sigmas = stage.sigma_mean, stage.sigma_std
    task = PriorTask(model.backbone, model.codec, stage.learning_rate, sigmas)
    averages = _run(task, _cached(pairs, config, model, stage, place), stage, place)
    _take_average(model, averages.get("backbone"))
    return _finish(config, model, place, stage.what)


def train_adversary(config: AsasrConfig, artifacts: Pairs, place: Place) -> Path:
    """The ``adv`` adapter: plain flow matching, with outputs of baseline methods in HQ's place."""
    stage = _section(config, "adversary", config.adversary)
    model = _model(config, stage, place)
    model.new_adapter("adv")
    model.adapters.train("adv")
    model.adapters.activate([*(role for role in model.adapters.roles if role == "sr"), "adv"])
    averages = _run(PriorTask(model.backbone, model.codec, stage.learning_rate), artifacts, stage, place)
    _take_average(model, averages.get("backbone"))
    return _finish(config, model, place, "adv")


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
    model = _model(config, stage, place)
    frozen = None
    if stage.what == "network":
        copy = _model(config, stage, place)
        frozen = copy.backbone, copy.adapters
    else:
        model.new_adapter("dpo")
    task = PreferenceTask(model.backbone, model.codec, model.adapters, preference, stage.learning_rate, frozen)
    averages = _run(task, _cached(pairs, config, model, stage, place), stage, place)
    _take_average(model, averages.get("policy"))
    return _finish(config, model, place, stage.what)


def preference_of(stage: PreferenceStage) -> Preference:
    """The objective that a configuration describes."""
    sobolev = stage.sobolev
    return Preference(
        SobolevOperator(sobolev.s, sobolev.basis, sobolev.weights),
        stage.beta,
        tuple(Negative(**negative.model_dump()) for negative in stage.negatives),
        stage.anchor,
        stage.supervised,
        stage.colored_noise,
    )


def training_pairs(data: DataConfig) -> Pairs:
    """Where a configuration's training pairs come from.

    Raises:
        TrainingConfigError: none, or several sources.
    """
    if (data.hub is not None) == bool(data.hq):
        raise TrainingConfigError(
            "data: give either folders of HQ images ('hq', or --data on the command line) or 'hub'"
        )
    if data.hub is not None:
        return HubPairs(data.hub, data.columns, crop=data.crop, scale=data.scale)
    if data.lq is not None:
        if len(data.hq) != 1:
            raise TrainingConfigError("data.lq: goes with exactly one folder of HQ images")
        return PairedCrops(Path(data.hq[0]), Path(data.lq), crop=data.crop, scale=data.scale)
    files, _ = split_files([Path(folder) for folder in data.hq], data.held_out)
    settings = preset(data.degradation)
    return DegradedCrops(files, settings, crop=data.crop, margin=data.margin, geometries=data.geometries)


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
    }
    with place.accelerator.main_process_first():
        return cache_latents(
            pairs, model.codec, place.folder.parent / "latents", config.data.cached, seed=stage.seed, batch=stage.batch,
            recipe=recipe, resize=config.model.resize,
        )  # fmt: skip


def _section(config: AsasrConfig, name: str, stage: Section | None) -> Section:
    if stage is None:
        raise TrainingConfigError(f"{config.name}: has no section '{name}'")
    return stage


def _model(config: AsasrConfig, stage: TrainingSettings, place: Place) -> Model:
    """The configured model; what is frozen in the forward's precision, what is trained in float32."""
    whole_network = getattr(stage, "what", "") == "network"
    policy = training_policy(config.model.family, whole_network, place.accelerator.mixed_precision)
    model = build_model(config.model, policy)
    model.to(place.accelerator.device)
    if config.model.text_in("training") == "empty":
        model.backbone.text = empty_prompt(config.model, place.accelerator.device)
    model.backbone.train()
    if stage.checkpointing:
        model.backbone.network.enable_gradient_checkpointing()
    return model


def _run(task: Task, pairs: Pairs, stage: TrainingSettings, place: Place) -> dict[str, EMAModel]:
    return train(task, place.batches(pairs, stage), stage, place.folder, place.accelerator, place.tell)


def _take_average(model: Model, average: EMAModel | None) -> None:
    if average is not None:
        average.copy_to(trainable(model.backbone))


def _finish(config: AsasrConfig, model: Model, place: Place, trained: Role | Literal["network"]) -> Path:
    """Write what was trained: an adapter, or all weights of the network."""
    path = place.folder / f"{trained}.safetensors"
    if trained != "network":
        with writing_into(place.folder):
            model.adapters.save(trained, path, write=place.accelerator.is_main_process)
        files = {**_from_folder(config.model.adapters, place.folder), trained: path.name}
        return _describe(config, place, {"adapters": files})
    weights = {name: whole(one.detach()).cpu().contiguous() for name, one in model.adapters.network_weights().items()}
    if place.accelerator.is_main_process:
        place.folder.mkdir(parents=True, exist_ok=True)
        temporary = place.folder / ".network.tmp"
        with writing_into(place.folder):
            save_file(weights, temporary)
        temporary.replace(path)
    return _describe(config, place, {"weights": path.name})


def _describe(config: AsasrConfig, place: Place, changes: dict[str, object]) -> Path:
    """Write what ``asasr:FOLDER`` needs: the model with its trained files, and how to sample from it."""
    path = place.folder / MODEL_FILE
    if place.accelerator.is_main_process:
        given = {"weights": config.model.weights, "adapters": config.model.adapters}
        own = {**config.model.model_dump(mode="json"), "scale": config.scale}
        model = {**own, **_from_folder(given, place.folder), **changes}
        content = {
            "name": config.name,
            "summary": config.summary,
            "model": model,
            "sampling": config.sampling.model_dump(mode="json"),
        }
        write_atomically(path, yaml.safe_dump(content, sort_keys=False).encode())
    place.accelerator.wait_for_everyone()
    return path


def _from_folder(files: Any, folder: Path) -> Any:
    """Paths as a file in that folder names them: a training can be moved as a whole, and what it found elsewhere stays
    where it is; the Hub's stay too."""
    if isinstance(files, dict):
        return {name: _from_folder(inner, folder) for name, inner in files.items()}
    if files is None or files.startswith(HUB):
        return files
    path, folder = Path(files).resolve(), folder.resolve()
    return os.path.relpath(path, folder) if path.is_relative_to(folder.parent.parent) else str(path)
