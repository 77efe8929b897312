"""UNets of diffusers as backbones: Stable Diffusion 1.5, SDXL, and a small one in pixel space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..choices import Prediction
from .backbone import Backbone, BackboneError, Prompt
from .schedule import VarianceSchedule

WITH_TEXT = (
    r"conv_in|.*\.(conv1|conv2|conv_shortcut|to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.2|time_emb_proj)"
)
"""Layers that adapters are on; the first one lets an adapter see the LQ latents of a widened network."""
WITHOUT_TEXT = rf"(?!.*\.attn2\.)({WITH_TEXT})"
"""All of them but those that mix text in: keys and values of zeros are zeros, and nothing there has a gradient."""


class UNetBackbone(Backbone):
    """``UNet2DConditionModel`` with the LQ latents as further input channels.

    Args:
        network: takes ``2 * patch**2 * C`` channels and gives ``patch**2 * C``.
        prediction: what it predicts: the flow's velocity, or epsilon on the schedule that it was trained with.
        patch: side of the blocks of latents that become channels (1: none), which makes pixel space affordable.
        text_is_read: trained with text that is not zeros.
    """

    def __init__(
        self,
        network: Any,
        prediction: Prediction,
        *,
        patch: int = 1,
        schedule: VarianceSchedule | None = None,
        text_is_read: bool = False,
    ) -> None:
        super().__init__()
        if prediction == "epsilon" and schedule is None:
            raise BackboneError("a network that predicts epsilon needs its noise schedule")
        input_channels, output_channels = int(network.config.in_channels), int(network.config.out_channels)
        if input_channels != 2 * output_channels or output_channels % patch**2:
            raise BackboneError(
                f"a UNet with {input_channels} input and {output_channels} output channels cannot take"
                " the LQ latents beside its own; widen its first convolution (see widen_input)"
            )
        self.network = network
        self.prediction = prediction
        self.patch = patch
        self.channels = output_channels // patch**2
        self.multiple = patch * 2 ** (len(network.config.block_out_channels) - 1)
        self.schedule = schedule
        self.adapter_targets = WITH_TEXT if text_is_read else WITHOUT_TEXT
        if schedule is not None:
            self.sigma_range = schedule.sigma_range

    def forward(
        self, state: Tensor, sigma: Tensor, lq: Tensor | None, prompt: Prompt | None = None, guidance: float = 0.0
    ) -> Tensor:
        """See ``Backbone``."""
        lq = torch.zeros_like(state) if lq is None else lq
        if self.prediction == "velocity":
            return self._predict(state, sigma * 1000, lq, prompt)
        assert self.schedule is not None
        scaled, time = self.schedule.from_flow(state, sigma)
        return self.schedule.velocity(state, sigma, self._predict(scaled, time, lq, prompt))

    def residual_weight(self, sigma: Tensor) -> Tensor:
        """See ``Backbone``; a residual of epsilon is the velocity's times ``1 - sigma``."""
        return torch.ones_like(sigma) if self.prediction == "velocity" else 1 - sigma

    def _predict(self, state: Tensor, time: Tensor, lq: Tensor, prompt: Prompt | None) -> Tensor:
        prompt = prompt or self.text
        packed = functional.pixel_unshuffle(torch.cat([state, lq], 1), self.patch)
        batch = len(state)
        width = self.network.config.cross_attention_dim
        tokens = state.new_zeros(batch, 1, width) if prompt is None else prompt.tokens.to(state).expand(batch, -1, -1)
        predicted = self.network(packed, time, tokens, added_cond_kwargs=self._added(state, prompt), return_dict=False)
        return functional.pixel_shuffle(predicted[0], self.patch)

    def _added(self, state: Tensor, prompt: Prompt | None) -> dict[str, Tensor] | None:
        """SDXL's pooled text and size conditions: original and target size are the image's, the crop is at 0, 0."""
        if self.network.config.addition_embed_type != "text_time":
            return None
        batch, _, height, width = state.shape
        times = int(self.network.config.addition_time_embed_dim)
        pooled_width = int(self.network.config.projection_class_embeddings_input_dim) - 6 * times
        if prompt is None or prompt.pooled is None:
            pooled = state.new_zeros(batch, pooled_width)
        else:
            pooled = prompt.pooled.to(state).expand(batch, -1)
        size = [8 * height, 8 * width]
        return {"text_embeds": pooled, "time_ids": state.new_tensor([[*size, 0, 0, *size]]).expand(batch, -1)}


def widen_input(network: Any) -> Any:
    """Let a text-to-image UNet take LQ latents too: its first convolution gets as many zero-initialised channels."""
    config = network.config
    if config.in_channels == 2 * config.out_channels:
        return network
    first = network.conv_in
    wider = torch.nn.Conv2d(
        2 * first.in_channels, first.out_channels, first.kernel_size, padding=first.padding, bias=first.bias is not None
    ).to(first.weight)
    with torch.no_grad():
        wider.weight.zero_()
        wider.weight[:, : first.in_channels] = first.weight
        if first.bias is not None:
            wider.bias.copy_(first.bias)  # type: ignore[union-attr]
    network.conv_in = wider
    network.register_to_config(in_channels=2 * config.in_channels)
    return network
