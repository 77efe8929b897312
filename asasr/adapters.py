"""Dual LoRA: adapters by role on one set of backbone weights, and contexts that switch between them.

Roles: ``sr`` (the prior on a text-to-image backbone), ``dpo`` (the policy's), ``adv`` (the adversary's).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite, nan
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from ..datasets.errors import BenchError
from .choices import Role

_A, _B = ".lora_A.weight", ".lora_B.weight"
_LAYERS = (torch.nn.Linear, torch.nn.Conv2d)

METADATA_KEY = "lora_adapter_metadata"
"""Where diffusers keeps rank and alpha in the header of an adapter file."""


class AdapterError(BenchError, ValueError):
    """An adapter file that cannot be used; the message names it, the cause and the remedy."""


class Adapters:
    """The adapters of one network.

    Args:
        network: diffusers' transformer or UNet.
        prefix: first part of the names in adapter files: ``transformer`` or ``unet``.
        idle: layers whose adapters are not trained, since they cannot change the output.
        dtype: of the adapters' tensors, whatever that of the network is; see ``PrecisionPolicy``.
    """

    def __init__(
        self, network: torch.nn.Module, prefix: str, idle: Sequence[str] = (), dtype: torch.dtype = torch.float32
    ) -> None:
        self._network, self._prefix, self._idle, self._dtype = network, prefix, tuple(idle), dtype
        self._configs: dict[Role, LoraConfig] = {}

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles that have an adapter, in the order in which they were added."""
        return tuple(self._configs)

    def add(self, role: Role, targets: str | list[str], *, rank: int, alpha: float, seed: int = 0) -> None:
        """Add a new adapter that changes nothing yet: its ``B`` is zero, its ``A`` is random.

        Args:
            role: role of the adapter; it must be new.
            targets: layers to adapt, as a regular expression or as names.
            rank: rank of the adapter.
            alpha: the adapter acts with ``alpha / rank``.
            seed: seed of ``A``.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._inject(role, LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=True))

    def load(self, role: Role, path: Path) -> None:
        """Add an adapter from a file in diffusers' layout, such as the ASASR authors' published ones.

        The scale is ``alpha / rank``; a file that does not tell alpha has scale 1.

        Raises:
            AdapterError: the file is damaged, or its tensors do not fit the network.
        """
        tensors, metadata = _read(path)
        prefix = f"{self._prefix}."
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        ranks = self._ranks(path, tensors)
        rank = max(ranks.values())
        scale = _scale(path, {key.removeprefix(prefix): value for key, value in metadata.items()})
        alphas = {name: scale * module_rank for name, module_rank in ranks.items()}
        config = LoraConfig(
            r=rank, lora_alpha=scale * rank, target_modules=list(ranks), rank_pattern=ranks, alpha_pattern=alphas
        )
        self._inject(role, config)
        set_peft_model_state_dict(self._network, tensors, adapter_name=role)

    def _ranks(self, path: Path, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        """Module to rank; every tensor is one of a pair A ``[rank, in]``, B ``[out, rank]`` that fits its module."""
        modules = {
            name: module.base_layer if isinstance(module, LoraLayer) else module
            for name, module in self._network.named_modules()
        }
        ranks = {
            name.removesuffix(_A): tensor.shape[0]
            for name, tensor in tensors.items()
            if name.endswith(_A) and tensor.ndim >= 2
        }
        expected = {f"{name}{end}" for name in ranks for end in (_A, _B)}
        strange = sorted(
            set(tensors) ^ expected | {name for name in ranks if not isinstance(modules.get(name), _LAYERS)}
        )
        if not ranks or strange:
            names = ", ".join(map(repr, strange[:3])) or f"no tensor named MODULE{_A}"
            raise AdapterError(f"{path}: is no adapter of this backbone ({names}); was it trained on another one?")
        for name, rank in ranks.items():
            a, b, weight = tensors[name + _A], tensors[name + _B], modules[name].weight
            assert isinstance(weight, Tensor)
            fits = (a.shape[1:], b.shape[:2]) == (weight.shape[1:], (weight.shape[0], rank))
            flat = all(side == 1 for side in b.shape[2:]) and a.ndim == b.ndim
            if rank < 1 or not (fits and flat and a.is_floating_point() and b.is_floating_point()):
                raise AdapterError(
                    f"{path}: does not fit this backbone: {name} has weights {list(weight.shape)}, its A and B are"
                    f" {list(a.shape)} and {list(b.shape)}"
                )
        return ranks

    def save(self, role: Role, path: Path, notes: Mapping[str, str] | None = None, write: bool = True) -> None:
        """Write an adapter with its rank and alpha in diffusers' layout; ``notes`` go into the header.

        Args:
            write: False in all processes but one, where each holds a shard of the network (FSDP): all must call.
        """
        tensors = {name: whole(tensor.detach()).cpu().contiguous() for name, tensor in self.tensors(role).items()}
        if not write:
            return
        metadata = {f"{self._prefix}.{key}": value for key, value in self._configs[role].to_dict().items()}
        header = {"format": "pt", METADATA_KEY: json.dumps(metadata, sort_keys=True, default=sorted), **(notes or {})}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        save_file(tensors, temporary, metadata=header)
        temporary.replace(path)

    def tensors(self, role: Role) -> dict[str, Tensor]:
        """An adapter's tensors by their names in a file: ``PREFIX.MODULE.lora_A.weight`` and ``.lora_B.weight``."""
        state = get_peft_model_state_dict(self._network, adapter_name=role)
        return {f"{self._prefix}.{name}": tensor for name, tensor in state.items()}

    def parameters(self, role: Role) -> list[torch.nn.Parameter]:
        """An adapter's tensors."""
        return [parameter for name, parameter in self._network.named_parameters() if f".{role}." in name]

    def train(self, role: Role | None) -> None:
        """Make one adapter trainable and freeze all else; None freezes everything."""
        for name, parameter in self._network.named_parameters():
            parameter.requires_grad_(f".{role}." in name and not name.startswith(self._idle))

    def train_network(self) -> None:
        """Make the network's own weights trainable, and no adapter."""
        for name, parameter in self._network.named_parameters():
            parameter.requires_grad_(".lora_" not in name)

    def network_weights(self) -> dict[str, Tensor]:
        """The network's own weights under the names that they have without adapters."""
        state = self._network.state_dict()
        return {name.replace(".base_layer.", "."): tensor for name, tensor in state.items() if ".lora_" not in name}

    def activate(self, roles: Sequence[Role], weights: Sequence[float] | None = None) -> None:
        """Make exactly these adapters act, each times its weight (default 1); what is trainable stays trainable."""
        missing = [role for role in roles if role not in self._configs]
        if missing:
            raise AdapterError(f"no adapter of role {', '.join(missing)} is loaded")
        scales = dict(zip(roles, weights or [1.0] * len(roles), strict=True))
        for layer in self._layers():
            flags = [(parameter, parameter.requires_grad) for parameter in layer.parameters()]
            if roles:
                layer.enable_adapters(True)
                layer.set_adapter(list(roles))
                for role, scale in scales.items():
                    layer.set_scale(role, scale)
            else:
                layer.enable_adapters(False)
            for parameter, flag in flags:
                parameter.requires_grad_(flag)

    @contextmanager
    def using(self, roles: Sequence[Role], weights: Sequence[float] | None = None) -> Iterator[None]:
        """Make exactly these adapters act inside the context; afterwards the previous ones act again."""
        layers = list(self._layers())
        before = [(layer.disable_adapters, list(layer.active_adapters), dict(layer.scaling)) for layer in layers]
        self.activate(roles, weights)
        try:
            yield
        finally:
            for layer, (disabled, active, scaling) in zip(layers, before, strict=True):
                flags = [(parameter, parameter.requires_grad) for parameter in layer.parameters()]
                layer.enable_adapters(True)
                layer.set_adapter(active)
                layer.enable_adapters(not disabled)
                layer.scaling.update(scaling)
                for parameter, flag in flags:
                    parameter.requires_grad_(flag)

    def merge(self) -> None:
        """Add the acting adapters to the network's float32 weights permanently, so that they cost no time in sampling.

        Weights of fewer bits keep their adapters beside them, since small changes would be rounded away. Not for
        backbones in which an adapter sees some of the tokens only.
        """
        for layer in self._layers():
            if not layer.disable_adapters and layer.get_base_layer().weight.dtype == torch.float32:
                layer.merge()

    def _layers(self) -> Iterator[LoraLayer]:
        return (module for module in self._network.modules() if isinstance(module, LoraLayer))

    def _inject(self, role: Role, config: LoraConfig) -> None:
        if role in self._configs:
            raise AdapterError(f"there is an adapter of role '{role}' already")
        active = self.roles
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several adapters are what we want
            inject_adapter_in_model(config, self._network, adapter_name=role)
        for parameter in self.parameters(role):  # peft gives an adapter the format of the layer that it is on
            parameter.data = parameter.data.to(self._dtype)
        self._configs[role] = config
        self.activate(active)


def acting_only_where(layer: torch.nn.Module, inputs: Tensor, adapted: bool) -> Tensor:
    """A layer with its adapters, or without them."""
    if not adapted and isinstance(layer, LoraLayer):
        layer = layer.get_base_layer()
    result: Tensor = layer(inputs)
    return result


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process holds a shard (FSDP), put together; all processes must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise AdapterError(f"{path}: no such adapter file") from None
    except (OSError, SafetensorError, ValueError, AttributeError) as error:  # the last two: dtypes that torch lacks
        raise AdapterError(f"{path}: damaged or no safetensors file ({error}); get it again") from None
    try:
        metadata = json.loads(header.get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise AdapterError(f"{path}: its header's {METADATA_KEY} is no JSON object; save the adapter again")
    return tensors, metadata


def _scale(path: Path, metadata: Mapping[str, Any]) -> float:
    """``alpha / rank`` as the header tells them."""
    if not {"lora_alpha", "r"} <= metadata.keys():
        return 1.0
    try:
        scale = float(metadata["lora_alpha"]) / float(metadata["r"])
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        scale = nan
    if not isfinite(scale):
        raise AdapterError(f"{path}: its header tells alpha {metadata['lora_alpha']!r} and rank {metadata['r']!r}")
    return scale
