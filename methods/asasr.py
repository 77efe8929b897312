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
"""Version by family: the small models work in pixel space. Models with a VAE changed later, when the noise of the VAE's
posterior became part of the sampler."""
VERSION = "3"
"""Version of all other families."""


class AsasrMethod:
    """A ``Method`` that restores images by sampling from an ASASR model.

    Args:
        card: description of the method; it fixes the scale.
        model: backbone, codec and adapters, on the device on which they run.
        settings: steps, tiles and guidance of the sampler.
        prompt: encoded text for the backbone; None where the model reads no text.
    """

    def __init__(self, card: MethodCard, model: Model, settings: SamplingSettings, prompt: Prompt | None) -> None:
        self.card = card
        self._model, self._settings, self._prompt = model, settings, prompt
        self._against = [role for role in model.adapters.roles if role in ("sr", "adv")]
        self.tell: Callable[[int, int], None] | None = None
        """Progress callback: called with the steps done and the total number of steps of an image or batch."""

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``."""
        from ..asasr.sampling import restore

        if scale not in self.card.scales:
            raise MethodError(f"{self.card.id} is a model for scale {self.card.scales[0]}, not {scale}; give --scale")
        model = self._model
        adversary = partial(model.adapters.using, self._against) if "adv" in self._against else None
        return restore(
            model.backbone, model.codec, lq, int(scale), seeds, self._settings, self._prompt, adversary, self.tell
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
    """File of a shipped adapter that is not a model by itself, such as ``small-adversary``; None if there is none."""
    path = Path(str(dict(shelves())[PREFIX].joinpath(f"{name}.safetensors")))
    return path if path.is_file() else None


def family_of(reference: str) -> str:
    """Family of a model's backbone, such as ``small`` or ``flux``, read from the model's file.

    Raises:
        UnknownMethodError, MethodError: see ``describe``.
    """
    return str(_sections(find_model(reference))[1]["family"])


def tile_of(reference: str, side: int) -> dict[str, int]:
    """Settings ``tile`` and ``overlap`` of a model's sampler for tiles of a given size.

    Args:
        reference: ``asasr:NAME`` or ``asasr:FOLDER``.
        side: side of a tile in LQ pixels. Neighbouring tiles overlap by at most a quarter of it.

    Returns:
        The two settings in pixels of the model's latent.

    Raises:
        MethodError: the tile is smaller than the model accepts.
    """
    try:
        config = load_config(find_model(reference))
    except TrainingConfigError as error:
        raise MethodError(f"{reference}: {error}") from None
    tile = side * config.scale // config.model.reduction
    smallest_tile = SamplingConfig.model_fields["tile"].metadata[0].ge
    if tile < smallest_tile:
        needed = -(-smallest_tile * config.model.reduction // config.scale)
        raise MethodError(f"{reference}: a tile of {side} LQ pixels is too small; {needed} are the fewest")
    return {"tile": tile, "overlap": min(config.sampling.overlap, tile // 4)}


def describe(
    reference: str, sampling_changes: Mapping[str, Any] | None = None, running: Mapping[str, Any] | None = None
) -> tuple[MethodCard, dict[str, object], str]:
    """Card, settings and weights digest of a model, read without torch.

    Args:
        reference: ``asasr:NAME`` or ``asasr:FOLDER``.
        sampling_changes: keys of the model's sampling to replace, such as ``{"steps": 8}``.
        running: see ``RunningConfig``; of its keys only the prompt's file can change pixels.

    Returns:
        The card, the settings that can change pixels, and a SHA-256 over everything that identifies the weights.

    Raises:
        UnknownMethodError: see ``find_model``.
        MissingWeightsError: a weight or adapter file is not there.
        MethodError: the model's file is not a file that training wrote.
    """
    path = find_model(reference)
    content, model, sampling, adapters = _sections(path)
    sampling |= sampling_changes or {}
    weight_names = {"weights": model.pop("weights", None), **adapters}
    guidance = _guidance(sampling)
    idle = () if uses_adversary(guidance) else ("adv",)
    weight_names = {role: str(name) for role, name in weight_names.items() if name and role not in idle}
    weights = tuple([str(model["source"])] if model.get("source") else []) + tuple(weight_names.values())
    digests, parameters = _source(reference, path, model), None
    prompt_file = Path(str((running or {}).get("prompt_file") or ""))
    if prompt_file.is_file():  # a missing file is reported when the model is loaded
        sampling["prompt_file"] = digest_of(prompt_file)
    for role, name in sorted(weight_names.items()):
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
    evaluations_per_sample = evaluations(
        int(sampling.get("steps", SamplingConfig().steps)), guidance, float(sampling.get("shift") or 0)
    )
    card = MethodCard(
        reference if reference in shipped_names() else f"{PREFIX}{content['name']}",
        "diffusion" if model.get("prediction") == "epsilon" else "flow",
        str(content.get("summary") or "ASASR model"),
        (_scale(path, content),),
        deterministic=False,
        version=VERSIONS.get(str(model["family"]), VERSION),
        paper="https://arxiv.org/abs/2605.23264" if reference.startswith(PREFIX) else "",
        code="https://huggingface.co/wafer-bob/ASASR" if len(weights) > len(weight_names) else "",
        licence=str(content.get("licence") or ""),
        weights=weights,
        parameters=parameters,
        steps=evaluations_per_sample * int(sampling.get("samples", 1)),
    )
    return card, {"model": model, "sampling": sampling}, hashlib.sha256("\n".join(digests).encode()).hexdigest()


def load(
    reference: str,
    card: MethodCard,
    device: str,
    sampling_changes: Mapping[str, Any] | None = None,
    running: Mapping[str, Any] | None = None,
) -> AsasrMethod:
    """Build the model on a device, ready to restore images.

    Args:
        reference: ``asasr:NAME`` or ``asasr:FOLDER``.
        card: see ``describe``.
        device: torch device, such as ``cpu`` or ``cuda:0``.
        sampling_changes: keys of the model's sampling to replace, such as ``{"steps": 8}``.
        running: keys of ``RunningConfig``.

    Raises:
        MethodError: the model's configuration or files cannot be used.
        MissingWeightsError: weights that must be downloaded first.
    """
    from ..asasr.adapters import AdapterError
    from ..asasr.backbones.backbone import BackboneError
    from ..asasr.in_place import reuse_memory
    from ..asasr.models import build_model
    from ..asasr.precision import sampling_policy
    from ..asasr.running import channels_innermost, compile_blocks, place, quantize
    from ..asasr.sampling import SamplingSettings

    running_config = _running(reference, running)
    try:
        overrides = {f"sampling.{key}": value for key, value in (sampling_changes or {}).items()}
        config = load_config(find_model(reference), overrides)
        guided = uses_adversary(config.sampling.adversary)
        if guided and "adv" not in config.model.adapters:
            raise MethodError(
                f"{reference}: sampling.adversary needs the adversary's adapter; name its file as model.adapters.adv"
            )
        adapters = {role: path for role, path in config.model.adapters.items() if role != "adv" or guided}
        model_config = config.model.model_copy(update={"adapters": adapters})
        model = build_model(model_config, sampling_policy(model_config.family, config.sampling.precision, device))
        prompt = _prompt(config, running_config, device)
        acting = [role for role in model.adapters.roles if role != "adv"]
        scales = config.sampling.scales
        model.adapters.activate(acting, [scales.get(role, 1.0) for role in acting])
        if model_config.family != "flux" and not guided:  # the adversary needs the network without the policy's adapter
            model.adapters.merge()
        parameters = sum(parameter.numel() for parameter in model.backbone.parameters())
        quantize(model.backbone.network, config.sampling.quantize)
    except BackboneError as error:
        raise MissingWeightsError(reference, f"{reference}: {error}") from None
    except (AdapterError, RunningError, TrainingConfigError) as error:
        raise MethodError(f"{reference}: {error}") from None
    if device == "cpu":
        channels_innermost(model.backbone.network)
        reuse_memory(model.backbone.network)
    if running_config.compile:
        compile_blocks(model.backbone)
    place(model, device, running_config.offload)
    settings = SamplingSettings(**config.sampling.settings(), tiles_at_once=running_config.tiles)
    return AsasrMethod(replace(card, parameters=parameters), model, settings, prompt)


def _running(reference: str, running: Mapping[str, Any] | None) -> RunningConfig:
    """The checked keys of ``running``."""
    return validated(RunningConfig, dict(running or {}), f"{reference}: running", MethodError)


def _prompt(config: AsasrConfig, running: RunningConfig, device: str) -> Prompt | None:
    """The encoded prompt: from a file, from the text in the sampling's settings, or None (the model reads zeros).

    Raises:
        RunningError: a text for a model that reads no text, or a prompt of another size than the model takes.
        BackboneError: the file or the text encoders are missing.
    """
    from ..asasr.prompts import empty_prompt, encoded_prompt, read_prompt

    model, text = config.model, config.sampling.prompt
    if running.prompt_file is not None:
        if model.family == "small":
            raise RunningError("prompt_file: a model of family 'small' reads no text")
        return read_prompt(Path(running.prompt_file))
    if text and (model.family == "small" or model.source is None):
        raise RunningError("prompt: this model has no text encoders; leave the prompt empty")
    if text and model.text_in("sampling") == "zeros":
        raise RunningError("prompt: this model was trained to read no text (model.text); leave the prompt empty")
    if text:
        return encoded_prompt(model, text, device)
    return empty_prompt(model, device) if model.text_in("sampling") == "empty" else None


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A model's file: its whole content, the sections ``model`` (without adapters) and ``sampling``, the adapters."""
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
    """What identifies the source network of a model: its content or commit, and never the folder that it is in."""
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
    """The adversary's weight in a model's file; 0 if it is invalid, which is reported when the model is loaded."""
    from pydantic import ValidationError

    try:
        return SamplingConfig.model_validate({"adversary": sampling.get("adversary", 0.0)}).adversary
    except ValidationError:
        return 0.0


def _scale(path: Path, content: Mapping[str, Any]) -> int:
    """Scale from the section ``model`` of a model's file, else from ``data``, else the default."""
    scale = content["model"].get("scale") or (content.get("data") or {}).get("scale") or DataConfig().scale
    if not isinstance(scale, int) or scale < 1:
        raise MethodError(f"{path}: model.scale: {scale!r} is no scale; give a whole number such as 4")
    return scale


def _parameters(path: Path) -> int | None:
    """How many numbers a weight file holds, from its header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return int(sum(prod(file.get_slice(name).get_shape()) for name in file.keys()))  # noqa: SIM118
    except (OSError, SafetensorError):
        return None  # loading the file reports what is wrong
