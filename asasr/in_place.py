"""Residual blocks of diffusers' UNets for sampling on a processor: they write into what they have just computed.

Published blocks take new memory for each activation and each sum, and divide by a factor of 1; a processor waits for
that memory. Without gradients nobody reads what is written over, and the bits of the result are the same.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor
from torch.nn import functional


def reuse_memory(network: torch.nn.Module) -> int:
    """Let the residual blocks of a network that is not trained write into their own activations.

    Returns:
        How many there are; blocks that resize or take the time in another way stay as they are.
    """
    blocks = [block for block in network.modules() if isinstance(block, ResnetBlock2D) and _is_plain(block)]
    for block in blocks:
        block.forward = MethodType(_forward, block)
    return len(blocks)


def _is_plain(block: Any) -> bool:
    return (
        isinstance(block.nonlinearity, torch.nn.SiLU)
        and block.time_embedding_norm == "default"
        and block.output_scale_factor == 1
        and block.time_emb_proj is not None
        and block.upsample is block.downsample is None
    )


def _forward(block: Any, images: Tensor, time: Tensor, *_: Any) -> Tensor:
    """Two times normalised, activated and convolved, with the time in between, added to what came in."""
    embedded = time if block.skip_time_act else functional.silu(time)
    hidden = block.conv1(functional.silu(block.norm1(images), inplace=True))
    hidden = _added(hidden, block.time_emb_proj(embedded)[:, :, None, None])
    hidden = block.conv2(functional.silu(block.norm2(hidden), inplace=True))
    return _added(hidden, images if block.conv_shortcut is None else block.conv_shortcut(images))


def _added(own: Tensor, other: Tensor) -> Tensor:
    """Their sum, in the memory of the first where it has the sum's format."""
    return own.add_(other) if own.dtype == other.dtype else own + other
