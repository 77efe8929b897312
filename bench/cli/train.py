"""``train``: the prior, the adversary and the preference policy of ASASR, the small GAN baseline, small referees.

Configurations are read before torch is loaded, so that a wrong one is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...reports.progress import training_progress
from .options.assignments import assignments
from .terminal import say

if TYPE_CHECKING:
    from ...asasr.config import AsasrConfig
    from ...asasr.training.stages import Place
    from ...methods.train.gan import GanConfig

app = typer.Typer(
    no_args_is_help=True,
    help="Train ASASR, the small GAN and small referees. Stopped at any moment, the same command goes on.",
)

ConfigArgument = Annotated[str, typer.Argument(help="flux-dev, sd15, sdxl, small, or a YAML file.")]
OutOption = Annotated[Path, typer.Option(help="Folder of the whole training; each stage has its own in it.")]
DataOption = Annotated[list[Path] | None, typer.Option(help="Folder of HQ images. Repeatable.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the file, such as prior.steps=100.")]
DeviceOption = Annotated[str, typer.Option(help="auto or cpu; several GPUs through 'accelerate launch'.")]


@app.command()
def prior(
    config: ConfigArgument,
    out: OutOption,
    data: DataOption = None,
    override: SetOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Supervised flow matching: the adapter, or the small network."""
    loaded = _load(config, data, override)
    from ...asasr.training.stages import train_prior

    _train(lambda place: train_prior(loaded, place), loaded, "prior", out / "prior", device)


@app.command()
def adversary(
    config: ConfigArgument,
    out: OutOption,
    data: DataOption = None,
    override: SetOption = None,
    device: DeviceOption = "auto",
) -> None:
    """The adversary, on outputs of its teachers.

    They are baseline methods, which restore images first, or finished folders.
    """
    from ..train.stages import after_prior

    loaded = after_prior(_load(config, data, override), out / "prior")
    from ...asasr.training.processes import Processes
    from ...asasr.training.stages import train_adversary
    from ..train.adversary_pairs import teacher_pairs

    def run(place: Place) -> Path:
        outputs, held_out = teacher_pairs(loaded, out / "teachers", Processes.of(place.accelerator))
        return train_adversary(loaded, outputs, place, held_out)

    _train(run, loaded, "adversary", out / "adversary", device)


@app.command()
def preference(
    config: ConfigArgument,
    out: OutOption,
    data: DataOption = None,
    override: SetOption = None,
    arm: Annotated[str | None, typer.Option(help="Arm of the ablation.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """AS-DPO of the policy against the prior."""
    from ..train.stages import after_prior, with_adversary

    loaded = after_prior(_load(config, data, override, arm), out / "prior")
    loaded = with_adversary(loaded, out / "adversary")
    from ...asasr.training.stages import train_preference

    _train(lambda place: train_preference(loaded, place), loaded, "preference", out / (arm or "preference"), device)


@app.command()
def gan(
    config: Annotated[str, typer.Argument(help="compact-gan, or a YAML file.")],
    out: OutOption,
    data: DataOption = None,
    override: SetOption = None,
    device: DeviceOption = "auto",
) -> None:
    """The small GAN baseline.

    A compact generator against a patch discriminator.
    """
    from ...methods.train.gan import load_gan_config, train_gan
    from ..train.stages import require_images

    loaded = load_gan_config(config, _overrides(data, override))
    require_images(loaded.data)
    _train(lambda place: train_gan(loaded, place), loaded, "gan", out / "gan", device)


@app.command()
def referee(
    name: Annotated[str, typer.Argument(help="camvid (segments streets) or toys (finds drawn toys).")],
    out: OutOption,
    data: Annotated[Path | None, typer.Option(help="camvid: folder with 'images' and their maps in 'labels'.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps, instead of the preset's.")] = None,
) -> None:
    """A small network that judges restored images (mIoU, AP)."""
    from dataclasses import replace

    from ...asasr.errors import TrainingConfigError
    from ..metrics.tasks.referees import REFEREES, own_file
    from ..train.referees.segmenter import CAMVID, train_segmenter
    from ..train.referees.toys import TOYS, train_detector

    if name not in REFEREES:
        raise TrainingConfigError(f"unknown referee '{name}' (known: {', '.join(REFEREES)})")
    if (name == "camvid") != (data is not None):
        raise TrainingConfigError("camvid needs --data, a folder with 'images' and 'labels'; toys draws its own scenes")
    with training_progress("referee") as tell:
        if data is None:
            path = train_detector(replace(TOYS, steps=steps or TOYS.steps), out, tell=tell)
        else:
            settings = replace(CAMVID, steps=steps or CAMVID.steps)
            path = train_segmenter(data / "images", data / "labels", settings, out, tell=tell)
    say(f"trained: {path}  (to use it, copy it to {own_file(name)})")


def _load(config: str, data: list[Path] | None, override: list[str] | None, arm: str | None = None) -> AsasrConfig:
    from ...asasr.config import load_config
    from ..train.stages import require_images

    loaded = load_config(config, _overrides(data, override), arm)
    require_images(loaded.data)
    return loaded


def _overrides(data: list[Path] | None, override: list[str] | None) -> dict[str, Any]:
    values = assignments(override, "--set")
    if data:
        values["data.hq"] = [str(folder) for folder in data]
    return values


def _train(
    run: Callable[[Place], Path], config: AsasrConfig | GanConfig, stage: str, folder: Path, device: str
) -> None:
    from ..train.stages import run_stage

    with training_progress(stage) as tell:
        path, main = run_stage(run, config, stage, folder, device, tell)
    if main:
        use = path if path.suffix == ".safetensors" else f"asasr:{path.parent}"
        say(f"trained: {path}  (use it as {use})")
