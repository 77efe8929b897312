"""Points of a study: what is restored and measured, and what each costs."""

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
    """A family with one of the values that the choice is between; the prior has one."""

    family: str
    name: str
    arm: str
    """Of the training; ``prior``: none."""
    teacher: str
    """Of its adversary."""
    changes: dict[str, Any] | None = field(default_factory=dict, hash=False)
    """Keys of the configuration to replace; None: nothing is trained."""
    weight: Any = field(default=0.0, hash=False)
    """``sampling.adversary``."""
    beta: float | None = None

    @property
    def training(self) -> Arm:
        """What the ablation's trainer takes."""
        return Arm(self.arm if self.beta is None else f"{self.arm}-beta{self.beta:.0e}".replace("+0", ""), self.changes)


@dataclass(frozen=True)
class Point:
    """A setting at a number of steps; several training seeds are one point."""

    setting: Setting
    steps: int
    blend: float = 0.0
    """Share of the mean of several samples."""
    samples: int = 1
    """In that mean."""

    @property
    def name(self) -> str:
        """Of its rows in tables."""
        blend = f"-blend{self.blend:g}" if self.blend else ""
        return f"{self.setting.name}{blend}-{self.steps}"

    @property
    def evaluations(self) -> int:
        """Of the network for one image; the mean holds the one sample too."""
        return evaluations(self.steps, self.setting.weight) * (self.samples if self.blend else 1)


def teacher_keys(study: Study, teacher: str) -> dict[str, Any]:
    """Keys of the configuration that name an adversary's teacher."""
    if teacher in study.outputs:
        folder = Path(study.outputs[teacher])
        given = [{"sr": str(folder / "sr"), "lq": str(folder / "lq")}]
        return {"adversary.methods": [], "adversary.outputs": given}
    return {"adversary.methods": list(study.teachers[teacher])}


def settings_of(study: Study) -> list[Setting]:
    """All settings, those of the prior first."""
    teacher = next(iter(study.teachers), "")
    found = [Setting(PRIOR, PRIOR, PRIOR, teacher, None)]
    for name, arm in study.arms.items():
        taught = arm.teacher or teacher
        methods = teacher_keys(study, taught) if taught else {}
        for beta in arm.betas or (None,):
            changes = methods | arm.set | ({} if beta is None else {"preference.beta": beta})
            label = name if beta is None else f"{name}-beta{beta:.0e}".replace("+0", "")
            found.append(Setting(name, label, name, taught, changes, beta=beta))
    return [*found, *(one for guidance in study.guidance for one in _guided(study, guidance, found))]


def _guided(study: Study, guidance: Guidance, plain: list[Setting]) -> Iterator[Setting]:
    for name, teacher, label in itertools.product(guidance.arms, guidance.teachers, guidance.weights):
        family, weight = study.guided_family(name, teacher), guidance.weight(label)
        for base in (one for one in plain if one.family == name):
            title = f"{base.name}+{teacher}-{label}"
            yield Setting(family, title, base.arm, teacher, base.changes, weight, base.beta)


def points_of(study: Study, setting: Setting) -> Iterator[Point]:
    """The points of one setting: the prior's are the frontier's, a guided sampler's those that are tested."""
    if setting.family != PRIOR:
        yield from (Point(setting, steps) for steps in (study.tested_steps if setting.weight else study.steps))
        return
    frontier = study.frontier
    yield from (Point(setting, steps) for steps in frontier.steps)
    for share in frontier.blends:
        yield Point(setting, frontier.blend_steps, share, frontier.blend_samples)


def seeds_of(study: Study, setting: Setting) -> tuple[int, ...]:
    """Training seeds; a setting without training has one."""
    return study.training_seeds if setting.changes is not None else (0,)
