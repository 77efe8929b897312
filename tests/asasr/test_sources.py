"""Where training pairs come from: mixed sources, sharpened HQ, images that are held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.asasr.config import AsasrConfig, DataConfig, load_config
from asasr_bench.asasr.errors import TrainingConfigError, TrainingError
from asasr_bench.asasr.training.batches import MixedPairs, PairedCrops
from asasr_bench.asasr.training.sharpening import unsharp_mask
from asasr_bench.asasr.training.sources import held_out_images, identity_of_images, training_pairs
from asasr_bench.datasets.images import write_png
from scipy.ndimage import correlate1d


def data(**keys: Any) -> DataConfig:
    content = {"name": "x", "model": {"family": "small"}, "data": {"crop": 32, "degradation": "stablesr-x4", **keys}}
    return AsasrConfig.model_validate(content).data


@pytest.fixture
def folders(tmp_path: Path, rng: np.random.Generator) -> Path:
    """HQ images that are bright, and pairs that are dark."""
    for number in range(5):
        write_png(tmp_path / "bright" / f"{number}.png", rng.integers(200, 256, (112, 112, 3), dtype=np.uint8))
        hq = rng.integers(0, 50, (96, 64, 3), dtype=np.uint8)
        write_png(tmp_path / "dark" / f"{number}.png", hq)
        write_png(tmp_path / "dark-lq" / f"{number}.png", np.ascontiguousarray(hq[::4, ::4]))
    return tmp_path


def both(folders: Path, weight: float = 3.0) -> list[dict[str, Any]]:
    return [
        {"hq": [str(folders / "bright")]},
        {"hq": [str(folders / "dark")], "lq": str(folders / "dark-lq"), "weight": weight},
    ]


def test_sources_are_mixed_by_weight(folders: Path) -> None:
    pairs = training_pairs(data(sources=both(folders)))
    assert isinstance(pairs, MixedPairs)
    hq, lq = pairs.draw(200, np.random.default_rng(0))
    assert (hq.shape, lq.shape) == ((200, 3, 32, 32), (200, 3, 8, 8))
    dark = hq.mean((1, 2, 3)) < 0.5
    torch.testing.assert_close(dark, lq.mean((1, 2, 3)) < 0.5)  # LQ goes with its HQ
    assert float(dark.float().mean()) == pytest.approx(0.75, abs=0.1)
    again, _ = pairs.draw(200, np.random.default_rng(0))
    assert torch.equal(hq, again)


def test_sources_of_a_file_start_from_its_folder(folders: Path) -> None:
    (folders / "mixed.yaml").write_text(
        "name: x\nmodel: {family: small}\ndata:\n  crop: 32\n  degradation: stablesr-x4\n"
        "  sources: [{hq: [bright]}, {hq: [dark], lq: dark-lq, weight: 2}]\n"
        "adversary: {steps: 1, learning_rate: 1.0, outputs: [{sr: dark, lq: dark-lq}]}\n"
    )
    config = load_config(folders / "mixed.yaml")
    assert len(training_pairs(config.data).sources) == 2
    assert config.adversary is not None
    assert config.adversary.outputs[0].sr == str(folders / "dark")


def test_sources_that_contradict_each_other_are_told(folders: Path) -> None:
    for keys, message in (
        ({"sources": both(folders), "hq": ["x"]}, "not both"),
        ({}, "'hub'"),
        ({"sources": [{"lq": "x"}]}, "'hub'"),
        ({"hq": [str(folders / "dark")], "crop": 16, "sharpen": True}, "needs crops of 26"),
        ({"hq": ["a", "b"], "lq": "c"}, "exactly one folder"),
    ):
        with pytest.raises(TrainingConfigError, match=message):
            training_pairs(data(**keys))
    with pytest.raises(TrainingError, match="5 images are too few, 6 are needed"):
        training_pairs(data(hq=[str(folders / "dark")], lq=str(folders / "dark-lq"), held_out=5))


def test_held_out_images_come_from_each_source_in_turn_and_are_not_trained_on(folders: Path) -> None:
    config = data(sources=both(folders), held_out=2)
    images = held_out_images(config, 3)
    assert [float(image.hq.mean()) > 0.5 for image in images] == [True, False, True]
    assert {(tuple(image.hq.shape), tuple(image.lq.shape)) for image in images} == {((3, 32, 32), (3, 8, 8))}
    torch.testing.assert_close(images[1].hq[:, ::4, ::4], images[1].lq)  # as the pair was made
    again = held_out_images(config, 3)
    assert all(torch.equal(one.lq, two.lq) for one, two in zip(images, again, strict=True))
    degraded, paired = training_pairs(config).sources
    names = {path.stem for path in degraded.files}
    assert len(names) == len(paired.files) == 3
    assert not {images[0].name, images[2].name} & names
    assert images[1].name not in {hq.stem for hq, _ in paired.files}
    with pytest.raises(TrainingConfigError, match=r"set data\.held_out"):
        held_out_images(data(sources=both(folders)), 3)


def test_rows_of_the_hub_are_held_out(tmp_path: Path, rng: np.random.Generator) -> None:
    hub = pytest.importorskip("datasets", reason="datasets is not installed")
    for number in range(3):
        pixels = np.full((32, 32, 3), 50 * number, np.uint8)
        write_png(tmp_path / f"{number}.png", pixels)
        write_png(tmp_path / f"{number}-lq.png", np.ascontiguousarray(pixels[::4, ::4]))
    rows = hub.Dataset.from_dict({
        "hq": [str(tmp_path / f"{number}.png") for number in range(3)],
        "lq": [str(tmp_path / f"{number}-lq.png") for number in range(3)],
    })  # fmt: skip
    rows.cast_column("hq", hub.Image()).cast_column("lq", hub.Image()).to_parquet(tmp_path / "set" / "train.parquet")
    config = data(hub=str(tmp_path / "set"), held_out=1)
    (image,) = held_out_images(config, 4)
    assert float(image.hq.mean()) == pytest.approx(100 / 255)
    hq, _ = training_pairs(config).draw(40, rng)
    assert sorted(set((hq.mean((1, 2, 3)) * 255).round().int().tolist())) == [0, 50]
    with pytest.raises(TrainingError, match="3 rows are too few"):
        training_pairs(data(hub=str(tmp_path / "set"), held_out=3))


def test_the_unsharp_mask_is_real_esrgans(rng: np.random.Generator) -> None:
    """Against scipy's correlation with mirrored edges, with the formulas of the paper's code."""
    from skimage import data as photos

    image = photos.astronaut()[100:180, 100:170].astype(np.float64) / 255
    position = np.arange(51) - 25
    kernel = np.exp(-(position**2) / (2 * 8.0**2))  # OpenCV: 0.3 * ((51 - 1) * 0.5 - 1) + 0.8 = 8
    kernel /= kernel.sum()

    def blurred(planes: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(planes, kernel, 0, mode="mirror"), kernel, 1, mode="mirror")

    residual = image - blurred(image)
    soft = blurred((np.abs(residual) * 255 > 10).astype(np.float64))
    expected = soft * np.clip(image + 0.5 * residual, 0, 1) + (1 - soft) * image
    ours = unsharp_mask(torch.from_numpy(image).movedim(-1, 0)[None])[0].movedim(0, -1).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    assert np.abs(expected - image).max() > 0.05
    flat = torch.full((1, 3, 30, 30), 0.4)
    torch.testing.assert_close(unsharp_mask(flat), flat)


def test_sharpened_winners(folders: Path) -> None:
    """The same crops, sharpened; LQ of pairs stays as it is."""
    keys = {"hq": [str(folders / "dark")], "lq": str(folders / "dark-lq")}
    plain, sharp = (training_pairs(data(**keys, sharpen=sharpen)) for sharpen in (False, True))
    assert isinstance(sharp, PairedCrops)
    (hq, lq), (harder, same) = (pairs.draw(3, np.random.default_rng(1)) for pairs in (plain, sharp))
    torch.testing.assert_close(harder, unsharp_mask(hq))
    assert torch.equal(lq, same)
    degraded = [training_pairs(data(hq=[str(folders / "bright")], sharpen=sharpen)) for sharpen in (False, True)]
    (hq, lq), (harder, other) = (pairs.draw(3, np.random.default_rng(1)) for pairs in degraded)
    assert not torch.equal(hq, harder)
    assert not torch.equal(lq, other)  # made from what is sharpened
    (image,) = held_out_images(data(hq=[str(folders / "bright")], held_out=1, sharpen=True), 1)
    (blunt,) = held_out_images(data(hq=[str(folders / "bright")], held_out=1), 1)
    assert not torch.equal(image.hq, blunt.hq)


def test_images_have_an_identity(folders: Path, rng: np.random.Generator) -> None:
    before = identity_of_images(data(sources=both(folders)))
    assert before == identity_of_images(data(sources=both(folders)))
    write_png(folders / "bright" / "new.png", rng.integers(0, 256, (99, 99, 3), dtype=np.uint8))
    after = identity_of_images(data(sources=both(folders)))
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_a_degradation_serves_other_scales(folders: Path) -> None:
    hq, lq = training_pairs(data(hq=[str(folders / "bright")], scale=2)).draw(2, np.random.default_rng(0))
    assert (hq.shape, lq.shape) == ((2, 3, 32, 32), (2, 3, 16, 16))
    (image,) = held_out_images(data(hq=[str(folders / "bright")], scale=2, held_out=1), 1)
    assert image.lq.shape == (3, 16, 16)
