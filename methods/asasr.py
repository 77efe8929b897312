"""ASASR in the registry: ``asasr:NAME`` for a shipped model, ``asasr:FOLDER`` for one that was trained here.

The small diffusion baseline, ``small-diffusion``, is a model of the same kind that is not ASASR.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..asasr.config import MODEL_FILE, DataConfig, SamplingConfig, load_config
from ..asasr.errors import RunningError, TrainingConfigError
from ..asasr.guidance import GuidanceWeight, evaluations, uses_adversary
from ..asasr.model_config import HUB, names_a_folder
from ..asasr.running import RunningConfig
from ..datasets.fetch.digests import digest_of
from ..datasets.strict import read_file, read_mapping, validated
from .asasr_names import PREFIX, shelves, shipped_names
from .errors import MethodError, MissingWeightsError, UnknownMethodError
from .interface import MethodCard
from .weights.origins import adapter_identity, source_identity

if TYPE_CHECKING:
    from torch import Tensor

    from ..asasr.backbones.backbone import Prompt
    from ..asasr.config import AsasrConfig
    from ..asasr.models import Model
    from ..asasr.sampling import SamplingSettings

VERSIONS = {"small": "2"}
"""Of the small models in pixel space; what others give has changed since, with the noise of their VAE's posterior."""
VERSION = "3"


class AsasrMethod:
    """A ``Method``: samples of an ASASR model."""

    def __init__(self, card: MethodCard, model: Model, settings: SamplingSettings, prompt: Prompt | None) -> None:
        self.card = card
        self._model, self._settings, self._prompt = model, settings, prompt
        self._against = [role for role in model.adapters.roles if role in ("sr", "adv")]
        self.tell: Callable[[int, int], None] | None = None
        """Receives the steps that are done of an image, or of a batch, and all that there are."""

    def restore(self, lq: Tensor, scale: int, seeds: Sequence[int]) -> Tensor:
        """See ``Method``."""
        from ..asasr.sampling import restore

        if scale not in self.card.scales:
            raise MethodError(f"{self.card.id} is a model for scale {self.card.scales[0]}, not {scale}; give --scale")
        model = self._model
        adversary = partial(model.adapters.using, self._against) if "adv" in self._against else None
        return restore(
            model.backbone, model.codec, lq, scale, seeds, self._settings, self._prompt, adversary, self.tell
        )


def find_model(reference: str) -> Path:
    """The configuration file that ``asasr:NAME`` or ``asasr:FOLDER`` means.

    Raises:
        UnknownMethodError: neither a shipped name nor a folder with a trained model.
    """
    name = reference.removeprefix(PREFIX)
    if reference in shipped_names():
        shelf = dict(shelves())[PREFIX if reference.startswith(PREFIX) else ""]
        return Path(str(shelf.joinpath(f"{name}.yaml")))
    path = Path(name)
    path = path / MODEL_FILE if path.is_dir() else path
    if not path.is_file():
        raise UnknownMethodError(
            f"no ASASR model '{name}': neither shipped ({', '.join(shipped_names())}) nor a folder with {MODEL_FILE}"
        )
    return path


def shipped_adapter(name: str) -> Path | None:
    """The file of a shipped adapter that is no model of its own, such as ``small-adversary``; None: there is none."""
    path = Path(str(dict(shelves())[PREFIX].joinpath(f"{name}.safetensors")))
    return path if path.is_file() else None


def family_of(reference: str) -> str:
    """Family of a model's backbone, as its file tells it.

    Raises:
        UnknownMethodError, MethodError: see ``describe``.
    """
    return str(_sections(find_model(reference))[1]["family"])


def tile_of(reference: str, side: int) -> dict[str, int]:
    """Keys of a model's sampling that cut images into tiles of this side in LQ pixels; neighbours share a quarter at
    most.

    Raises:
        MethodError: the tile is smaller than the model can take.
    """
    try:
        config = load_config(find_model(reference))
    except TrainingConfigError as error:
        raise MethodError(f"{reference}: {error}") from None
    tile, least = side * config.scale // config.model.reduction, SamplingConfig.model_fields["tile"].metadata[0].ge
    if tile < least:
        needed = -(-least * config.model.reduction // config.scale)
        raise MethodError(f"{reference}: a tile of {side} LQ pixels is too small; {needed} are the fewest")
    return {"tile": tile, "overlap": min(config.sampling.overlap, tile // 4)}


def describe(
    reference: str, sampling_changes: Mapping[str, Any] | None = None, running: Mapping[str, Any] | None = None
) -> tuple[MethodCard, dict[str, object], str]:
    """Card, settings and weights digest of a model, read without torch.

    Args:
        running: see ``RunningConfig``; of it, the file of a prompt alone can change pixels.

    Raises:
        UnknownMethodError: see ``find_model``.
        MissingWeightsError: a weight or adapter file is not there.
        MethodError: the model's file is not one that training wrote.
    """
    path = find_model(reference)
    content, model, sampling, adapters = _sections(path)
    sampling |= sampling_changes or {}
    named = {"weights": model.pop("weights", None), **adapters}
    guidance = _guidance(sampling)
    idle = () if uses_adversary(guidance) else ("adv",)
    named = {role: str(name) for role, name in named.items() if name and role not in idle}
    weights = tuple([str(model["source"])] if model.get("source") else []) + tuple(named.values())
    digests, parameters = _source(reference, path, model), None
    prompt_file = Path(str((running or {}).get("prompt_file") or ""))
    if prompt_file.is_file():  # a wrong one is told where the model is loaded
        sampling["prompt_file"] = digest_of(prompt_file)
    for role, name in sorted(named.items()):
        if name.startswith(HUB):
            digests.append(f"{role}:{_of_hub(path, name)}")
        elif not (path.parent / name).is_file():
            raise MissingWeightsError(
                reference, f"{reference}: {path.parent / name} is missing; train or copy it there"
            )
        else:
            digests.append(f"{role}:{digest_of(path.parent / name)}")
            if role == "weights":
                parameters = _parameters(path.parent / name)
    card = MethodCard(
        reference if reference in shipped_names() else f"{PREFIX}{content['name']}",
        "diffusion" if model.get("prediction") == "epsilon" else "flow",
        str(content.get("summary") or "ASASR model"),
        (_scale(path, content),),
        deterministic=False,
        version=VERSIONS.get(str(model["family"]), VERSION),
        paper="https://arxiv.org/abs/2605.23264" if reference.startswith(PREFIX) else "",
        code="https://huggingface.co/wafer-bob/ASASR" if len(weights) > len(named) else "",
        licence=str(content.get("licence") or ""),
        weights=weights,
        parameters=parameters,
        steps=evaluations(
            int(sampling.get("steps", SamplingConfig().steps)), guidance, float(sampling.get("shift") or 0)
        ) * int(sampling.get("samples", 1)),
    )  # fmt: skip
    return card, {"model": model, "sampling": sampling}, hashlib.sha256("\n".join(digests).encode()).hexdigest()


def load(
    reference: str, card: MethodCard, device: str, sampling_changes: Mapping[str, Any] | None = None,
    running: Mapping[str, Any] | None = None,
) -> AsasrMethod:  # fmt: skip
    """Build the model on a device, with keys of its sampling replaced.

    Args:
        running: keys of ``RunningConfig``.

    Raises:
        MethodError: its configuration or files cannot be used.
        MissingWeightsError: weights that must be downloaded first.
    """
    from ..asasr.adapters import AdapterError
    from ..asasr.backbones.backbone import BackboneError
    from ..asasr.models import build_model
    from ..asasr.precision import sampling_policy
    from ..asasr.running import channels_innermost, compile_blocks, place, quantize
    from ..asasr.sampling import SamplingSettings

    how = _running(reference, running)
    try:
        overrides = {f"sampling.{key}": value for key, value in (sampling_changes or {}).items()}
        config = load_config(find_model(reference), overrides)
        guided = uses_adversary(config.sampling.adversary)
        if guided and "adv" not in config.model.adapters:
            raise MethodError(
                f"{reference}: sampling.adversary needs the adversary's adapter; name its file as model.adapters.adv"
            )
        adapters = {role: path for role, path in config.model.adapters.items() if role != "adv" or guided}
        wanted = config.model.model_copy(update={"adapters": adapters})
        model = build_model(wanted, sampling_policy(wanted.family, config.sampling.precision, device))
        prompt = _prompt(config, how, device)
        acting = [role for role in model.adapters.roles if role != "adv"]
        scales = config.sampling.scales
        model.adapters.activate(acting, [scales.get(role, 1.0) for role in acting])
        if wanted.family != "flux" and not guided:  # the adversary stands on the network without the policy's adapter
            model.adapters.merge()
        parameters = sum(parameter.numel() for parameter in model.backbone.parameters())
        quantize(model.backbone.network, config.sampling.quantize)
    except BackboneError as error:
        raise MissingWeightsError(reference, f"{reference}: {error}") from None
    except (AdapterError, RunningError, TrainingConfigError) as error:
        raise MethodError(f"{reference}: {error}") from None
    if device == "cpu":
        channels_innermost(model.backbone.network)
    if how.compile:
        compile_blocks(model.backbone)
    place(model, device, how.offload)
    settings = SamplingSettings(**config.sampling.settings(), tiles_at_once=how.tiles)
    return AsasrMethod(replace(card, parameters=parameters), model, settings, prompt)


def _running(reference: str, given: Mapping[str, Any] | None) -> RunningConfig:
    """The checked keys of ``running``."""
    return validated(RunningConfig, dict(given or {}), f"{reference}: running", MethodError)


def _prompt(config: AsasrConfig, how: RunningConfig, device: str) -> Prompt | None:
    """What the model reads: a file, the prompt of its sampling, or nothing (zeros).

    Raises:
        RunningError: text for a model that reads none, or of another size than it takes.
        BackboneError: the file or the encoders cannot be had.
    """
    from ..asasr.prompts import empty_prompt, encoded_prompt, read_prompt

    model, text = config.model, config.sampling.prompt
    if how.prompt_file is not None:
        if model.family == "small":
            raise RunningError("prompt_file: a model of family 'small' reads no text")
        return read_prompt(Path(how.prompt_file))
    if text and (model.family == "small" or model.source is None):
        raise RunningError("prompt: this model has no text encoders; leave the prompt empty")
    if text and model.text_in("sampling") == "zeros":
        raise RunningError("prompt: this model was trained to read no text (model.text); leave the prompt empty")
    if text:
        return encoded_prompt(model, text, device)
    return empty_prompt(model, device) if model.text_in("sampling") == "empty" else None


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A model's file as a whole, its sections ``model`` (without adapters) and ``sampling``, and the adapters."""
    content = read_mapping(read_file(path, MethodError), path, "the description of a model", MethodError)
    try:
        model, sampling = dict(content["model"]), dict(content.get("sampling") or {})
        adapters = dict(model.pop("adapters", None) or {})
        str(content["name"]), str(model["family"])
    except (KeyError, TypeError, ValueError) as error:
        raise MethodError(
            f"{path}: is no description of a model ({type(error).__name__}: {error}); give a folder that 'train' wrote"
        ) from None
    return content, model, sampling, adapters


def _source(reference: str, path: Path, model: dict[str, Any]) -> list[str]:
    """What tells the source of a model's file from others, in place of where it is: its settings name no folder."""
    source = model.get("source")
    if not source:
        return []
    folder = path.parent / Path(source).expanduser() if names_a_folder(str(source), path.parent) else None
    network = "transformer" if model["family"] == "flux" else "unet"
    if folder is not None:
        if not (folder / network).is_dir():
            raise MissingWeightsError(
                reference, f"{reference}: {folder} holds no folder '{network}'; copy the whole network there"
            )
        model["source"] = "folder"
    texts = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    identity = source_identity(str(source), model.get("revision"), folder, (network, "vae", *texts))
    return [f"source:{identity}"] if identity else []


def _of_hub(path: Path, name: str) -> str:
    try:
        return adapter_identity(name)
    except ValueError as error:
        raise MethodError(f"{path}: {error}") from None


def _guidance(sampling: Mapping[str, Any]) -> GuidanceWeight:
    """The adversary's weight in a model's file; what is wrong with it is told where the model is loaded."""
    from pydantic import ValidationError

    try:
        return SamplingConfig.model_validate({"adversary": sampling.get("adversary", 0.0)}).adversary
    except ValidationError:
        return 0.0


def _scale(path: Path, content: Mapping[str, Any]) -> int:
    """Of the model's section, or of its training data's; 4 where neither tells it."""
    told = content["model"].get("scale") or (content.get("data") or {}).get("scale") or DataConfig().scale
    if not isinstance(told, int) or told < 1:
        raise MethodError(f"{path}: model.scale: {told!r} is no scale; give a whole number such as 4")
    return told


def _parameters(path: Path) -> int | None:
    """How many numbers a weight file holds, from its header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return int(sum(prod(file.get_slice(name).get_shape()) for name in file.keys()))  # noqa: SIM118
    except (OSError, SafetensorError):
        return None  # loading it will say what is wrong
