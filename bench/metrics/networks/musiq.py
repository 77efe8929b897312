"""MUSIQ's network with less work: weights and modules of the library, the library's value, fewer seconds of a core.

Ke et al., ICCV 2021. What is left out is what no value depends on: standardising the convolutions' weights at every
call, patches that are padding, whose attention is exactly 0, and all that the last block computes of patches, of which
only the class token is read. What remains goes piece by piece through a cache, in the memory layout that a CPU likes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..library import load_network

if TYPE_CHECKING:
    import torch

_CPU_PATCHES = 64
"""Patches that go through the convolutions together on a CPU: their maps of 4 MiB stay in its cache."""
_ROOT_PADDING = (2, 3, 2, 3)
"""Left, right, top, bottom of a patch before the first convolution (7x7, stride 2), as TensorFlow's ``same`` has it."""
_POOL_PADDING = (0, 1, 0, 1)  # of the maps before pooling (3x3, stride 2)
_WEIGHT_EPSILON = 1e-5  # beside the deviation of a filter's weights


WEIGHTS = ("musiq-koniq",)


def load(device: str) -> Musiq:
    """The network with KonIQ's weights; see ``load_network`` for what it raises."""
    return _wrapped(load_network("musiq", WEIGHTS, (), device))


class Musiq:
    """Values ``[B]`` of images ``[B, 3, H, W]`` in [0, 1]."""

    def __init__(self, network: Any) -> None:
        """Around the library's network, which stays as it is."""
        import torch
        from pyiqa.data.multiscale_trans_util import get_multiscale_patches

        self._patches = get_multiscale_patches
        self._network = network
        block = network.block1
        self._root = _standardised(network.conv_root)
        self._convolutions = [_standardised(each) for each in (block.conv1, block.conv2, block.conv3, block.conv_proj)]
        for index in (2, 3):  # those of 64 to 256 channels: twice as fast with the channels innermost
            self._convolutions[index] = self._convolutions[index].contiguous(memory_format=torch.channels_last)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Values ``[B]``."""
        import torch

        network = self._network
        rows = self._patches((images - 0.5) * 2, **network.data_preprocess_opts)  # [B, N, 3 * 32 * 32 + 3]
        # Images of one size have the same places; behind those of an image that is not square there are empty ones.
        rows = rows[:, rows[0, :, -1].bool()]
        side = network.patch_size
        patches = rows[..., :-3].reshape(-1, 3, side, side)
        size = _CPU_PATCHES if images.device.type == "cpu" else len(patches)
        features = patches.new_empty(len(patches), network.embedding.in_features)
        for piece, target in zip(patches.split(size), features.split(size), strict=True):
            self._extract(piece, target)
        encoder = network.transformer_encoder
        tokens = network.embedding(features).reshape(*rows.shape[:2], -1)
        tokens = encoder.scaleembed_input(encoder.posembed_input(tokens, rows[..., -3]), rows[..., -2])
        tokens = torch.cat([encoder.cls.expand(len(images), -1, -1), tokens], dim=1)
        blocks = list(encoder.transformer.values())
        for block in blocks:
            tokens = _transformed(block, tokens, read=1 if block is blocks[-1] else tokens.shape[1])
        value: torch.Tensor = network.head(encoder.encoder_norm(tokens[:, 0])).squeeze(1)
        return value

    def _extract(self, patches: torch.Tensor, features: torch.Tensor) -> None:
        """From patches ``[P, 3, 32, 32]`` to what the embedding takes, channels innermost: ``[P, 8 * 8 * 256]``."""
        import torch
        from torch.nn.functional import conv2d, max_pool2d, pad

        network, block = self._network, self._network.block1
        narrow, wide, out, projection = self._convolutions
        state = network.gn_root(conv2d(pad(patches, _ROOT_PADDING), self._root, stride=2)).relu_()
        # torch pools five times as fast with the channels innermost, and normalises groups of two as much slower.
        state = max_pool2d(pad(state.contiguous(memory_format=torch.channels_last), _POOL_PADDING), 3, 2)
        inner = block.gn1(conv2d(state.contiguous(), narrow)).relu_()
        inner = block.gn2(conv2d(inner, wide, padding=1)).relu_().contiguous(memory_format=torch.channels_last)
        state = block.gn_proj(conv2d(state, projection))
        places = features.view(len(patches), *state.shape[2:], state.shape[1]).permute(0, 3, 1, 2)
        torch.add(block.gn3(conv2d(inner, out)), state, out=places).relu_()


@lru_cache(maxsize=2)
def _wrapped(network: Any) -> Musiq:
    return Musiq(network)


def _standardised(convolution: torch.nn.Conv2d) -> torch.Tensor:
    """Weights of a convolution, those of each filter with mean 0 and deviation 1."""
    weight = convolution.weight.detach()
    weight = weight - weight.mean((1, 2, 3), keepdim=True)
    return weight / (weight.std((1, 2, 3), keepdim=True) + _WEIGHT_EPSILON)


def _transformed(block: Any, tokens: torch.Tensor, read: int) -> torch.Tensor:
    """The first ``read`` tokens after one block of the transformer, which looks at all: ``[B, read, C]``."""
    from torch.nn.functional import scaled_dot_product_attention

    attention = block.attention
    normalised = block.norm1(tokens)
    # [B, heads, N, C / heads]
    query, key, value = (
        part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for part in (attention.query(normalised[:, :read]), attention.key(normalised), attention.value(normalised))
    )
    seen = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    tokens = tokens[:, :read] + attention.out(seen)
    result: torch.Tensor = tokens + block.mlp(block.norm2(tokens))
    return result
