"""Run stages of training: what each starts from, and where it runs. The command line and ablations share it."""

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
    """Have the images to train on counted before torch is loaded.

    Raises:
        TrainingError: there are too few.
    """
    from ...asasr.training.files import split_files

    if data.hq and data.lq is None:
        split_files([Path(folder) for folder in data.hq], data.held_out)


def after_prior(config: AsasrConfig, folder: Path) -> AsasrConfig:
    """Start from the prior that was trained into a folder, unless the configuration names one or there is none."""
    from ...asasr.config import MODEL_FILE, load_config

    trained = folder / MODEL_FILE
    if config.model.weights is not None or "sr" in config.model.adapters or not trained.exists():
        return config
    model = load_config(trained).model
    files = {"weights": model.weights, "adapters": {**model.adapters, **config.model.adapters}}
    return config.model_copy(update={"model": config.model.model_copy(update=files)})


def with_adversary(config: AsasrConfig, folder: Path) -> AsasrConfig:
    """Use the adversary that was trained into a folder, unless the configuration names one or there is none."""
    trained = folder / ADVERSARY_FILE
    if "adv" in config.model.adapters or not trained.exists():
        return config
    adapters = {**config.model.adapters, "adv": str(trained.resolve())}
    return config.model_copy(update={"model": config.model.model_copy(update={"adapters": adapters})})


def without_adversary(config: AsasrConfig) -> AsasrConfig:
    """Name no adversary, so that its file can neither be missing nor change what does not use it."""
    adapters = {role: path for role, path in config.model.adapters.items() if role != "adv"}
    return config.model_copy(update={"model": config.model.model_copy(update={"adapters": adapters})})


def run_stage(
    run: Callable[[Place], Path], config: AsasrConfig | GanConfig, stage: str, folder: Path, device: str,
    tell: Tell | None = None,
) -> tuple[Path, bool]:  # fmt: skip
    """Run one stage under accelerate.

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

    AcceleratorState._reset_state()  # it is one for the process, and the last stage may have had another precision
    cpu = device == "cpu"
    precision = training_precision(settings.precision, PartialState(cpu=cpu).device.type)
    accelerator = Accelerator(
        cpu=cpu, mixed_precision=precision, log_with=list(settings.trackers) or None,
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder / TRACKER_FOLDER)),
    )  # fmt: skip
    metrics = validation_metrics(accelerator.device) if getattr(settings, "validate_every", 0) else {}
    path = run(Place(folder, accelerator, tell if accelerator.is_main_process else None, metrics))
    accelerator.end_training()
    return path, bool(accelerator.is_main_process)


def validation_metrics(device: Any) -> dict[str, Measure]:
    """PSNR-Y and SSIM-Y of the protocol ``asasr``, and LPIPS (AlexNet) where its weights are."""
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
