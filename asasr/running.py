"""How a built model is held and run: offloaded, quantised, compiled, several tiles at once.

Quantisation alone changes what is computed, so that it is a key of the sampling; the rest changes rounding at most.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..datasets.strict import Strict
from .choices import Offload, Quantization
from .errors import RunningError

if TYPE_CHECKING:
    import torch

    from .models import Model

_BLOCKS = ("transformer_blocks", "single_transformer_blocks", "down_blocks", "mid_block", "up_blocks")
"""Parts of a network whose linear layers are quantised; what embeds and what predicts stays as it is."""


class RunningConfig(Strict):
    """What a machine can do, apart from what is computed."""

    offload: Offload = "no"
    compile: bool = False
    """Compile the network's blocks when they first run, which takes minutes and pays in long series of one size."""
    tiles: Annotated[int, Field(ge=1)] = 1
    """Tiles of one image that go through the network together."""
    prompt_file: str | None = None
    """Safetensors file with the encoded prompt (``tokens``, and ``pooled`` where the family has it): no text encoder
    is loaded."""


def quantize(network: torch.nn.Module, kind: Quantization) -> int:
    """Replace the blocks' linear layers by quantised ones, which take shape when the network is moved to its device.

    Adapters on them stay as they are.

    Returns:
        How many were replaced.

    Raises:
        RunningError: bitsandbytes is not installed.
    """
    import torch

    if kind == "no":
        return 0
    if find_spec("bitsandbytes") is None:
        raise RunningError(f"quantize: {kind} needs bitsandbytes; install it with: pip install bitsandbytes")
    chosen = [
        (parent, child, layer)
        for name, parent in network.named_modules()
        for child, layer in parent.named_children()
        if type(layer) is torch.nn.Linear
        and ".lora_" not in f".{name}.{child}"
        and f"{name}.".startswith(tuple(f"{block}." for block in _BLOCKS))
    ]
    for parent, child, layer in chosen:
        setattr(parent, child, _quantized(layer, kind))
    return len(chosen)


def _quantized(layer: torch.nn.Linear, kind: Quantization) -> torch.nn.Module:
    import bitsandbytes

    layers: Any = bitsandbytes.nn
    bias, weight, shape = layer.bias is not None, layer.weight.data, (layer.in_features, layer.out_features)
    if kind == "nf4":
        new = layers.Linear4bit(*shape, bias=bias, compute_dtype=weight.dtype, quant_type="nf4", device="meta")
        new.weight = layers.Params4bit(weight, requires_grad=False, quant_type="nf4", module=new)
    else:
        new = layers.Linear8bitLt(*shape, bias=bias, has_fp16_weights=False, threshold=6.0, device="meta")
        new.weight = layers.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    if bias:
        new.bias = layer.bias
    module: torch.nn.Module = new
    return module


def compile_blocks(backbone: Any, backend: str = "inductor") -> None:
    """Compile a network block by block, or whole where it has none that repeat."""
    blocks = [block for name in _BLOCKS[:2] for block in getattr(backbone.network, name, ())]
    for module in blocks or [backbone.network]:
        module.compile(backend=backend)


def channels_innermost(network: torch.nn.Module) -> None:
    """Hold the weights of convolutions as oneDNN computes with them on a processor, so that activations stay in that
    order from layer to layer; it changes the rounding of floats alone."""
    import torch

    network.to(memory_format=torch.channels_last)


def place(model: Model, device: str, offload: Offload) -> None:
    """Move a model to its device, or let it come there when it is needed.

    ``model``: network and VAE take turns on the device. ``layers``: each layer of the network comes when it is
    called, which takes little memory and much time; the VAE stays on the device.
    """
    vae = getattr(model.codec, "vae", None)
    if offload == "no":
        model.to(device)
        return
    import torch
    from accelerate import cpu_offload, cpu_offload_with_hook

    if offload == "layers":
        model.backbone.network = cpu_offload(model.backbone.network, device)
        for name, module in model.backbone.named_children():
            if name != "network":
                module.to(device)
        if vae is not None:
            vae.to(device)
        return
    target = torch.device(device)
    _, network_hook = cpu_offload_with_hook(model.backbone, target)
    if vae is not None:
        _, vae_hook = cpu_offload_with_hook(vae, target, network_hook)
        network_hook.hook.prev_module_hook = vae_hook  # each sends the other back to the processor's memory
