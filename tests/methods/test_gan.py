"""The small GAN: what its losses see, and its training from the command line to a method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from asasr_bench.asasr.errors import TrainingConfigError, TrainingError
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.stages import Place
from asasr_bench.methods.registry import resolve_and_load
from asasr_bench.methods.train.compact_gan import (
    CompactGanTask,
    PatchDiscriminator,
    compact_generator,
    out_of_phase,
    structure_distance,
    texture_distance,
)
from asasr_bench.methods.train.gan import GanConfig, load_gan_config, train_gan
from asasr_bench.methods.train.perceptual import LAYER_WEIGHTS, PerceptualDistance
from asasr_bench.methods.weights.files import WeightsError
from safetensors.torch import load_file
from tiny_training import STAGE, data_section, write_photos
from torch.nn import functional


@pytest.fixture
def hq(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "hq", 3)


def configuration(hq: Path, **changes: object) -> GanConfig:
    return GanConfig.model_validate({
        "name": "tiny", "generator": {"width": 8, "depth": 2}, "discriminator": {"width": 8},
        "data": data_section(hq), "gan": {**STAGE, "steps": 4, **changes},
    })  # fmt: skip


def test_texture_is_how_much_of_each_frequency_not_where() -> None:
    """White noise of equal strength is near; blur and a missing texture are far, though a mean would be as wrong."""
    generator = torch.Generator().manual_seed(0)
    noise, other = (0.5 + 0.1 * torch.randn(2, 3, 64, 64, generator=generator) for _ in range(2))
    flat = torch.full_like(noise, 0.5)
    assert float(texture_distance(noise, noise)) == 0
    assert float(texture_distance(other, noise)) < 0.5 * float(texture_distance(flat, noise))
    assert functional.mse_loss(other, noise) > functional.mse_loss(flat, noise)


def test_structure_is_where_gradients_are() -> None:
    """Grey images against the similarity map of our GMSD, which is compared with pyiqa's; the border is left out."""
    from asasr_bench.bench.metrics import structural

    planes = np.random.default_rng(0).random((2, 48, 64))
    sr, hr = (torch.from_numpy(plane).float().expand(1, 3, -1, -1) for plane in planes)
    lacking = []
    for size in (1, 2):
        a, b = (structural._gradient(structural._pooled(255 * plane, size), (1 / 3, 1 / 3, 1 / 3)) for plane in planes)
        similarity = structural._alike(a, b, structural._GMSD_CONSTANT)[1:-1, 1:-1]
        lacking.append(((1 - similarity) ** 2).mean() ** 0.5)
    assert float(structure_distance(sr, hr)) == pytest.approx(np.mean(lacking), abs=1e-4)
    assert float(structure_distance(sr, sr)) == pytest.approx(0, abs=1e-3)
    red = sr.clone()
    red[:, 0] = hr[:, 0]
    assert float(structure_distance(red, sr)) == pytest.approx(np.mean(lacking) / 3**0.5, abs=1e-3)


def test_every_convolution_of_the_discriminator_has_spectral_norm_one() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8)
    for _ in range(200):  # the power iteration moves a step with each forward
        discriminator(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    layers = [layer for layer in discriminator.layers if isinstance(layer, torch.nn.Conv2d)]
    assert len(layers) == 5
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_a_new_generator_prints_no_grid() -> None:
    """What it adds to the enlargement is the same at all 16 places of a pixel shuffle's block."""
    lq = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        added = compact_generator(8, 2)(lq) - functional.interpolate(lq, scale_factor=4, mode="nearest")
    blocks = added.unfold(2, 4, 4).unfold(3, 4, 4)
    assert blocks.std((-1, -2)).max() < 1e-6
    assert added.std() > 1e-3


def test_judges_see_every_phase_of_the_same_part_of_all_images() -> None:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    image = (100 * rows + columns).expand(1, 1, -1, -1)
    phases = set()
    for seed in range(1000):
        first, second = out_of_phase(seed, image, image + 1)
        assert first.shape == (1, 1, 24, 24)
        assert torch.equal(first + 1, second)
        phases.add(divmod(int(first[0, 0, 0, 0]), 100))
    assert phases == {(top, left) for top in range(8) for left in range(8)}


def vgg16_features() -> torch.nn.Sequential:
    """torchvision's convolutional part with random weights, without the 120 million of the classifier."""
    from torchvision.models import vgg

    torch.manual_seed(0)
    return vgg.make_layers(vgg.cfgs["D"]).eval()


def distance_of(features: torch.nn.Sequential) -> PerceptualDistance:
    return PerceptualDistance({f"features.{name}": value.clone() for name, value in features.state_dict().items()})


def test_the_perceptual_distance_is_that_of_features_before_activation() -> None:
    """Against hooks on torchvision's own network; gradients flow into SR alone."""
    network = vgg16_features()
    seen: dict[int, list[torch.Tensor]] = {index: [] for index in LAYER_WEIGHTS}
    for index in LAYER_WEIGHTS:
        network[index].register_forward_hook(lambda _, __, output, i=index: seen[i].append(output.clone()))
    sr = torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1)).requires_grad_()
    hr = sr.detach().flip(-1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        for image in (sr, hr):
            network((image - mean) / std)
    expected = sum(weight * (seen[i][0] - seen[i][1]).abs().mean() for i, weight in LAYER_WEIGHTS.items())
    distance = distance_of(network)
    value = distance(sr, hr)
    assert value.item() == pytest.approx(float(expected), rel=1e-5)
    assert distance(hr, hr).item() == 0
    value.backward()
    assert sr.grad is not None
    assert all(parameter.grad is None for parameter in distance.parameters())


def test_the_perceptual_distance_joins_the_loss(hq: Path) -> None:
    generator, discriminator = compact_generator(8, 2), PatchDiscriminator(8)
    weights = {"texture": 0.02, "structure": 1.0, "adversarial": 0.01}
    batch = Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 8, 8), seed=1)
    modules = {"generator": generator, "discriminator": discriminator}
    without, _ = CompactGanTask(generator, discriminator, 1e-3, **weights).loss("generator", modules, batch)
    task = CompactGanTask(
        generator, discriminator, 1e-3, **weights, perceptual=2.0, distance=distance_of(vgg16_features())
    )
    loss, logs = task.loss("generator", modules, batch)
    # the discriminator's power iteration moves its judgement a little between the two
    assert loss.item() - 2 * logs["perceptual"].item() == pytest.approx(without.item(), abs=0.02)


def test_training_without_the_weights_of_the_distance_says_how_to_get_them(
    hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ASASR_BENCH_WEIGHTS", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match=r"vgg16.* is missing; get it with 'asasr-bench weights fetch vgg16'"):
        train_gan(configuration(hq, perceptual=1), Place(tmp_path / "run", Accelerator(cpu=True)))


def test_each_player_trains_its_own_network_alone() -> None:
    generator, discriminator = compact_generator(8, 2), PatchDiscriminator(8)
    task = CompactGanTask(generator, discriminator, 1e-3, texture=0.02, structure=1.0, adversarial=0.01)
    batch = Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 8, 8), seed=1)
    modules = {"generator": generator, "discriminator": discriminator}
    loss, _ = task.loss("generator", modules, batch)
    loss.backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    generator.zero_grad()
    loss, logs = task.loss("discriminator", modules, batch)
    loss.backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())
    assert float(loss) == pytest.approx(2, abs=0.5)  # a hinge that knows nothing yet: 1 for real, 1 for fake
    assert logs.keys() == {"discriminator", "real", "fake"}


def test_a_killed_training_ends_as_an_undisturbed_one(hq: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def stop(step: int, steps: int, means: dict[str, float]) -> None:
        if step == 3:
            raise Killed

    whole = train_gan(configuration(hq, ema=0.9), Place(tmp_path / "whole", Accelerator(cpu=True)))
    with pytest.raises(Killed):
        train_gan(configuration(hq, ema=0.9), Place(tmp_path / "cut", Accelerator(cpu=True), stop))
    cut = train_gan(configuration(hq, ema=0.9), Place(tmp_path / "cut", Accelerator(cpu=True)))
    first, second = load_file(whole), load_file(cut)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "cut" / "log.csv").read_text()


def test_what_the_command_trains_is_a_method(hq: Path, tmp_path: Path, command) -> None:
    small = [f"{key}={value}" for key, value in {
        "generator.width": 8, "generator.depth": 2, "discriminator.width": 8, "data.crop": 32, "data.margin": 8,
        "data.held_out": 0, "gan.steps": 1, "gan.batch": 1, "gan.workers": 0,
    }.items()]  # fmt: skip
    options = [part for text in small for part in ("--set", text)]
    command("train", "gan", "compact-gan", "--data", hq, "--out", "run", "--device", "cpu", *options)
    method = resolve_and_load(str(tmp_path / "run" / "gan" / "generator.safetensors"))
    assert method.restore(torch.rand(1, 3, 8, 8), 4, [0]).shape == (1, 3, 32, 32)


def test_a_training_goes_on_from_a_weight_file(hq: Path, tmp_path: Path) -> None:
    begun = train_gan(configuration(hq), Place(tmp_path / "begun", Accelerator(cpu=True)))
    onward = configuration(hq, steps=1, learning_rate=1e-9)
    onward = onward.model_copy(update={"generator": onward.generator.model_copy(update={"weights": str(begun)})})
    first, second = load_file(begun), load_file(train_gan(onward, Place(tmp_path / "on", Accelerator(cpu=True))))
    assert all(torch.allclose(first[key], second[key], atol=1e-6) for key in first)
    wider = onward.model_copy(update={"generator": onward.generator.model_copy(update={"width": 9})})
    with pytest.raises(TrainingError, match=r"no weights of a compact generator of width 9, depth 2 and scale 4"):
        train_gan(wider, Place(tmp_path / "wider", Accelerator(cpu=True)))


@pytest.mark.slow
def test_the_shipped_gan_beats_bicubic_on_set14(shared: Path, tmp_path: Path) -> None:
    """In spectrum, edges and features, paired over the images, under the degradation that it was trained for."""
    from asasr_bench import evaluate, open_store
    from asasr_bench.bench.analysis.statistics import paired

    evaluate(
        "realsr", tmp_path / "store", datasets=[f"Set14={shared / 'data' / 'Set14' / 'HR'}"], device="cpu",
        lq_rule="degradation:stablesr-x4", methods=["bicubic", "compact-gan"], metrics=["lsd", "gmsd", "fsim"],
    )  # fmt: skip
    with open_store(tmp_path / "store") as store:
        table = store.scores().pivot(index=["metric", "method"], columns="image", values="value")
    for metric, sign in (("lsd", -1), ("gmsd", -1), ("fsim", 1)):
        found = paired(table.loc[metric, "compact-gan"].to_numpy(), table.loc[metric, "bicubic"].to_numpy())
        assert sign * found.difference > 0
        assert found.p < 0.05


def test_wrong_keys_are_told() -> None:
    with pytest.raises(TrainingConfigError, match=r"'gan\.textur': unknown key; did you mean 'texture'"):
        load_gan_config("compact-gan", {"gan.textur": 1})
    with pytest.raises(
        TrainingConfigError, match=r"no configuration 'compact': neither a file nor shipped \(compact-gan\)"
    ):
        load_gan_config("compact")
