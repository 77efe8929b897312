"""Run a stage of training under accelerate, from the files of earlier stages. The command line and ablations use it."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...asasr.config import AsasrConfig, DataConfig
    from ...asasr.training.loop import Tell
    from ...asasr.training.stages import Place
    from ...asasr.training.validation import Measure
    from ...methods.train.gan import GanConfig

ADVERSARY_FILE = "adv.safetensors"


def require_images(data: DataConfig) -> None:
    """Check that there are enough images to train on, before torch is loaded.

    Raises:
        TrainingError: there are too few images.
    """
    from ...asasr.training.files import split_files

    if data.hq and data.lq is None:
        split_files([Path(folder) for folder in data.hq], data.held_out)


def after_prior(config: AsasrConfig, folder: Path) -> AsasrConfig:
    """Start from the prior in ``folder``, unless the configuration names a prior or the folder has none."""
    from ...asasr.config import MODEL_FILE, load_config

    trained = folder / MODEL_FILE
    if config.model.weights is not None or "sr" in config.model.adapters or not trained.exists():
        return config
    model = load_config(trained).model
    files = {"weights": model.weights, "adapters": {**model.adapters, **config.model.adapters}}
    return config.model_copy(update={"model": config.model.model_copy(update=files)})


def with_adversary(config: AsasrConfig, folder: Path) -> AsasrConfig:
    """Use the adversary in ``folder``, unless the configuration names an adversary or the folder has none."""
    trained = folder / ADVERSARY_FILE
    if "adv" in config.model.adapters or not trained.exists():
        return config
    adapters = {**config.model.adapters, "adv": str(trained.resolve())}
    return config.model_copy(update={"model": config.model.model_copy(update={"adapters": adapters})})


def without_adversary(config: AsasrConfig) -> AsasrConfig:
    """Remove the adversary from a configuration, so that a stage that does not use it does not depend on its file."""
    adapters = {role: path for role, path in config.model.adapters.items() if role != "adv"}
    return config.model_copy(update={"model": config.model.model_copy(update={"adapters": adapters})})


def run_stage(
    run: Callable[[Place], Path],
    config: AsasrConfig | GanConfig,
    stage: str,
    folder: Path,
    device: str,
    tell: Tell | None = None,
) -> tuple[Path, bool]:
    """Run one stage under accelerate.

    Args:
        run: trains the stage in a folder and returns the trained file.
        config: configuration with the stage's settings.
        stage: name of the section with the settings, such as ``preference``.
        folder: folder for the trained file, checkpoints and logs.
        device: ``cpu``, or ``auto`` for the devices that accelerate finds.
        tell: called by the main process with the step, the number of steps and the mean losses.

    Returns:
        The trained file, and whether this is the main process.

    Raises:
        TrainingConfigError: the configuration has no such stage.
    """
    from ...asasr.errors import TrainingConfigError
    from ...asasr.training.trackers import TRACKER_FOLDER, require_trackers

    settings: Any = getattr(config, stage)
    if settings is None:
        raise TrainingConfigError(f"{config.name}: has no section '{stage}' in this arm; there is nothing to train")
    require_trackers(settings.trackers)

    from accelerate import Accelerator, PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import ProjectConfiguration

    from ...asasr.precision import training_precision
    from ...asasr.training.stages import Place

    AcceleratorState._reset_state()  # the process has a single state, and the last stage may have had another precision
    cpu = device == "cpu"
    precision = training_precision(settings.precision, PartialState(cpu=cpu).device.type)
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=precision,
        log_with=list(settings.trackers) or None,
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder / TRACKER_FOLDER)),
    )
    metrics = validation_metrics(accelerator.device) if getattr(settings, "validate_every", 0) else {}
    path = run(Place(folder, accelerator, tell if accelerator.is_main_process else None, metrics))
    accelerator.end_training()
    return path, bool(accelerator.is_main_process)


def validation_metrics(device: Any) -> dict[str, Measure]:
    """PSNR-Y and SSIM-Y of the protocol ``asasr``, and LPIPS (AlexNet) if its weights are on this machine."""
    from functools import partial

    from ..metrics.measure import measure_each
    from ..metrics.metric import Metric
    from ..metrics.metric_input import MetricInput
    from ..metrics.registry import get_metric
    from ..protocols import get_protocol

    protocol = get_protocol("asasr", None)

    def measure(metric: Metric, sr: Any, hr: Any) -> float:
        (score,) = measure_each(metric, [MetricInput(sr, hr, protocol)], str(device))
        if isinstance(score, ValueError):  # not defined for such an image
            return nan
        if isinstance(score, Exception):
            raise score
        return score.value

    ids = {"psnr_y": "psnr_y", "ssim_y": "ssim_y", "lpips": "lpips_alex"}
    metrics = {name: get_metric(id) for name, id in ids.items()}
    return {name: partial(measure, metric) for name, metric in metrics.items() if not metric.missing()}
