"""Batches of a training: where they come from, what they follow from, what is done once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.config import AsasrConfig
from asasr_bench.asasr.errors import TrainingConfigError, TrainingError
from asasr_bench.asasr.training.batches import Batches, DegradedCrops, PairedCrops, batch_stream
from asasr_bench.asasr.training.files import split_files
from asasr_bench.asasr.training.sources import training_pairs
from asasr_bench.asasr.training.stages import (
    train_prior,
)
from asasr_bench.datasets.degradation.settings import preset
from asasr_bench.datasets.images import write_png
from safetensors.torch import load_file
from tiny_training import configuration, place


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_in_one_line(workers: int, hq: Path, tmp_path: Path) -> None:
    (tmp_path / "hq").mkdir()
    (tmp_path / "hq" / "cut.png").write_bytes((hq / "photo0.png").read_bytes()[:2000])
    config = configuration("small", tmp_path / "hq", prior__workers=workers)
    with pytest.raises(TrainingError, match=r"^[^\n]*cut\.png: damaged or truncated[^\n]*$"):
        train_prior(config, place(tmp_path / "run"))


def test_batches_follow_from_seed_and_number_alone(hq: Path) -> None:
    files, held = split_files([hq], 1)
    assert (len(files), len(held)) == (4, 1)
    pairs = DegradedCrops(files, preset("stablesr-x4"), crop=32, margin=8)
    straight = list(batch_stream(Batches(pairs, 2, seed=3), range(4)))
    ahead = list(batch_stream(Batches(pairs, 2, seed=3), range(2, 4), workers=2))
    for first, second in zip(straight[2:], ahead, strict=True):
        assert torch.equal(first.hq, second.hq)
        assert torch.equal(first.lq, second.lq)
        assert first.seed == second.seed
    other = next(iter(batch_stream(Batches(pairs, 2, seed=3, rank=1), range(1))))
    assert not torch.equal(other.hq, straight[0].hq)
    assert (straight[0].hq.shape, straight[0].lq.shape) == ((2, 3, 32, 32), (2, 3, 8, 8))


def test_prepared_pairs_stay_aligned(tmp_path: Path, rng: np.random.Generator) -> None:
    hq = rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    lq = hq.reshape(16, 4, 12, 4, 3).mean((1, 3)).round().astype(np.uint8)
    write_png(tmp_path / "hq" / "a.png", hq)
    write_png(tmp_path / "lq" / "a.png", lq)
    large, small = PairedCrops(tmp_path / "hq", tmp_path / "lq", crop=16, scale=4).draw(16, rng)
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(large, 4), small, atol=0.51 / 255, rtol=0)
    write_png(tmp_path / "lq" / "b.png", lq)
    with pytest.raises(TrainingError, match="without a partner: b"):
        PairedCrops(tmp_path / "hq", tmp_path / "lq", crop=16, scale=4)


def test_rows_of_a_hub_dataset(tmp_path: Path, rng: np.random.Generator) -> None:
    hub = pytest.importorskip("datasets", reason="datasets is not installed")
    hq = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_png(tmp_path / "hq.png", hq)
    write_png(tmp_path / "lq.png", hq[::4, ::4].copy())
    rows = hub.Dataset.from_dict({"big": [str(tmp_path / "hq.png")], "tiny": [str(tmp_path / "lq.png")]})
    rows = rows.cast_column("big", hub.Image()).cast_column("tiny", hub.Image())
    rows.to_parquet(tmp_path / "set" / "train.parquet")
    config = {"hub": str(tmp_path / "set"), "columns": ["big", "tiny"], "crop": 16}
    pairs = training_pairs(AsasrConfig.model_validate({"name": "x", "model": {"family": "small"}, "data": config}).data)
    large, small = pairs.draw(2, rng)
    assert (large.shape, small.shape) == ((2, 3, 16, 16), (2, 3, 4, 4))


def test_latents_are_encoded_once(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    moments = VaeCodec.moments
    monkeypatch.setattr(VaeCodec, "moments", lambda self, images: calls.append(len(images)) or moments(self, images))
    config = configuration("sd15", hq, data__cached=70)
    train_prior(config, place(tmp_path / "prior"))
    encoded = sum(calls)
    assert encoded == 140
    (second_file,) = (tmp_path / "latents").glob("*/00001.safetensors")
    second_file.unlink()  # a stop between two files
    train_prior(config, place(tmp_path / "again"))
    assert sum(calls) == encoded + 2 * 6
    first, second = (load_file(tmp_path / name / "sr.safetensors") for name in ("prior", "again"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    train_prior(configuration("sd15", hq, data__cached=2, data__crop=128), place(tmp_path / "other"))
    assert sum(calls) == encoded + 2 * 6 + 2 * 2  # others, beside them
    with pytest.raises(TrainingConfigError, match="no VAE"):
        train_prior(configuration("small", hq, data__cached=70), place(tmp_path / "small"))
