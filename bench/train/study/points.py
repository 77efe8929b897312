"""Settings and points of a study: what is restored and measured, and the cost of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....asasr.guidance import evaluations
from ..ablation.spec import Arm
from .spec import PRIOR, Guidance, Study


@dataclass(frozen=True)
class Setting:
    """A family with one of its values (of beta or of guidance), between which the study chooses; the prior has one."""

    family: str
    name: str
    arm: str
    """Name of the trained arm; ``prior``: nothing is trained."""
    teacher: str
    """Teacher of its adversary."""
    changes: dict[str, Any] | None = field(default_factory=dict, hash=False)
    """Keys of the configuration to replace; None: nothing is trained."""
    weight: Any = field(default=0.0, hash=False)
    """Value of ``sampling.adversary``; 0: the sampler uses no adversary."""
    beta: float | None = None

    @property
    def training(self) -> Arm:
        """The arm with which the setting's model is trained."""
        return Arm(self.arm if self.beta is None else f"{self.arm}-beta{self.beta:.0e}".replace("+0", ""), self.changes)


@dataclass(frozen=True)
class Point:
    """A setting at a number of sampling steps; models of several training seeds belong to the same point."""

    setting: Setting
    steps: int
    blend: float = 0.0
    """Share of the mean of several samples in the output; 0: the output is a single sample."""
    samples: int = 1
    """Number of samples in that mean."""

    @property
    def name(self) -> str:
        """Name of the point in tables."""
        blend = f"-blend{self.blend:g}" if self.blend else ""
        return f"{self.setting.name}{blend}-{self.steps}"

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for one image; the single sample is one of those in the mean."""
        return evaluations(self.steps, self.setting.weight) * (self.samples if self.blend else 1)


def teacher_keys(study: Study, teacher: str) -> dict[str, Any]:
    """Keys of the configuration that name an adversary's teacher."""
    if teacher in study.outputs:
        folder = Path(study.outputs[teacher])
        outputs = [{"sr": str(folder / "sr"), "lq": str(folder / "lq")}]
        return {"adversary.methods": [], "adversary.outputs": outputs}
    return {"adversary.methods": list(study.teachers[teacher])}


def settings_of(study: Study) -> list[Setting]:
    """All settings of a study; the prior is the first."""
    teacher = next(iter(study.teachers), "")
    settings = [Setting(PRIOR, PRIOR, PRIOR, teacher, None)]
    for name, arm in study.arms.items():
        taught = arm.teacher or teacher
        methods = teacher_keys(study, taught) if taught else {}
        for beta in arm.betas or (None,):
            changes = methods | arm.set | ({} if beta is None else {"preference.beta": beta})
            label = name if beta is None else f"{name}-beta{beta:.0e}".replace("+0", "")
            settings.append(Setting(name, label, name, taught, changes, beta=beta))
    return [*settings, *(setting for guidance in study.guidance for setting in _guided(study, guidance, settings))]


def _guided(study: Study, guidance: Guidance, plain: list[Setting]) -> Iterator[Setting]:
    for name, teacher, label in itertools.product(guidance.arms, guidance.teachers, guidance.weights):
        family, weight = study.guided_family(name, teacher), guidance.weight(label)
        for base in (setting for setting in plain if setting.family == name):
            title = f"{base.name}+{teacher}-{label}"
            yield Setting(family, title, base.arm, teacher, base.changes, weight, base.beta)


def points_of(study: Study, setting: Setting) -> Iterator[Point]:
    """The points of a setting: the frontier for the prior, the tested steps for a guided sampler, else all steps."""
    if setting.family != PRIOR:
        yield from (Point(setting, steps) for steps in (study.tested_steps if setting.weight else study.steps))
        return
    frontier = study.frontier
    yield from (Point(setting, steps) for steps in frontier.steps)
    for share in frontier.blends:
        yield Point(setting, frontier.blend_steps, share, frontier.blend_samples)


def seeds_of(study: Study, setting: Setting) -> tuple[int, ...]:
    """Training seeds of a setting; ``(0,)`` for a setting that is not trained."""
    return study.training_seeds if setting.changes is not None else (0,)
