"""The file of an ablation: a base configuration, the arms or a grid of values, and how they are evaluated."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from ....datasets.strict import Strict, read_file, read_mapping, validated
from ...spec import Spec, SpecError, parse_spec


class Interaction(Strict):
    """A two-by-two design: arms with neither factor, with one of them, and with both."""

    factors: Annotated[tuple[str, str], Field(strict=False)]
    """Names of the first and the second factor, such as SSR and AMG."""
    neither: str
    first: str
    second: str
    both: str

    @property
    def arms(self) -> tuple[str, str, str, str]:
        """In the order neither, first, second, both."""
        return self.neither, self.first, self.second, self.both


class AblationSpec(Strict):
    """An ablation: which keys of a training are varied, and how the results are measured."""

    name: str
    summary: str = ""
    config: str
    """Preset of ASASR or a YAML file."""
    data: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Folders of HQ images to train on."""
    prior: str | None = None
    """``asasr:NAME`` or ``asasr:FOLDER``: the model from which all arms start, instead of a prior trained here."""
    adversary: str | None = None
    """File of the adversary of all arms, or ``small-adversary``, instead of one trained here."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Keys of the configuration to replace in all arms, such as ``preference.steps: 100``."""
    arms: dict[str, str | dict[str, Any] | None] = Field(default_factory=dict)
    """Name of an arm to the dotted keys that it replaces. ``null``: the prior alone. A text: a method that is trained
    already, or the configuration's arm of that name. If this and ``grid`` are empty, the arms of the configuration."""
    grid: dict[str, Annotated[tuple[Any, ...], Field(strict=False, min_length=1)]] = Field(default_factory=dict)
    """Dotted keys to lists of values; each combination of values is one more arm."""
    training_seeds: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = (0,)
    """Each arm is trained once with each seed; values are averaged over the seeds."""
    steps: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """Numbers of sampling steps at which each arm is evaluated; empty: the number in the configuration."""
    interaction: Interaction | None = None
    evaluation: dict[str, Any]
    """Keys of a spec: protocol, datasets, metrics, seeds, lq_rule, and methods to compare with. The dataset
    ``held-out`` is the images that training leaves out (``data.held_out``)."""

    @model_validator(mode="after")
    def _interaction_has_arms(self) -> AblationSpec:
        if self.interaction is not None and self.arms:
            unknown = [name for name in self.interaction.arms if name not in self.arms]
            if unknown:
                raise ValueError(f"interaction: no arm '{unknown[0]}' (arms: {', '.join(self.arms)})")
        return self


@dataclass(frozen=True)
class Arm:
    """One variation of the training."""

    name: str
    changes: dict[str, Any] | None = field(default_factory=dict)
    """Dotted keys to replace; None: the prior alone."""
    config_arm: str | None = None
    """Name of the configuration's arm whose keys are set first."""
    reference: str | None = None
    """Reference of a method that is trained already; nothing is trained for this arm."""


def shipped_studies() -> tuple[str, ...]:
    """Names of the ablations that come with the package."""
    return tuple(sorted(item.name.removesuffix(".yaml") for item in _studies().iterdir() if item.name.endswith("yaml")))


def study_file(source: str | Path) -> Path:
    """The file of a shipped study if ``source`` is the name of one, else ``source`` itself as a path."""
    return Path(str(_studies().joinpath(f"{source}.yaml"))) if str(source) in shipped_studies() else Path(source)


def _studies() -> Any:
    return files(__package__).joinpath("studies")


def load_ablation(
    source: str | Path, data: Sequence[Path] = (), evaluation: Mapping[str, Any] | None = None
) -> AblationSpec:
    """Read a shipped ablation or a YAML file, whose relative folders start from its own.

    Args:
        data: folders of HQ images to train on, instead of the file's.
        evaluation: keys of its evaluation to replace, such as ``seeds``.

    Raises:
        SpecError: no such file, or a key or value that an ablation cannot have.
    """
    path = study_file(source)
    if not path.is_file():
        raise SpecError(f"no ablation '{source}': neither a file nor shipped ({', '.join(shipped_studies())})")
    content = read_mapping(read_file(path, SpecError), path, "an ablation", SpecError)
    spec = validated(AblationSpec, content, path, SpecError)
    base = path.resolve().parent
    folders = [folder.resolve() for folder in data] or [base / folder for folder in spec.data]
    measured = {**spec.evaluation, **(evaluation or {})}
    changes: dict[str, Any] = {"data": tuple(map(str, folders)), "evaluation": measured}
    if (base / spec.config).is_file():
        changes["config"] = str(base / spec.config)
    if spec.adversary is not None and (base / spec.adversary).is_file():
        changes["adversary"] = str(base / spec.adversary)
    spec = spec.model_copy(update=changes)
    evaluation_spec(spec, [], base)  # raises for an invalid evaluation before anything is trained
    return spec


def evaluation_spec(spec: AblationSpec, arms: list[dict[str, Any]], base: Path | None = None) -> Spec:
    """The spec of the run that measures the arms and the methods they are compared with.

    Args:
        spec: the ablation.
        arms: method references of the arms.
        base: folder from which relative paths of the evaluation start.

    Raises:
        SpecError: the evaluation has a key or value that a spec cannot have.
    """
    content = {"metrics": ["psnr_y", "lsd"], **spec.evaluation, "name": spec.name}
    content["methods"] = [*content.get("methods", ()), *arms]
    return parse_spec(yaml.safe_dump(content), origin=f"{spec.name}: evaluation", base=base)


def arms_of(spec: AblationSpec, config_arms: list[str]) -> list[Arm]:
    """All arms of an ablation: those in ``arms``, or else those of the configuration, and those of the grid.

    Raises:
        SpecError: two arms have the same name.
    """
    arms = [_arm(name, value, config_arms) for name, value in spec.arms.items()]
    if not spec.arms and not spec.grid:
        arms = [Arm(name, config_arm=name) for name in config_arms]
    for values in itertools.product(*spec.grid.values()) if spec.grid else ():
        pairs = dict(zip(spec.grid, values, strict=True))
        arms.append(Arm("_".join(f"{key.rpartition('.')[2]}-{_text(value)}" for key, value in pairs.items()), pairs))
    names = [arm.name for arm in arms]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise SpecError(f"{spec.name}: two arms are called '{repeated[0]}'")
    return arms


def chosen(arms: Sequence[Arm], names: Sequence[str], origin: str) -> list[Arm]:
    """The arms with these names; all arms if ``names`` is empty.

    Raises:
        SpecError: no arm has such a name.
    """
    known = [arm.name for arm in arms]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SpecError(f"{origin}: no arm '{unknown[0]}' (arms: {', '.join(known)})")
    return [arm for arm in arms if not names or arm.name in names]


def _arm(name: str, value: str | dict[str, Any] | None, config_arms: list[str]) -> Arm:
    if isinstance(value, str):
        return Arm(name, config_arm=value) if value in config_arms else Arm(name, reference=value)
    if value is None:
        return Arm(name, None)
    return Arm(name, value)


def _text(value: Any) -> str:
    return "".join(sign if sign.isalnum() or sign in ".-" else "-" for sign in str(value)).strip("-")
