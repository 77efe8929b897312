"""The empty prompt, encoded once by a family's own text encoders."""

from __future__ import annotations

import torch

from .backbones.backbone import BackboneError, Prompt
from .model_config import ModelConfig
from .precision import has_bfloat16, loaded_as


@torch.no_grad()
def empty_prompt(config: ModelConfig, device: str | torch.device = "cpu") -> Prompt | None:
    """Embeddings of the empty prompt; None (zeros) for models without text encoders: small ones, and random weights.

    Raises:
        BackboneError: the text encoders cannot be had.
    """
    if config.source is None:
        return None
    from diffusers import FluxPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

    kinds = {"flux": FluxPipeline, "sd15": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
    absent = {"transformer": None} if config.family == "flux" else {"unet": None}
    if config.family == "sd15":
        absent |= {"safety_checker": None, "feature_extractor": None}
    dtype = torch.bfloat16 if has_bfloat16(torch.device(device).type) else torch.float32
    try:
        pipeline = kinds[config.family].from_pretrained(config.source, vae=None, **loaded_as(dtype), **absent)
    except (OSError, ValueError) as error:
        raise BackboneError(f"{config.source}: no text encoders ({str(error).splitlines()[0]})") from None
    pipeline.to(device)
    if config.family == "flux":
        tokens, pooled, _ = pipeline.encode_prompt("", "", device=device)
        return Prompt(tokens.float(), pooled.float())
    if config.family == "sdxl":
        tokens, _, pooled, _ = pipeline.encode_prompt("", device=device, do_classifier_free_guidance=False)
        return Prompt(tokens.float(), pooled.float())
    tokens, _ = pipeline.encode_prompt("", device, 1, False)
    return Prompt(tokens.float())
