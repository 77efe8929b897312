"""Training: what is random, what changes, exact resume, every family end to end."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.config import AsasrConfig, load_config
from asasr_bench.asasr.errors import TrainingConfigError, TrainingError
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative, make_loser
from asasr_bench.asasr.training import loop
from asasr_bench.asasr.training.batches import Batch, Batches, DegradedCrops, PairedCrops, batch_stream
from asasr_bench.asasr.training.files import split_files
from asasr_bench.asasr.training.preference import PreferenceTask, direction_agreement
from asasr_bench.asasr.training.sources import training_pairs
from asasr_bench.asasr.training.stages import (
    Place,
    preference_of,
    train_adversary,
    train_preference,
    train_prior,
)
from asasr_bench.bench.cli.main import app
from asasr_bench.datasets.degradation.settings import preset
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.registry import resolve_and_load
from safetensors.torch import load_file
from tiny_networks import FAMILIES
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skimage import data

    folder = tmp_path_factory.mktemp("hq")
    photo = np.ascontiguousarray(data.astronaut())
    for number in range(4):
        write_png(folder / f"photo{number}.png", photo[100 * number :][:160, 120 : 120 + 160])
    return folder


def configuration(family: str, hq: Path, **changes: Any) -> AsasrConfig:
    stage = {
        "steps": 2,
        "batch": 2,
        "learning_rate": 1e-3,
        "warmup": 0,
        "save_minutes": 0,
        "log_every": 1,
        "workers": 0,
    }
    content: dict[str, Any] = {
        "name": family,
        "model": {"family": family, "rank": 4, "alpha": 4, **FAMILIES[family]},
        "data": {"hq": [str(hq)], "crop": 32 if family == "small" else 64, "margin": 8, "degradation": "stablesr-x4"},
        "prior": {**stage, "what": "network" if family == "small" else "sr"},
        "adversary": {**stage, "methods": ["bicubic"], "share": 1.0},
        "preference": {
            **stage, "beta": 50, "negatives": [
                {"kind": "lq", "own_noise": True}, {"kind": "adversary", "trust": 0.5},
                {"kind": "gradient", "radius": 0.5}, {"kind": "policy", "steps": 2},
            ],
        },
        "sampling": {"steps": 2, "colour_fix": "none"},
    }  # fmt: skip
    for key, value in changes.items():
        section, _, name = key.partition("__")
        content[section] = {**content[section], name: value}
    return AsasrConfig.model_validate(content)


def place(folder: Path) -> Place:
    return Place(folder, Accelerator(cpu=True))


def with_model(config: AsasrConfig, path: Path, **adapters: str) -> AsasrConfig:
    trained = load_config(path).model
    files = {"weights": trained.weights, "adapters": {**trained.adapters, **adapters}}
    return config.model_copy(update={"model": config.model.model_copy(update=files)})


def test_a_local_source_is_found_from_everywhere(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was trained on a network named relative to one working folder is restored from another."""
    base = build_model(configuration("sd15", hq).model)
    assert isinstance(base.codec, VaeCodec)
    base.backbone.network.save_pretrained(tmp_path / "models" / "base" / "unet")
    base.codec.vae.save_pretrained(tmp_path / "models" / "base" / "vae")
    monkeypatch.chdir(tmp_path)
    own = {"family": "sd15", "source": "models/base", "rank": 4, "alpha": 4}
    config = configuration("sd15", hq)
    config = config.model_copy(update={"model": config.model.model_validate(own)})
    train_prior(config, place(Path("runs/x/prior")))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    method = resolve_and_load("asasr:../runs/x/prior")
    assert method.restore(torch.rand(1, 3, 16, 16), 4, [0]).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_and_samples(
    family: str, hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prior, adversary, preference and restoring through the command line, from random weights.

    The folder is named relative to the working one, and the whole of it can be moved.
    """
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> str:
        result = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(configuration(family, hq).model_dump(mode="json")))
    for stage in ("prior", "adversary", "preference"):
        assert "trained:" in command("train", stage, file, "--out", "run")
    log = (tmp_path / "run" / "preference" / "log.csv").read_text().splitlines()
    assert len(log) == 3
    assert {"energy_winner", "accuracy_lq_1", "margin_adversary_2", "spectrum_gradient_3"} <= set(log[0].split(","))
    command("train", "preference", file, "--out", "run")  # finished: nothing is done
    assert (tmp_path / "run" / "preference" / "log.csv").read_text().splitlines() == log
    write_png(tmp_path / "lq.png", np.full((18, 21, 3), 90, np.uint8))
    (tmp_path / "run").rename(tmp_path / "moved")
    command("restore", "asasr:moved/preference", tmp_path / "lq.png", tmp_path / "sr.png")
    assert read_image(tmp_path / "sr.png").shape == (72, 84, 3)


def preference_task(config: AsasrConfig) -> tuple[PreferenceTask, Model]:
    model = build_model(config.model)
    model.new_adapter("adv")
    model.new_adapter("dpo")
    assert config.preference is not None
    return PreferenceTask(model.backbone, model.codec, model.adapters, preference_of(config.preference), 1e-3), model


def batch(size: int = 32, seed: int = 7) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(2, 3, size, size, generator=generator), torch.rand(2, 3, size // 4, size // 4), seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_the_start_the_policy_is_the_reference(family: str, hq: Path) -> None:
    """Bit for bit, so every loser's loss is log 2; then a step changes tensors of ``dpo`` alone."""
    task, model = preference_task(configuration(family, hq))
    loss, logs = task.loss("policy", {"policy": model.backbone}, batch(64))
    assert float(logs["energy_winner"]) == 0
    assert [float(value) for name, value in logs.items() if name.startswith("margin_") and "_sigma_" not in name] == [
        0.0
    ] * 4
    assert float(loss) == pytest.approx(4 * math.log(2), rel=1e-6)
    before = {name: one.clone() for name, one in model.backbone.state_dict().items()}
    loss.backward()
    torch.optim.SGD(loop.trainable(model.backbone), lr=1.0).step()
    changed = {name for name, one in model.backbone.state_dict().items() if not torch.equal(one, before[name])}
    assert changed
    assert all(".dpo." in name for name in changed)


@pytest.mark.parametrize("family", ["small", "flux"])
def test_all_weights_can_be_preferred(family: str, hq: Path, tmp_path: Path) -> None:
    """Against a copy that stays; what is written is a network that starts from there, and no adapter."""
    config = configuration(family, hq, preference__what="network")
    adversary = train_adversary(config, training_pairs(config.data), place(tmp_path / "adversary"))
    config = with_model(config, adversary)
    begun = build_model(config.model).adapters.network_weights()
    trained = load_config(train_preference(config, place(tmp_path / "policy"))).model
    ended = build_model(trained).adapters.network_weights()
    assert trained.weights is not None
    assert set(load_file(trained.weights)) == set(begun) == set(ended)
    assert all(torch.equal(load_file(trained.weights)[name], ended[name]) for name in ended)
    assert any(not torch.equal(begun[name], ended[name]) for name in ended)
    first = (tmp_path / "policy" / "log.csv").read_text().splitlines()[:2]
    logs = dict(zip(*(line.split(",") for line in first), strict=True))
    assert float(logs["energy_winner"]) == 0
    assert float(logs["loss"]) == pytest.approx(4 * math.log(2), rel=1e-5)


def test_several_negatives_share_one_forward(hq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration("small", hq, preference__negatives=[{"kind": "lq"}, {"kind": "lq", "trust": 0.5}])
    task, model = preference_task(config)
    batches: list[tuple[bool, int]] = []
    forward = model.backbone.forward
    monkeypatch.setattr(
        model.backbone, "forward",
        lambda state, *rest: batches.append((torch.is_grad_enabled(), len(state))) or forward(state, *rest),
    )  # fmt: skip
    task.loss("policy", {"policy": model.backbone}, batch())
    assert batches == [(True, 6), (False, 6)]


def test_trust_puts_the_loser_between_winner_and_negative(hq: Path) -> None:
    task, _ = preference_task(configuration("small", hq))
    pairing = task._pair(batch())
    full, part = (make_loser(Negative("lq", trust=trust), pairing) for trust in (1.0, 0.25))
    torch.testing.assert_close(full.clean, pairing.lq)
    torch.testing.assert_close(part.clean, 0.75 * pairing.winner + 0.25 * pairing.lq)
    assert torch.equal(part.noise, pairing.noise)
    step = make_loser(Negative("gradient", radius=0.3), pairing).clean - pairing.winner
    torch.testing.assert_close(pairing.operator.energy(step), torch.full((2,), 0.09), rtol=1e-4, atol=0)
    agreement = direction_agreement(pairing, make_loser(Negative("gradient"), pairing))
    torch.testing.assert_close(agreement, torch.ones(2), rtol=1e-3, atol=0)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("stage", ["prior", "preference"])
def test_a_killed_training_ends_as_an_undisturbed_one(
    stage: str, hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, after a stop in the middle of a step, and another while a state is being written."""
    changes = {f"{stage}__steps": 6, f"{stage}__accumulation": 2, f"{stage}__save_minutes": 0, f"{stage}__ema": 0.9}
    config = configuration("small", hq, preference__negatives=[{"kind": "lq"}, {"kind": "policy"}], **changes)
    if stage == "prior":
        config = config.model_copy(
            update={"prior": config.prior.model_copy(update={k.partition("__")[2]: v for k, v in changes.items()})}
        )
    train = train_prior if stage == "prior" else train_preference
    train(config, place(tmp_path / "whole"))

    def stop_at(step: int):
        def tell(now: int, steps: int, means: dict[str, float]) -> None:
            if now == step:
                raise _Killed

        return tell

    with pytest.raises(_Killed):
        train(config, Place(tmp_path / "cut", Accelerator(cpu=True), stop_at(3)))
    (tmp_path / "cut" / ".state-00000004.tmp").mkdir()
    (tmp_path / "cut" / ".state-00000004.tmp" / "half").write_text("")
    with pytest.raises(_Killed):
        train(config, Place(tmp_path / "cut", Accelerator(cpu=True), stop_at(5)))
    train(config, place(tmp_path / "cut"))
    name = "network.safetensors" if stage == "prior" else "dpo.safetensors"
    whole, cut = load_file(tmp_path / "whole" / name), load_file(tmp_path / "cut" / name)
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "cut" / "log.csv").read_text()


def test_a_moving_average_goes_on_where_the_network_is(
    hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state is read onto the CPU, and the average must follow the network to its device."""
    from diffusers.training_utils import EMAModel

    calls: list[str] = []

    def noted(name: str):
        own = getattr(EMAModel, name)

        def method(self, *args):
            calls.append(name)
            return own(self, *args)

        return method

    for name in ("load_state_dict", "to", "step"):
        monkeypatch.setattr(EMAModel, name, noted(name))
    train_prior(configuration("small", hq, prior__ema=0.9), place(tmp_path))
    calls.clear()
    train_prior(configuration("small", hq, prior__ema=0.9, prior__steps=3), place(tmp_path))
    read = calls.index("load_state_dict")
    assert "to" in calls[read : calls.index("step", read)]


def test_settings_of_a_running_training_are_kept(hq: Path, tmp_path: Path) -> None:
    train_prior(configuration("small", hq), place(tmp_path))
    with pytest.raises(TrainingError, match="other settings \\(learning_rate\\)"):
        train_prior(configuration("small", hq, prior__learning_rate=0.5), place(tmp_path))
    train_prior(configuration("small", hq, prior__steps=3), place(tmp_path))  # a constant schedule can go on
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-00000003"]


def test_a_loss_that_is_not_finite_stops_with_a_state(hq: Path, tmp_path: Path) -> None:
    config = configuration("small", hq, prior__steps=50, prior__learning_rate=1e30, prior__save_minutes=60)
    with pytest.raises(TrainingError, match="state before this step is saved"):
        train_prior(config, place(tmp_path))
    assert len(list(tmp_path.glob("state-*"))) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_in_one_line(workers: int, hq: Path, tmp_path: Path) -> None:
    (tmp_path / "hq").mkdir()
    (tmp_path / "hq" / "cut.png").write_bytes((hq / "photo0.png").read_bytes()[:2000])
    config = configuration("small", tmp_path / "hq", prior__workers=workers)
    with pytest.raises(TrainingError, match=r"^[^\n]*cut\.png: damaged or truncated[^\n]*$"):
        train_prior(config, place(tmp_path / "run"))


def test_batches_follow_from_seed_and_number_alone(hq: Path) -> None:
    files, held = split_files([hq], 1)
    assert (len(files), len(held)) == (3, 1)
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


def test_wrong_configurations_are_told(hq: Path, tmp_path: Path, session) -> None:
    with pytest.raises(TrainingConfigError, match="train adversary"):
        train_preference(configuration("small", hq), place(tmp_path))
    with pytest.raises(TrainingConfigError, match="'hub'"):
        train_prior(configuration("small", hq, data__hq=[]), place(tmp_path))
    pairs = training_pairs(configuration("small", hq).data)
    with pytest.raises(TrainingConfigError, match="no section 'adversary'"):
        train_adversary(configuration("small", hq).model_copy(update={"adversary": None}), pairs, place(tmp_path))
    for arguments, message in (
        (("small", "--set", "prior.stps=3"), "did you mean 'steps'"),
        (("nothing",), "no configuration 'nothing'"),
        (("small", "--set", "prior.steps"), "write KEY=VALUE"),
    ):
        told = session("train", "prior", *arguments, "--out", tmp_path / "x")
        assert (told.status, message in told.err) == (2, True)
    told = session("train", "preference", "small", "--arm", "fulll", "--out", tmp_path / "x")
    assert (told.status, "no arm 'fulll'" in told.err) == (2, True)


def test_a_disk_that_takes_no_more_is_told_and_training_goes_on(hq: Path, tmp_path: Path) -> None:
    """Files may not grow beyond a limit; without it the same call ends as an undisturbed training does."""
    config, before = configuration("small", hq), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"prior: cannot be written \(.*MiB are free there\); make room"):
            train_prior(config, place(tmp_path / "prior"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for name in ("prior", "undisturbed"):
        train_prior(config, place(tmp_path / name))
    first, second = (load_file(tmp_path / name / "network.safetensors") for name in ("prior", "undisturbed"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_configuration_is_read_without_torch() -> None:
    """Wrong ones are told at once."""
    code = "import sys; from asasr_bench.asasr.config import load_config; load_config('small'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert "torch" not in loaded
