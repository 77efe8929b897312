"""The plan of a study in one file, which is written before any result: arms, samplers, sets of images and tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from ....asasr.guidance import GuidanceWeight, check_weight
from ....datasets.strict import Strict, YamlError, read_file, read_mapping, read_yaml, validated
from ...spec import SpecError

PRIOR = "prior"
"""Name of the model from which all arms start."""


class ArmPlan(Strict):
    """One way of training, with each of several values of beta."""

    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of the configuration to replace."""
    betas: Annotated[tuple[float, ...], Field(strict=False)] = ()
    """Values of ``preference.beta``, of which one is chosen. Empty: the value of the configuration."""
    teacher: str | None = None
    """Teacher of its adversary; None: the first teacher of the study."""


class Frontier(Strict):
    """Points of the prior, which need no training: an arm has to be better than they are at equal distortion."""

    steps: Annotated[tuple[int, ...], Field(strict=False, min_length=2)]
    """Numbers of Euler steps of one sample."""
    blend_steps: int = 28
    blend_samples: int = 8
    blends: Annotated[tuple[float, ...], Field(strict=False)] = ()
    """Shares of the mean of ``blend_samples`` samples in a mixture with one sample, all of ``blend_steps`` steps."""


class Guidance(Strict):
    """Samplers that are guided away from an adversary; nothing but the adversary is trained for them."""

    arms: Annotated[tuple[str, ...], Field(strict=False)]
    """``prior``, or arms of the plan; each is a family of its own, ``ARM+adversary`` or ``ARM+adversary-TEACHER``."""
    weights: dict[str, Any]
    """Name to a value of ``sampling.adversary``; one of them is chosen."""
    teachers: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _weights_are_weights(self) -> Guidance:
        for name in self.weights:
            self.weight(name)
        return self

    def weight(self, name: str) -> GuidanceWeight:
        """Value of ``sampling.adversary`` under this name: a number, or a weight for each of several sigmas."""
        value = self.weights[name]
        if isinstance(value, list):
            return check_weight(tuple((float(sigma), float(weight)) for sigma, weight in value))
        return float(value)


class Measurement(Strict):
    """Sets of images, protocol and metrics of a study."""

    protocol: str
    scale: int = 4
    crop: int | None = None
    lq_rule: str = ""
    metrics: Annotated[tuple[str, ...], Field(strict=False, min_length=2)]
    """The first measures distortion; the others are compared at equal distortion."""
    choice: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Sets on which settings are chosen; ``held-out``: the photos that training leaves out."""
    report: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Sets on which nothing is chosen."""
    seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (0,)
    """Seeds of sampling on the sets of the report; on the sets of the choice the first is used."""
    chosen_by: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Metrics whose standardised differences from the prior at equal distortion are averaged; the lowest is chosen."""


class Contrast(Strict):
    """Two families that are compared on all sets, at all steps, in all metrics."""

    first: str
    second: str
    equal: Literal["distortion", "evaluations"]
    """Where they are compared: at the mixture of the second's points that has the first's distortion, or at the
    second's point with as many evaluations of the network."""
    curve: Literal["steps", "blends"] = "steps"
    """The second's points: numbers of steps, or the prior's mixtures of one sample with the mean of several."""


class Study(Strict):
    """A planned study."""

    name: str
    title: str
    question: str
    kind: Literal["planned"]
    """Distinguishes the file from that of an ablation."""
    config: str
    """Preset of ASASR or a YAML file."""
    prior: str
    """Model from which all arms start, as ``asasr:NAME`` or ``asasr:FOLDER``."""
    data: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Folders of HQ images to train on."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of the configuration to replace everywhere."""
    teachers: dict[str, Annotated[tuple[str, ...], Field(strict=False)]]
    """Name to the methods whose outputs an adversary learns. Empty: the shipped adversary ``small-adversary``."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """Teacher to a folder with the folders ``sr`` and ``lq``, if its outputs exist already."""
    arms: dict[str, ArmPlan]
    training_seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)]
    steps: Annotated[tuple[int, ...], Field(strict=False, min_length=1)]
    """Sampling steps of the arms' points."""
    tested_steps: Annotated[tuple[int, ...], Field(strict=False, min_length=1)]
    """Those of ``steps`` at which contrasts are tested."""
    frontier: Frontier
    guidance: Annotated[tuple[Guidance, ...], Field(strict=False)] = ()
    measurement: Measurement
    contrasts: Annotated[tuple[Contrast, ...], Field(strict=False, min_length=1)]
    quick: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of this file to replace for an answer in minutes."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Study:
        for arm in self.arms.values():
            if arm.teacher is not None and arm.teacher not in self.teachers:
                raise ValueError(f"no teacher '{arm.teacher}' (known: {', '.join(self.teachers)})")
        for guidance in self.guidance:
            for name in guidance.arms:
                if name != PRIOR and name not in self.arms:
                    raise ValueError(f"guidance: no arm '{name}' (known: {PRIOR}, {', '.join(self.arms)})")
        for contrast in self.contrasts:
            for name in (contrast.first, contrast.second):
                if name not in self.families:
                    raise ValueError(f"contrasts: no family '{name}' (known: {', '.join(self.families)})")
        if not set(self.tested_steps) <= set(self.steps):
            raise ValueError("tested_steps: all of them must be in 'steps'")
        return self

    @property
    def families(self) -> tuple[str, ...]:
        """Names that contrasts can compare: the prior, arms with their betas, and guided samplers."""
        guided = (
            self.guided_family(name, teacher)
            for guidance in self.guidance
            for name in guidance.arms
            for teacher in guidance.teachers
        )
        return (PRIOR, *self.arms, *guided)

    def guided_family(self, arm: str, teacher: str) -> str:
        """Name of the family of an arm's guided samplers."""
        first = next(iter(self.teachers), teacher)
        return f"{arm}+adversary" + ("" if teacher == first else f"-{teacher}")


def is_planned(path: Path) -> bool:
    """Whether a YAML file is a planned study, not an ablation."""
    try:
        content = read_yaml(read_file(path), path)
    except YamlError:
        return False
    return isinstance(content, dict) and content.get("kind") == "planned"


def load_study(path: Path, *, quick: bool = False, data: Sequence[Path] = ()) -> Study:
    """Read a planned study; relative folders start from its own.

    Args:
        quick: take the file's short form.
        data: folders of HQ images to train on, instead of the file's.

    Raises:
        SpecError: no such file, or a key or value that a study cannot have.
    """
    content = read_mapping(read_file(path, SpecError), path, "a study", SpecError)
    if quick:
        if not content.get("quick"):
            raise SpecError(f"{path}: has no short form (section 'quick')")
        for key, value in dict(content["quick"]).items():
            _put(content, key.split("."), value)
    folders = [folder.resolve() for folder in data] or [
        path.resolve().parent / folder for folder in content.get("data", ())
    ]
    content["data"] = [str(folder) for folder in folders]
    return validated(Study, content, path, SpecError)


def _put(content: dict[str, Any], path: list[str], value: Any) -> None:
    *sections, key = path
    for section in sections:
        content = content.setdefault(section, {})
    content[key] = value


def study_text(study: Study) -> str:
    """A plan as YAML."""
    text: str = yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
    return text
