"""Whole diffusion pipelines of a few thousand random weights, saved as diffusers saves the published ones."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

_WIDTH = 16


def _tokenizer() -> Any:
    import transformers

    words = ["<|startoftext|>", "<|endoftext|>", *string.ascii_lowercase, *(f"{x}</w>" for x in string.ascii_lowercase)]
    vocabulary = {word: index for index, word in enumerate([*words, ",</w>"])}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _text(kind: str = "CLIPTextModel") -> Any:
    import transformers

    return getattr(transformers, kind)(
        transformers.CLIPTextConfig(
            vocab_size=55, hidden_size=_WIDTH, intermediate_size=_WIDTH, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=77, projection_dim=_WIDTH, bos_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip


def _vae(levels: int, scaling_factor: float = 0.5) -> Any:
    import diffusers

    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * levels, down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels, layers_per_block=1, latent_channels=4, norm_num_groups=4,
        scaling_factor=scaling_factor, shift_factor=0.1,
    )  # fmt: skip


def _unet(in_channels: int = 4, **more: Any) -> Any:
    import diffusers

    return diffusers.UNet2DConditionModel(
        sample_size=16, in_channels=in_channels, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, attention_head_dim=4, **{"cross_attention_dim": _WIDTH, **more},
    )  # fmt: skip


def _schedule() -> dict[str, Any]:
    return {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "steps_offset": 1,
    }


def _flux() -> Any:
    import diffusers
    import transformers

    shape = {"attention_head_dim": 16, "num_attention_heads": 2}
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, joint_attention_dim=_WIDTH,
        pooled_projection_dim=_WIDTH, guidance_embeds=True, axes_dims_rope=(4, 4, 8), **shape,
    )  # fmt: skip
    control = diffusers.FluxControlNetModel.from_transformer(transformer, num_layers=1, num_single_layers=0, **shape)
    for block in control.controlnet_blocks:
        torch.nn.init.normal_(block.weight)  # zero in a fresh one: the image would have no say
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in string.ascii_lowercase)]
    t5 = transformers.T5Config(vocab_size=150, d_model=_WIDTH, d_kv=8, d_ff=_WIDTH, num_layers=1, num_heads=2)
    return diffusers.FluxControlNetPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_vae(4),
        text_encoder=_text(),
        tokenizer=_tokenizer(),
        text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer_2=transformers.T5Tokenizer(vocab=vocabulary),
        transformer=transformer,
        controlnet=control,
    )


def _pipeline(id: str) -> Any:
    import diffusers

    torch.manual_seed(0)
    if id == "flux-upscaler":
        return _flux()
    if id == "ldm-super-resolution":
        unet = diffusers.UNet2DModel(
            in_channels=6, out_channels=3, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
        )  # fmt: skip
        codec = diffusers.VQModel(
            block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=3, num_vq_embeddings=16, norm_num_groups=4,
        )  # fmt: skip
        return diffusers.LDMSuperResolutionPipeline(
            vqvae=codec, unet=unet, scheduler=diffusers.DDIMScheduler(**_schedule())
        )
    common = {"text_encoder": _text(), "tokenizer": _tokenizer(), "scheduler": diffusers.DDIMScheduler(**_schedule())}
    if id == "sd-x4-upscaler":
        return diffusers.StableDiffusionUpscalePipeline(
            vae=_vae(3, 0.08333),
            unet=_unet(7, num_class_embeds=1000),
            low_res_scheduler=diffusers.DDPMScheduler(),
            **common,
        )
    if id == "sdxl-img2img":
        unet = _unet(
            addition_embed_type="text_time", addition_time_embed_dim=8, cross_attention_dim=2 * _WIDTH,
            projection_class_embeddings_input_dim=6 * 8 + _WIDTH,
        )  # fmt: skip
        return diffusers.StableDiffusionXLImg2ImgPipeline(
            vae=_vae(4),
            unet=unet,
            text_encoder_2=_text("CLIPTextModelWithProjection"),
            tokenizer_2=_tokenizer(),
            **common,
        )
    checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if id == "sd15-img2img":
        return diffusers.StableDiffusionImg2ImgPipeline(vae=_vae(4), unet=_unet(), **common, **checker)
    unet = _unet()
    return diffusers.StableDiffusionControlNetImg2ImgPipeline(
        vae=_vae(4), unet=unet, controlnet=diffusers.ControlNetModel.from_unet(unet), **common, **checker
    )


@pytest.fixture(scope="session")
def tiny_pipeline() -> Callable[[str], Any]:
    """A random pipeline of the class that an id stands for, the same at every call."""
    return _pipeline


@pytest.fixture(scope="session")
def saved_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny pipeline, written once."""
    made: dict[str, Path] = {}

    def folder(id: str) -> Path:
        if id not in made:
            made[id] = tmp_path_factory.mktemp(id)
            _pipeline(id).save_pretrained(made[id])
        return made[id]

    return folder
