"""Models of a study: the prior, the adversary of each teacher, trained arms, and models together with an adversary."""

from __future__ import annotations

from pathlib import Path

import yaml

from ....asasr.config import MODEL_FILE, load_config
from ....datasets.images import write_atomically
from ....methods.asasr import shipped_adapter
from ..ablation.arms import TrainingContext, trained_adversary, trained_folder
from ..ablation.spec import AblationSpec, Arm
from ..stages import ADVERSARY_FILE
from .points import Setting, teacher_keys
from .spec import Study


def ablation_of(study: Study) -> AblationSpec:
    """The ablation with which the models of a study are trained."""
    adversary = None if study.teachers else "small-adversary"
    return AblationSpec(
        name=study.name,
        config=study.config,
        prior=study.prior,
        data=study.data,
        set=study.set,
        adversary=adversary,
        evaluation={},
    )


def adversary_of(study: Study, teacher: str, context: TrainingContext) -> Path:
    """The file of the adversary that learned from a teacher; it is trained now if the file is missing."""
    if not study.teachers:
        shipped = shipped_adapter("small-adversary")
        assert shipped is not None
        return shipped
    arm = Arm(f"adversary-{teacher}", teacher_keys(study, teacher))
    return trained_adversary(ablation_of(study), arm, context) / ADVERSARY_FILE


def reference_of(study: Study, setting: Setting, seed: int, context: TrainingContext) -> str:
    """Method reference ``asasr:FOLDER`` of a setting's model, which is trained now if the folder is missing.

    Args:
        study: the plan.
        setting: the setting to train; its adversary is added if it guides the sampler.
        seed: seed of the training.
        context: folder, device and callbacks.
    """
    folder = trained_folder(ablation_of(study), setting.training, seed, context)
    if not setting.weight:
        return f"asasr:{folder}"
    return f"asasr:{beside_adversary(folder, adversary_of(study, setting.teacher, context), context.out)}"


def beside_adversary(folder: Path, adversary: Path, out: Path) -> Path:
    """Write a folder under ``out`` that describes a model together with an adversary."""
    config = load_config(folder / MODEL_FILE)
    model = config.model.model_dump(mode="json")
    model["adapters"] = {**model["adapters"], "adv": str(adversary)}
    content = {
        "name": config.name,
        "summary": config.summary,
        "model": model,
        "sampling": config.sampling.model_dump(mode="json"),
    }
    target = out / "guided" / f"{folder.name}-{adversary.parent.name}"
    write_atomically(target / MODEL_FILE, yaml.safe_dump(content, sort_keys=False).encode())
    return target
