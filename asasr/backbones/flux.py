"""FLUX with the LQ image as a third stream of tokens, as the ASASR authors' adapters were trained."""

from __future__ import annotations

from types import MethodType
from typing import Any, cast

import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..adapters import acting_only_where
from ..choices import LoraScope
from ..flow import resolution_shift
from .backbone import Backbone, Prompt

PUBLISHED_TARGETS = (
    r"x_embedder"
    r"|transformer_blocks\.\d+\.(norm1\.linear|attn\.to_[qkv]|attn\.to_out\.0|ff\.net\.2)"
    r"|single_transformer_blocks\.\d+\.(norm\.linear|proj_mlp|proj_out|attn\.to_[qkv])"
)
"""Layers that the authors' adapters are on."""


class FluxBackbone(Backbone):
    """``FluxTransformer2DModel`` on latents packed 2x2.

    LQ tokens pass through the same layers as image tokens, at timestep 0 and at the same positions; attention is joint
    over text, image and LQ; only image tokens reach the output. Without LQ tokens it is diffusers' own forward.

    The network's blocks get our forward as theirs, so that whoever shards a network by its blocks (FSDP) meets a call
    of each; the network itself can no longer be called.

    Args:
        scope: which tokens the adapters act on: ``condition``: those of LQ alone, as the published adapters need;
            ``all``: every token of an adapted layer.
    """

    adapter_targets = PUBLISHED_TARGETS
    multiple = 2

    def __init__(self, network: Any, scope: LoraScope = "condition") -> None:
        super().__init__()
        self.network = network
        self.scope = scope
        self.channels = int(network.config.in_channels) // 4
        last = f"single_transformer_blocks.{len(network.single_transformer_blocks) - 1}"
        if scope == "condition":  # nobody reads the last block's LQ tokens; their keys and values are read
            self.idle = (f"{last}.attn.to_q", f"{last}.proj_mlp", f"{last}.proj_out")
        for blocks, function in (
            (network.transformer_blocks, _double_block),
            (network.single_transformer_blocks, _single_block),
        ):
            for block in blocks:
                block.forward = MethodType(function, block)

    def forward(
        self, state: Tensor, sigma: Tensor, lq: Tensor | None, prompt: Prompt | None = None, guidance: float = 0.0
    ) -> Tensor:
        """See ``Backbone``."""
        height, width = state.shape[-2] // 2, state.shape[-1] // 2
        text, pooled, copies = self._text(state, prompt)
        velocity = self.tokens_forward(
            _pack(state),
            None if lq is None else _pack(lq),
            sigma,
            image_positions(height, width, state.device),
            text,
            pooled,
            guidance,
            copies,
        )
        return functional.pixel_shuffle(velocity.mT.reshape(len(state), -1, height, width), 2)

    def shift(self, height: int, width: int) -> float:
        """See ``Backbone``."""
        return resolution_shift((height // 2) * (width // 2))

    def tokens_forward(
        self,
        image: Tensor,
        lq: Tensor | None,
        sigma: Tensor,
        positions: Tensor,
        text: Tensor,
        pooled: Tensor,
        guidance: float,
        copies: int = 1,
    ) -> Tensor:
        """Forward on tokens.

        Args:
            image, lq: ``[B, N, 4 C]``.
            sigma: ``[B]``.
            positions: ``[N, 3]``, of image and LQ tokens alike; text tokens are at 0.
            text: ``[B, L, D]``; pooled: ``[B, P]``.
            copies: how often each text token stands there. Equal tokens at one position stay equal in every layer, so
                that they are computed once, and attended to as often as they are there.

        Returns:
            Velocity of the image tokens, ``[B, N, 4 C]``.
        """
        network = self.network
        on_image = self.scope == "all"
        times = (
            self._modulation(sigma.to(image), pooled, guidance),
            self._modulation(torch.zeros_like(sigma).to(image), pooled, guidance),
        )
        streams = [network.context_embedder(text), acting_only_where(network.x_embedder, image, on_image)]
        places = [torch.zeros(text.shape[1], 3, device=positions.device, dtype=positions.dtype), positions]
        if lq is not None:
            streams.append(network.x_embedder(lq))
            places.append(positions)
        rotary = network.pos_embed(torch.cat(places))
        for block in network.transformer_blocks:
            streams = self._run(block, streams, times, rotary, on_image, (text.shape[1], copies))
        streams = [torch.cat(streams[:2], 1), *streams[2:]]
        for block in network.single_transformer_blocks:
            streams = self._run(block, streams, times, rotary, on_image, (text.shape[1], copies))
        output: Tensor = network.proj_out(network.norm_out(streams[0][:, text.shape[1] :], times[0]))
        return output

    def _run(self, block: torch.nn.Module, *arguments: Any) -> list[Tensor]:
        if self.network.gradient_checkpointing and torch.is_grad_enabled():
            recomputed: list[Tensor] = checkpoint(block, *arguments, use_reentrant=False)
            return recomputed
        output_streams: list[Tensor] = block(*arguments)
        return output_streams

    def _modulation(self, sigma: Tensor, pooled: Tensor, guidance: float) -> Tensor:
        embed = self.network.time_text_embed
        if self.network.config.guidance_embeds:
            result: Tensor = embed(sigma * 1000, torch.full_like(sigma, guidance * 1000), pooled)
        else:
            result = embed(sigma * 1000, pooled)
        return result

    def _text(self, state: Tensor, prompt: Prompt | None) -> tuple[Tensor, Tensor, int]:
        """What is read: tokens, pooled, and how often each token stands there; zeros are as many tokens as a prompt of
        FLUX has."""
        batch, config = len(state), self.network.config
        prompt = prompt or self.text
        if prompt is None:
            tokens = state.new_zeros(batch, 1, config.joint_attention_dim)
            return tokens, state.new_zeros(batch, config.pooled_projection_dim), 512
        assert prompt.pooled is not None
        return prompt.tokens.to(state).expand(batch, -1, -1), prompt.pooled.to(state).expand(batch, -1), 1


def image_positions(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Row and column of each token, ``[height * width, 3]``."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], -1).flatten(0, 1).to(device, torch.float32)


def _pack(latents: Tensor) -> Tensor:
    """``[B, C, h, w]`` to ``[B, h/2 * w/2, 4 C]``."""
    return functional.pixel_unshuffle(latents, 2).flatten(2).mT


def _double_block(
    block: Any,
    streams: list[Tensor],
    times: tuple[Tensor, Tensor],
    rotary: Any,
    on_image: bool,
    text_copies: tuple[int, int],
) -> list[Tensor]:
    """Streams: text with weights of its own, image, and LQ where it is given."""
    text, *pictures = streams
    adapted = [on_image, True]
    attention = block.attn
    normed_text, *text_gates = block.norm1_context(text, emb=times[0])
    normed, gates = [], []
    for picture, time, adapt in zip(pictures, times, adapted, strict=False):
        chunks = acting_only_where(block.norm1.linear, block.norm1.silu(time), adapt)[:, None].chunk(6, -1)
        normed.append(block.norm1.norm(picture) * (1 + chunks[1]) + chunks[0])
        gates.append(chunks[2:])
    queries = [_heads(attention.norm_added_q, attention.add_q_proj(normed_text), attention)]
    keys = [_heads(attention.norm_added_k, attention.add_k_proj(normed_text), attention)]
    values = [_heads(None, attention.add_v_proj(normed_text), attention)]
    for tensor, adapt in zip(normed, adapted, strict=False):
        queries.append(_heads(attention.norm_q, acting_only_where(attention.to_q, tensor, adapt), attention))
        keys.append(_heads(attention.norm_k, acting_only_where(attention.to_k, tensor, adapt), attention))
        values.append(_heads(None, acting_only_where(attention.to_v, tensor, adapt), attention))
    mixed_text, *mixed = _attend(queries, keys, values, rotary, text_copies)

    gate, shift_mlp, scale_mlp, gate_mlp = (tensor[:, None] for tensor in text_gates)
    text = text + gate * attention.to_add_out(mixed_text)
    text = text + gate_mlp * block.ff_context(block.norm2_context(text) * (1 + scale_mlp) + shift_mlp)
    outputs = [_finite(text)]
    for picture, mix, (gate, shift_mlp, scale_mlp, gate_mlp), adapt in zip(
        pictures, mixed, gates, adapted, strict=False
    ):
        picture = picture + gate * acting_only_where(attention.to_out[0], mix, adapt)
        hidden = block.ff.net[0](block.norm2(picture) * (1 + scale_mlp) + shift_mlp)
        outputs.append(picture + gate_mlp * acting_only_where(block.ff.net[2], hidden, adapt))
    return outputs


def _single_block(
    block: Any,
    streams: list[Tensor],
    times: tuple[Tensor, Tensor],
    rotary: Any,
    on_image: bool,
    text_copies: tuple[int, int],
) -> list[Tensor]:
    """Streams: text and image as one, and LQ where it is given."""
    attention = block.attn
    queries, keys, values, hidden, gates = [], [], [], [], []
    adapted = [on_image, True]
    for stream, time, adapt in zip(streams, times, adapted, strict=False):
        shift, scale, gate = acting_only_where(block.norm.linear, block.norm.silu(time), adapt)[:, None].chunk(3, -1)
        normed = block.norm.norm(stream) * (1 + scale) + shift
        hidden.append(block.act_mlp(acting_only_where(block.proj_mlp, normed, adapt)))
        queries.append(_heads(attention.norm_q, acting_only_where(attention.to_q, normed, adapt), attention))
        keys.append(_heads(attention.norm_k, acting_only_where(attention.to_k, normed, adapt), attention))
        values.append(_heads(None, acting_only_where(attention.to_v, normed, adapt), attention))
        gates.append(gate)
    mixed = _attend(queries, keys, values, rotary, text_copies)
    return [
        _finite(stream + gate * acting_only_where(block.proj_out, torch.cat([mix, inner], 2), adapt))
        for stream, mix, inner, gate, adapt in zip(streams, mixed, hidden, gates, adapted, strict=False)
    ]


def _heads(norm: Any, projected: Tensor, attention: Any) -> Tensor:
    split = projected.view(*projected.shape[:-1], attention.heads, -1)
    return split if norm is None else cast(Tensor, norm(split))


def _attend(
    queries: list[Tensor], keys: list[Tensor], values: list[Tensor], rotary: Any, text_copies: tuple[int, int]
) -> tuple[Tensor, ...]:
    """Joint attention, unmasked, over all streams; ``[B, N, heads, D]`` each, to ``[B, N, heads * D]`` each.

    Args:
        text_copies: how many text tokens come first, and how often each stands there.
    """
    lengths = [tensor.shape[1] for tensor in queries]
    query = apply_rotary_emb(torch.cat(queries, 1), rotary, sequence_dim=1)
    key = apply_rotary_emb(torch.cat(keys, 1), rotary, sequence_dim=1)
    value = torch.cat(values, 1)
    text, copies = text_copies
    if copies > 1:
        key, value = (
            torch.cat([tensor[:, :text].repeat(1, copies, 1, 1), tensor[:, text:]], 1) for tensor in (key, value)
        )
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(query, key, value)
    return torch.split(mixed.transpose(1, 2).flatten(2), lengths, 1)


def _finite(hidden: Tensor) -> Tensor:
    """FLUX's activations can leave the range of float16."""
    return hidden.clip(-65504, 65504) if hidden.dtype == torch.float16 else hidden
