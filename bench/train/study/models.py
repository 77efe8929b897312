"""Models of a study: the prior, adversaries by teacher, trained arms, and any of them beside an adversary."""

from __future__ import annotations

from pathlib import Path

import yaml

from ....asasr.config import MODEL_FILE, load_config
from ....datasets.images import write_atomically
from ....methods.asasr import shipped_adapter
from ..ablation.arms import Workshop, trained_adversary, trained_folder
from ..ablation.spec import AblationSpec, Arm
from ..stages import ADVERSARY_FILE
from .points import Setting, teacher_keys
from .spec import Study


def ablation_of(study: Study) -> AblationSpec:
    """What the ablation's trainer takes of a study."""
    adversary = None if study.teachers else "small-adversary"
    return AblationSpec(
        name=study.name, config=study.config, prior=study.prior, data=study.data, set=study.set, adversary=adversary,
        evaluation={},
    )  # fmt: skip


def adversary_of(study: Study, teacher: str, shop: Workshop) -> Path:
    """The file of the adversary of a teacher, trained now unless it is there."""
    if not study.teachers:
        shipped = shipped_adapter("small-adversary")
        assert shipped is not None
        return shipped
    arm = Arm(f"adversary-{teacher}", teacher_keys(study, teacher))
    return trained_adversary(ablation_of(study), arm, shop) / ADVERSARY_FILE


def reference_of(study: Study, setting: Setting, seed: int, shop: Workshop) -> str:
    """``asasr:FOLDER`` of a setting's model, trained now unless it is there."""
    folder = trained_folder(ablation_of(study), setting.training, seed, shop)
    if not setting.weight:
        return f"asasr:{folder}"
    return f"asasr:{beside_adversary(folder, adversary_of(study, setting.teacher, shop), shop.out)}"


def beside_adversary(folder: Path, adversary: Path, out: Path) -> Path:
    """A folder that describes a model together with an adversary."""
    config = load_config(folder / MODEL_FILE)
    model = config.model.model_dump(mode="json")
    model["adapters"] = {**model["adapters"], "adv": str(adversary)}
    content = {
        "name": config.name, "summary": config.summary, "model": model,
        "sampling": config.sampling.model_dump(mode="json"),
    }  # fmt: skip
    target = out / "guided" / f"{folder.name}-{adversary.parent.name}"
    write_atomically(target / MODEL_FILE, yaml.safe_dump(content, sort_keys=False).encode())
    return target
