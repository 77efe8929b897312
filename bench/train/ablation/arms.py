"""Train the prior, the adversary and the policy of each arm; what several arms share is trained once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....datasets.degradation.settings import preset
from ....datasets.errors import BenchError
from ....datasets.images import file_digest, write_atomically
from ...execute.prepare_inputs import Progress
from ...store.keys import digest
from ..stages import ADVERSARY_FILE, after_prior, require_images, run_stage, with_adversary, without_adversary
from .spec import AblationSpec, Arm

if TYPE_CHECKING:
    from ....asasr.config import AsasrConfig
    from ....asasr.training.settings import TrainingSettings

HELD_OUT = "held-out"
"""Name of the dataset of images that training leaves out."""
_RECIPE = "recipe.json"
_DIGITS = 8


@dataclass(frozen=True)
class TrainingContext:
    """Folder, device and callbacks with which a study trains."""

    out: Path
    """Folder of the study."""
    device: str = "auto"
    train: bool = True
    """False: a stage that is not trained yet is an error."""
    tell: Callable[[str], None] = lambda message: None
    """Called with the name of the arm or stage when its training starts."""
    progress: Progress | None = None
    """Called with the name of the arm or stage, the number of steps done and the number of all steps."""


class MissingArmError(BenchError, RuntimeError):
    """An arm is not trained, and training is switched off."""


def arm_config(spec: AblationSpec, arm: Arm, seed: int) -> AsasrConfig:
    """The configuration of one arm.

    Raises:
        TrainingConfigError: a key or value that a configuration cannot have.
    """
    from ....asasr.config import load_config

    overrides: dict[str, Any] = {
        **_trained_already(spec),
        **spec.set,
        **({"data.hq": list(spec.data)} if spec.data else {}),
    }
    overrides |= arm.changes or {}
    config = load_config(spec.config, overrides, arm.config_arm)
    if config.preference is not None:
        config = config.model_copy(update={"preference": config.preference.model_copy(update={"seed": seed})})
    return config


def held_out_images(spec: AblationSpec, out: Path) -> Path:
    """A folder with copies of the images that training leaves out.

    Raises:
        TrainingError: no images are left out.
        TrainingConfigError: the configuration names no folders of HQ images, or leaves no image out.
    """
    from ....asasr.errors import TrainingConfigError
    from ....asasr.training.files import split_files

    data = arm_config(spec, Arm("", None), 0).data
    if not data.hq or not data.held_out:
        raise TrainingConfigError(
            f"{spec.name}: the dataset '{HELD_OUT}' needs HQ folders (--data) of which 'data.held_out' images are kept"
        )
    folder = out / HELD_OUT
    for path in split_files([Path(name) for name in data.hq], data.held_out)[1]:
        write_atomically(folder / path.name, path.read_bytes())
    return folder


def _trained_already(spec: AblationSpec) -> dict[str, Any]:
    """Keys of the configuration that name the prior and the adversary that the study does not train itself."""
    from ....asasr.config import load_config
    from ....asasr.errors import TrainingConfigError
    from ....methods.asasr import find_model, shipped_adapter

    changes: dict[str, Any] = {}
    if spec.prior is not None:
        model = load_config(find_model(spec.prior)).model
        changes["model.weights"] = model.weights
        changes |= {f"model.adapters.{role}": path for role, path in model.adapters.items() if role == "sr"}
    if spec.adversary is not None:
        path = Path(spec.adversary) if Path(spec.adversary).is_file() else shipped_adapter(spec.adversary)
        if path is None:
            raise TrainingConfigError(f"{spec.name}: adversary '{spec.adversary}' is neither a file nor shipped")
        changes["model.adapters.adv"] = str(path)
    return changes


def trained_folder(spec: AblationSpec, arm: Arm, seed: int, context: TrainingContext) -> Path:
    """The folder of an arm's model, which is trained now if the folder does not exist.

    The folder of a stage is named after a digest of everything that determines the stage. So arms share stages, and a
    changed key never reuses an old result. A stage that was stopped goes on.

    Args:
        spec: the ablation.
        arm: the arm to train.
        seed: seed of the training.
        context: folder, device and callbacks.

    Raises:
        MissingArmError: the arm is not trained, and training is switched off.
        TrainingError: the training fails.
    """
    config = arm_config(spec, arm, seed)
    prior = _prior(config, context)
    if prior is not None:
        config = after_prior(config, prior)
    if arm.changes is None or config.preference is None:
        return prior if prior is not None else _start(config, context.out)
    from ....asasr.config import MODEL_FILE
    from ....asasr.training.stages import train_preference

    if any(negative.kind == "adversary" for negative in config.preference.negatives):
        config = with_adversary(config, _adversary(config, context))
    else:
        config = without_adversary(config)

    recipe = _recipe(config, "preference")
    folder = context.out / "arms" / f"{arm.name}-{digest(recipe)[:_DIGITS]}"
    label = f"arm {arm.name}, seed {seed}"
    _run(lambda place: train_preference(config, place), config, "preference", folder, recipe, context, label)
    _find_again(folder / MODEL_FILE, config)
    return folder


def _find_again(path: Path, config: AsasrConfig) -> None:
    """Update the paths in the file of a trained arm whose weights or adapters were moved since the training."""
    import yaml

    from ....asasr.config import load_config

    load_config(path)  # raises if somebody changed the file in a way that makes it invalid
    content = yaml.safe_load(path.read_text())
    model = content["model"]
    configured: dict[str, str | None] = {"weights": config.model.weights}
    configured |= {str(role): adapter for role, adapter in config.model.adapters.items()}
    written = {"weights": model["weights"], **model["adapters"]}
    current = {
        role: name if name is None or (path.parent / name).exists() else configured.get(role, name)
        for role, name in written.items()
    }
    if current != written:
        content["model"] = {**model, "weights": current.pop("weights"), "adapters": current}
        write_atomically(path, yaml.safe_dump(content, sort_keys=False).encode())


def _prior(config: AsasrConfig, context: TrainingContext) -> Path | None:
    """The folder of the prior; None if the configuration names a trained prior."""
    if config.model.weights is not None or "sr" in config.model.adapters or config.prior is None:
        return None
    from ....asasr.training.stages import train_prior

    recipe = _recipe(config, "prior")
    folder = context.out / "priors" / digest(recipe)[:_DIGITS]
    _run(lambda place: train_prior(config, place), config, "prior", folder, recipe, context, "prior")
    return folder


def trained_adversary(spec: AblationSpec, arm: Arm, context: TrainingContext) -> Path:
    """The folder of an arm's adversary, which is trained now if the folder does not exist."""
    return _adversary(arm_config(spec, arm, 0), context)


def _adversary(config: AsasrConfig, context: TrainingContext) -> Path:
    if "adv" in config.model.adapters or config.adversary is None:
        return context.out  # the configuration names the adversary; if it names none, the training says so
    from ....asasr.training.processes import Processes
    from ....asasr.training.stages import train_adversary
    from ..adversary_pairs import teacher_pairs

    recipe = _recipe(config, "adversary")
    folder = context.out / "adversaries" / digest(recipe)[:_DIGITS]

    def run(place: Any) -> Path:
        outputs, held_out = teacher_pairs(config, context.out / "teachers", Processes.of(place.accelerator))
        return train_adversary(config, outputs, place, held_out)

    _run(run, config, "adversary", folder, recipe, context, "adversary", file=ADVERSARY_FILE)
    return folder


def _start(config: AsasrConfig, out: Path) -> Path:
    """A folder that names the model from which preference training starts."""
    import yaml

    from ....asasr.config import MODEL_FILE

    model = config.model.model_dump(mode="json")
    model["adapters"] = {role: path for role, path in model["adapters"].items() if role == "sr"}
    content = {
        "name": config.name,
        "summary": config.summary,
        "model": model,
        "sampling": config.sampling.model_dump(mode="json"),
    }
    folder = out / "priors" / digest({**content, "model": _by_content(model)})[:_DIGITS]
    write_atomically(folder / MODEL_FILE, yaml.safe_dump(content, sort_keys=False).encode())
    return folder


def _recipe(config: AsasrConfig, stage: str) -> dict[str, Any]:
    """Everything that determines the result of a stage."""
    settings: TrainingSettings = getattr(config, stage)
    recipe: dict[str, Any] = {
        "model": _by_content(config.model.model_dump(mode="json")),
        "data": {**config.data.model_dump(mode="json"), "degradation": preset(config.data.degradation).identity},
        stage: settings.determining(),
    }
    if stage == "prior" and config.prior is not None and config.prior.what == "network":
        recipe["model"] = {
            key: value for key, value in recipe["model"].items() if key not in ("rank", "alpha", "adapters")
        }
    return recipe


def _by_content(model: dict[str, Any]) -> dict[str, Any]:
    """A model's settings with the digest of each file in place of its path, so that a moved file counts as the same."""
    files = {"weights": model["weights"], **model["adapters"]}
    named = {
        role: file_digest(Path(name)) if name is not None and Path(name).is_file() else name
        for role, name in files.items()
    }
    return {**model, "weights": named.pop("weights"), "adapters": named}


def _run(
    run: Callable[[Any], Path],
    config: AsasrConfig,
    stage: str,
    folder: Path,
    recipe: dict[str, Any],
    context: TrainingContext,
    label: str,
    file: str = "model.yaml",
) -> None:
    """Train a stage unless ``file`` is in its folder; ``label`` names the stage in messages."""
    if (folder / file).is_file():
        return
    if not context.train:
        raise MissingArmError(f"{label} is not trained ({folder / file} is missing); run without --no-train")
    require_images(config.data)
    context.tell(label)
    write_atomically(folder / _RECIPE, (json.dumps(recipe, indent=1) + "\n").encode())

    def tell(step: int, steps: int, means: dict[str, float]) -> None:
        if context.progress is not None:
            context.progress(label, step, steps)

    run_stage(run, config, stage, folder, context.device, tell)
