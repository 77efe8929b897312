"""Prompts, encoded by a family's own text encoders. The empty prompt is encoded once per set of encoders and cached."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..datasets.user_folders import user_folder
from .backbones.backbone import BackboneError, Prompt
from .model_config import ModelConfig, names_a_folder
from .precision import has_bfloat16, loaded_as

_PARTS = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")


def empty_prompt(config: ModelConfig, device: str | torch.device = "cpu") -> Prompt | None:
    """Embeddings of the empty prompt; None (zeros) for models without text encoders: small ones, and random weights.

    They are kept in the user's cache folder, so that encoders of gigabytes are loaded once and never again.

    Raises:
        BackboneError: the text encoders cannot be had.
    """
    if config.source is None:
        return None
    cache_file = _cache_file(config, device)
    if cache_file is not None and cache_file.is_file():
        try:
            return read_prompt(cache_file)
        except BackboneError:
            cache_file.unlink()  # a disk that was full when it was written, say
    prompt = encoded_prompt(config, "", device)
    cache_file = _cache_file(config, device)  # of a source on the Hub it is known now that its files are here
    if cache_file is not None:
        write_prompt(prompt, cache_file)
    return prompt


@torch.no_grad()
def encoded_prompt(config: ModelConfig, text: str, device: str | torch.device = "cpu") -> Prompt:
    """Embeddings of a text.

    Raises:
        BackboneError: the text encoders cannot be had.
    """
    from diffusers import FluxPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

    kinds = {"flux": FluxPipeline, "sd15": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
    if config.source is None or config.family not in kinds:
        raise BackboneError(f"prompt: a model of family '{config.family}' without a source has no text encoders")
    absent = {"transformer": None} if config.family == "flux" else {"unet": None}
    if config.family == "sd15":
        absent |= {"safety_checker": None, "feature_extractor": None}
    dtype = _dtype(device)
    try:
        pipeline = kinds[config.family].from_pretrained(
            config.source, revision=config.revision, vae=None, **loaded_as(dtype), **absent
        )
    except (OSError, ValueError) as error:
        raise BackboneError(f"{config.source}: no text encoders ({str(error).splitlines()[0]})") from None
    pipeline.to(device)
    if config.family == "flux":
        tokens, pooled, _ = pipeline.encode_prompt(text, text, device=device)
        return Prompt(tokens.float(), pooled.float())
    if config.family == "sdxl":
        tokens, _, pooled, _ = pipeline.encode_prompt(text, device=device, do_classifier_free_guidance=False)
        return Prompt(tokens.float(), pooled.float())
    tokens, _ = pipeline.encode_prompt(text, device, 1, False)
    return Prompt(tokens.float())


def read_prompt(path: Path) -> Prompt:
    """A prompt that ``write_prompt`` wrote.

    Raises:
        BackboneError: no such file, or it holds no prompt.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise BackboneError(f"{path}: no such file with a prompt") from None
    except (OSError, SafetensorError) as error:
        raise BackboneError(f"{path}: damaged or no safetensors file ({error})") from None
    tokens, pooled = tensors.get("tokens"), tensors.get("pooled")
    if tokens is None or tokens.ndim != 3 or len(tokens) != 1 or (pooled is not None and pooled.shape[:1] != (1,)):
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()) or "nothing"
        raise BackboneError(f"{path}: holds no prompt: 'tokens' [1, L, D] is wanted, and it has {shapes}")
    return Prompt(tokens.float(), None if pooled is None else pooled.float())


def write_prompt(prompt: Prompt, path: Path) -> None:
    """Write embeddings to a safetensors file. A disk error is ignored: the embeddings are then computed again."""
    tensors = {"tokens": prompt.tokens, **({} if prompt.pooled is None else {"pooled": prompt.pooled})}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
        temporary.replace(path)
    except (OSError, SafetensorError):
        temporary.unlink(missing_ok=True)


def _commit(source: str, revision: str | None) -> str | None:
    """Commit of a source on the Hub, from the configuration or the Hub's cache; None: unknown."""
    if revision and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source, "model_index.json", revision=revision)
    return Path(cached).parent.name if isinstance(cached, str) else None  # a folder is named after its commit


def _dtype(device: str | torch.device) -> torch.dtype:
    return torch.bfloat16 if has_bfloat16(torch.device(device).type) else torch.float32


def _cache_file(config: ModelConfig, device: str | torch.device) -> Path | None:
    """Cache file of the empty prompt of these encoders; None while it is unknown which encoders they are."""
    assert config.source is not None
    if names_a_folder(config.source):
        folder = Path(config.source).expanduser()
        files = sorted(path for subfolder in _PARTS for path in (folder / subfolder).rglob("*") if path.is_file())
        lines = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
        if not lines:
            return None
        identity = "\n".join([config.family, *lines])
    else:
        commit = _commit(config.source, config.revision)
        if commit is None:
            return None
        identity = f"{config.family}\n{config.source}\n{commit}"
    digest = hashlib.sha256(f"{identity}\n{_dtype(device)}".encode()).hexdigest()
    return user_folder("prompts", "ASASR_BENCH_PROMPTS") / f"{config.family}-{digest[:32]}.safetensors"
