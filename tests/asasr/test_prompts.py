"""The empty prompt through each family's own text encoders, tiny ones in diffusers' layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from asasr_bench.asasr import prompts
from asasr_bench.asasr.backbones.backbone import BackboneError, Prompt
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.asasr.prompts import empty_prompt, encoded_prompt, read_prompt, write_prompt

LENGTH = 77


def clip_tokenizer(folder: Path) -> object:
    """One that knows no word: the empty prompt needs none."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<|startoftext|>", "<|endoftext|>", "a", "a</w>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=LENGTH)


def clip_encoder(width: int, *, projected: bool = False) -> torch.nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(width)
    config = CLIPTextConfig(
        vocab_size=8, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=width, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5(folder: Path) -> tuple[object, torch.nn.Module]:
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    raw = Tokenizer(Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("a", -1.0)], unk_id=2))
    raw.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
    torch.manual_seed(5)
    encoder = T5EncoderModel(T5Config(vocab_size=8, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)).eval()
    return tokenizer, encoder


def folder_of(family: str, root: Path) -> Path:
    """A pipeline without its large networks, as ``save_pretrained`` writes it."""
    from diffusers import (
        DDIMScheduler,
        FlowMatchEulerDiscreteScheduler,
        FluxPipeline,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
    )

    tokenizer = clip_tokenizer(root / "vocabulary")
    if family == "sd15":
        pipeline = StableDiffusionPipeline(
            vae=None, unet=None, text_encoder=clip_encoder(16), tokenizer=tokenizer, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
            scheduler=DDIMScheduler(clip_sample=False),
        )  # fmt: skip
    elif family == "sdxl":
        pipeline = StableDiffusionXLPipeline(
            vae=None, unet=None, text_encoder=clip_encoder(16), text_encoder_2=clip_encoder(32, projected=True),
            tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=DDIMScheduler(clip_sample=False),
        )  # fmt: skip
    else:
        tokenizer_2, text_encoder_2 = t5(root / "t5")
        pipeline = FluxPipeline(
            FlowMatchEulerDiscreteScheduler(), vae=None, text_encoder=clip_encoder(16), tokenizer=tokenizer,
            text_encoder_2=text_encoder_2, tokenizer_2=tokenizer_2, transformer=None,
        )  # fmt: skip
    pipeline.save_pretrained(root / "model")
    return root / "model"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASASR_BENCH_PROMPTS", str(tmp_path / "prompts"))
    return tmp_path / "prompts"


@pytest.mark.parametrize(
    ("family", "tokens", "pooled"),
    [("sd15", (1, LENGTH, 16), None), ("sdxl", (1, LENGTH, 48), (1, 32)), ("flux", (1, 512, 16), (1, 16))],
)
def test_each_family_encodes_the_empty_prompt(family, tokens, pooled, tmp_path: Path) -> None:
    prompt = empty_prompt(ModelConfig(family=family, source=str(folder_of(family, tmp_path))))
    assert prompt is not None
    assert prompt.tokens.shape == tokens
    assert prompt.tokens.dtype == torch.float32
    assert prompt.tokens.std() > 0
    assert (None if prompt.pooled is None else tuple(prompt.pooled.shape)) == pooled


def test_models_without_text_encoders_take_zeros() -> None:
    assert empty_prompt(ModelConfig(family="small")) is None


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="nowhere: no text encoders"):
        empty_prompt(ModelConfig(family="sd15", source=str(tmp_path / "nowhere")))


def test_the_empty_prompt_is_encoded_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards no encoder is loaded; other encoders in the same place are told apart, a damaged file is replaced."""
    folder = folder_of("flux", tmp_path)
    config = ModelConfig(family="flux", source=str(folder))
    first = empty_prompt(config)
    assert first is not None
    (kept,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(prompts, "encoded_prompt", lambda *_: pytest.fail("an encoder was loaded"))
        again = empty_prompt(config)
    assert again is not None
    assert torch.equal(again.tokens, first.tokens)
    assert again.pooled is not None
    assert first.pooled is not None
    assert torch.equal(again.pooled, first.pooled)

    kept.write_bytes(kept.read_bytes()[:100])
    repaired = empty_prompt(config)
    assert repaired is not None
    assert torch.equal(repaired.tokens, first.tokens)
    clip_encoder(16).save_pretrained(folder / "text_encoder")
    empty_prompt(config)
    assert len(list(cache.iterdir())) == 2


def test_a_text_is_encoded_and_not_kept(tmp_path: Path, cache: Path) -> None:
    config = ModelConfig(family="sd15", source=str(folder_of("sd15", tmp_path)))
    text, empty = encoded_prompt(config, "a"), encoded_prompt(config, "")
    assert not torch.equal(text.tokens, empty.tokens)
    assert not cache.exists()
    with pytest.raises(BackboneError, match="no text encoders"):
        encoded_prompt(ModelConfig(family="small"), "a")


def test_a_prompt_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    prompt = Prompt(torch.randn(1, 4, 8), torch.randn(1, 6))
    write_prompt(prompt, path)
    assert torch.equal(read_prompt(path).tokens, prompt.tokens)
    from safetensors.torch import save_file

    save_file({"tokens": torch.zeros(4, 8)}, path)
    with pytest.raises(BackboneError, match=r"'tokens' \[1, L, D\] is wanted, and it has tokens \[4, 8\]"):
        read_prompt(path)
    with pytest.raises(BackboneError, match="no such file with a prompt"):
        read_prompt(tmp_path / "none.safetensors")
    path.write_text("x")
    with pytest.raises(BackboneError, match="damaged or no safetensors file"):
        read_prompt(path)
