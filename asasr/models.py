"""Build a model from its configuration: backbone, codec, adapters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from .adapters import Adapters
from .backbones.backbone import Backbone, BackboneError, Codec
from .backbones.codec import PixelCodec, VaeCodec
from .backbones.flux import FluxBackbone
from .backbones.schedule import VarianceSchedule
from .backbones.unet import UNetBackbone, widen_input
from .choices import Role
from .model_config import HUB, ModelConfig, hub_file, names_a_folder
from .noise import NoiseSource
from .precision import FULL, PrecisionPolicy, loaded_as


@dataclass
class Model:
    """A backbone with what belongs to it."""

    backbone: Backbone
    codec: Codec
    adapters: Adapters
    config: ModelConfig

    def new_adapter(self, role: Role) -> None:
        """An adapter of the configured rank that changes nothing yet."""
        self.adapters.add(
            role,
            self.backbone.adapter_targets,
            rank=self.config.rank_of(role),
            alpha=self.config.alpha_of(role),
            seed=self.config.seed,
        )

    def to(self, device: str | torch.device) -> Model:
        """Move networks to a device."""
        self.backbone.to(device)
        if isinstance(self.codec, VaeCodec):
            self.codec.vae.to(device)
        return self


def build_model(config: ModelConfig, precision: PrecisionPolicy = FULL, *, hollow: bool = False) -> Model:
    """Networks with trained or random weights, all adapters of the configuration loaded, none acting.

    Args:
        hollow: read no weights of the backbone's network: its tensors hold nothing yet, and no memory until something
            is written into them. For all processes but the first of those that share a network in shards.

    Raises:
        BackboneError: weights that cannot be had; the message says how to get them.
        AdapterError: an adapter file that does not fit.
    """
    backbone = _BUILDERS[config.family](config, precision.weights, hollow)
    backbone.requires_grad_(False)
    backbone.precision = precision
    backbone.resize = config.resize
    backbone.noise = NoiseSource(config.noise.s, config.noise.size)
    prefix = "transformer" if config.family == "flux" else "unet"
    adapters = Adapters(backbone.network, prefix, backbone.idle, precision.adapters)
    for role, path in config.adapters.items():
        adapters.load(role, _adapter_file(path))
    return Model(backbone.eval(), _codec(config, precision), adapters, config)


def _adapter_file(path: str) -> Path:
    if not path.startswith(HUB):
        return Path(path)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    repository, revision, name = hub_file(path)
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise BackboneError(
            f"{path}: cannot be had ({str(error).splitlines()[0]}). Download {name} from the Hub's {repository}"
            " and name the file"
        ) from None


def _flux(config: ModelConfig, dtype: torch.dtype, hollow: bool) -> Backbone:
    from diffusers import FluxTransformer2DModel

    return FluxBackbone(_network(FluxTransformer2DModel, "transformer", config, dtype, hollow), config.scope)


def _stable_diffusion(config: ModelConfig, dtype: torch.dtype, hollow: bool) -> Backbone:
    from diffusers import UNet2DConditionModel

    network = widen_input(_network(UNet2DConditionModel, "unet", config, dtype, hollow))
    read = config.text_in("training") != "zeros"
    return UNetBackbone(network, "epsilon", schedule=VarianceSchedule(), text_is_read=read)


def _small(config: ModelConfig, dtype: torch.dtype, hollow: bool) -> Backbone:
    from diffusers import UNet2DConditionModel

    network = _network(UNet2DConditionModel, "unet", config, dtype, hollow)
    schedule = VarianceSchedule() if config.prediction == "epsilon" else None
    return UNetBackbone(network, config.prediction, patch=config.patch, schedule=schedule)


_BUILDERS = {"flux": _flux, "sd15": _stable_diffusion, "sdxl": _stable_diffusion, "small": _small}


def _codec(config: ModelConfig, precision: PrecisionPolicy) -> Codec:
    if config.family == "small":
        return PixelCodec()
    from diffusers import AutoencoderKL

    vae = _pretrained_or_random(AutoencoderKL, "vae", config.vae, config, torch.float32)
    return VaeCodec(_in_format(vae, precision.vae(bool(vae.config.force_upcast))))


def _network(kind: Any, subfolder: str, config: ModelConfig, dtype: torch.dtype, hollow: bool) -> Any:
    if hollow:
        return _hollow(kind, subfolder, config, dtype)
    network = _pretrained_or_random(kind, subfolder, config.network, config, dtype)
    if config.weights is not None:
        path = Path(config.weights)
        try:
            network.load_state_dict({name: tensor.to(dtype) for name, tensor in load_file(path).items()})
        except FileNotFoundError:
            raise BackboneError(f"{path}: no such weight file") from None
        except (SafetensorError, RuntimeError) as error:
            raise BackboneError(f"{path}: damaged, or of another network ({str(error).splitlines()[0]})") from None
    return network


def _hollow(kind: Any, subfolder: str, config: ModelConfig, dtype: torch.dtype) -> Any:
    """A network of the right shapes whose pages the system has not handed out yet."""
    settings = config.network if config.source is None else kind.load_config(config.source, subfolder=subfolder)
    with torch.device("meta"):
        network = kind(**settings) if config.source is None else kind.from_config(settings)
    return _in_format(network, dtype).to_empty(device="cpu")


def _in_format(network: Any, dtype: torch.dtype) -> Any:
    """The network in a number format, by torch's method: diffusers' own warns of layers to keep even where none is."""
    return torch.nn.Module.to(network, dtype)


def _pretrained_or_random(kind: Any, subfolder: str, settings: dict[str, Any], config: ModelConfig, dtype: Any) -> Any:
    if config.source is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = kind(**settings)
        return _in_format(network, dtype)
    try:
        return kind.from_pretrained(config.source, subfolder=subfolder, revision=config.revision, **loaded_as(dtype))
    except (OSError, ValueError) as error:
        remedy = "The folder must have diffusers' layout, with model_index.json at its top"
        if not names_a_folder(config.source):
            remedy = (
                "Accept its licence on the Hub and log in with 'hf auth login', or give a local folder in diffusers'"
                " layout as the source"
            )
        raise BackboneError(
            f"{config.source}: its {subfolder} cannot be loaded ({str(error).splitlines()[0]}). {remedy}"
        ) from None
