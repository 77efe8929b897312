"""Tiny networks of every family, as ``model.network`` and ``model.vae`` of a configuration take them."""

from __future__ import annotations

from typing import Any

UNET = {
    "sample_size": 8, "block_out_channels": [16, 16], "layers_per_block": 1, "norm_num_groups": 8,
    "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 8, "attention_head_dim": 8,
}  # fmt: skip
VAE = {
    "block_out_channels": [8, 8, 8, 8], "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4, "norm_num_groups": 4, "latent_channels": 4, "sample_size": 64,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "small": {"network": {**UNET, "in_channels": 24, "out_channels": 12, "mid_block_type": "UNetMidBlock2D"}},
    "sd15": {
        "network": {
            **UNET, "in_channels": 4, "out_channels": 4, "attention_head_dim": 2,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        },
        "vae": VAE,
    },
    "sdxl": {
        "network": {
            **UNET, "in_channels": 4, "out_channels": 4, "attention_head_dim": [2, 4], "use_linear_projection": True,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "transformer_layers_per_block": [1, 2],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80,
        },
        "vae": VAE,
    },
    "flux": {
        "network": {
            "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
            "num_attention_heads": 2, "joint_attention_dim": 24, "pooled_projection_dim": 12, "guidance_embeds": True,
            "axes_dims_rope": [4, 6, 6],
        },
        "vae": {**VAE, "shift_factor": 0.1, "scaling_factor": 0.36},
    },
}  # fmt: skip
