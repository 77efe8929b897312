"""Configuration of a model, its training stages and its sampling: a YAML file with strict keys."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, model_validator

from ..datasets.degradation.settings import preset_names as degradation_names
from ..datasets.strict import Strict, read_file, read_mapping, validated
from .checks import check_crop, check_operator, check_tiles
from .choices import Basis, ColourFix, Kind, Precision, Quantization, Role, Sampler, Weights
from .errors import TrainingConfigError
from .guidance import check_weight
from .model_config import HUB, ModelConfig, NoiseConfig, Number, Positive, names_a_folder
from .training.settings import Section, StageSettings

MODEL_FILE = "model.yaml"
"""What describes a trained model in its folder."""

NotNegative = Annotated[float, Field(ge=0, strict=False)]

Config = TypeVar("Config", bound=BaseModel)


def _known_degradation(name: str | None) -> str | None:
    if name is not None and name not in degradation_names():
        raise ValueError(f"unknown degradation '{name}' (known: {', '.join(degradation_names())})")
    return name


class SourceConfig(Section):
    """One of several sources that training mixes; see ``DataConfig`` for its keys."""

    hq: Annotated[tuple[str, ...], Field(strict=False)] = ()
    lq: str | None = None
    hub: str | None = None
    columns: Annotated[tuple[str, str], Field(strict=False)] = ("hq", "lq")
    degradation: Annotated[str | None, AfterValidator(_known_degradation)] = None
    """Preset; None: that of ``data``."""
    held_out: Annotated[int | None, Field(ge=0)] = None
    """None: that of ``data``."""
    weight: Annotated[float, Field(gt=0, strict=False)] = 1.0
    """How much of the training comes from here, relative to the other sources' weights."""


class DataConfig(Section):
    """Where training pairs come from: HQ folders with degradation, a prepared pair of folders, the Hub, or several."""

    added: ClassVar[frozenset[str]] = frozenset({"sources", "sharpen"})

    sources: Annotated[tuple[SourceConfig, ...], Field(strict=False)] = ()
    """Several sources, mixed by weight, in place of ``hq``, ``lq`` and ``hub``."""
    sharpen: bool = False
    """Sharpen HQ by an unsharp mask, as Real-ESRGAN's training does; see ``training.sharpening``."""
    hq: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Folders of HQ images; LQ is made on the fly, unless ``lq`` is given."""
    lq: str | None = None
    """Folder of LQ images, of the same names as those of the one HQ folder."""
    hub: str | None = None
    """Hugging Face dataset with two image columns."""
    columns: Annotated[tuple[str, str], Field(strict=False)] = ("hq", "lq")
    degradation: Annotated[str, AfterValidator(_known_degradation)] = "osediff-x4"
    """Preset; see ``list degradations``."""
    scale: Annotated[int, Field(ge=1)] = 4
    crop: Annotated[int, Field(ge=8)] = 512
    """Side of an HQ crop."""
    margin: Annotated[int, Field(ge=0)] = 32
    geometries: Annotated[int, Field(ge=1)] = 4
    """See ``DegradedCrops``."""
    cached: Annotated[int, Field(ge=0)] = 0
    """Pairs whose VAE latents are encoded once and trained on from then on; 0: each batch is drawn and encoded anew."""
    held_out: Annotated[int, Field(ge=0)] = 0
    """Images kept for validation, of each source; see ``split_files``."""


class SobolevConfig(Section):
    """The energies of preference training."""

    s: NotNegative = 1.5
    basis: Basis = "dct"
    weights: Weights = "raw"


SigmaPoint = Annotated[tuple[Number, Number], Field(strict=False)]
"""A noise level and a value there."""


class NegativeConfig(Section):
    """See ``negatives.Negative``."""

    added: ClassVar[frozenset[str]] = frozenset({"epsilon", "match_spectrum"})

    kind: Kind
    weight: NotNegative = 1.0
    trust: Annotated[float, Field(gt=0, le=1, strict=False)] = 1.0
    radius: Positive = 0.1
    steps: Annotated[int, Field(ge=1)] = 6
    own_noise: bool = False
    epsilon: Number | Annotated[tuple[SigmaPoint, ...], Field(strict=False, min_length=1)] | None = None
    match_spectrum: bool = False

    @model_validator(mode="after")
    def _one_meaning(self) -> NegativeConfig:
        if self.epsilon is not None:
            if self.match_spectrum:
                raise ValueError("'match_spectrum' would leave the trust region 'epsilon'; give one of them")
            points = ((0.0, self.epsilon),) if isinstance(self.epsilon, float) else self.epsilon
            check_weight(points)
            if min(value for _, value in points) <= 0:
                raise ValueError("'epsilon' is a positive number, or pairs [sigma, value] of positive values")
        return self


class PriorStage(StageSettings):
    """Supervised flow matching."""

    what: Literal["network", "sr"] = "sr"
    """All weights, or an ``sr`` adapter."""
    sigma_mean: Number = 0.0
    sigma_std: Annotated[float, Field(gt=0, strict=False)] = 1.0
    """Of the logit-normal draw of training sigmas; a positive mean draws more near data, where fine detail is made."""


class OutputsConfig(Section):
    """Two folders of images of the same names: finished outputs, and the LQ images that they were made from."""

    sr: str
    lq: str


class AdversaryStage(StageSettings):
    """The adversary, on outputs of baseline methods, its teachers."""

    added: ClassVar[frozenset[str]] = StageSettings.added | {"outputs"}

    methods: Annotated[tuple[str, ...], Field(strict=False)] = ("bicubic",)
    """Teachers: methods as ``list methods`` and the command line name them; ``predictions:DIR`` is a folder of finished
    outputs of our degraded images, by the names of the HQ images."""
    outputs: Annotated[tuple[OutputsConfig, ...], Field(strict=False)] = ()
    """Teachers whose outputs, and their LQ images, are there already."""
    share: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.25
    """Part of the training images that they restore."""


class PreferenceStage(StageSettings):
    """AS-DPO."""

    added: ClassVar[frozenset[str]] = StageSettings.added | {"agreement"}

    what: Literal["network", "dpo"] = "dpo"
    """All weights, against a frozen copy of the network, or a ``dpo`` adapter."""
    beta: Positive = 2000.0
    sobolev: SobolevConfig = SobolevConfig()
    negatives: Annotated[tuple[NegativeConfig, ...], Field(strict=False, min_length=1)]
    anchor: NotNegative = 0.0
    supervised: NotNegative = 0.0
    colored_noise: bool = False
    """What ``model.noise`` was before: its s is that of ``sobolev``, its size that of a crop's latents."""
    agreement: bool = False
    """Log the cosine between the adversary's step and the Riesz direction in every step, which costs a forward and a
    backward more; validations log it in any case."""


class SamplingConfig(Strict):
    """See ``sampling.SamplingSettings``."""

    steps: Annotated[int, Field(ge=1)] = 28
    sampler: Sampler = "euler"
    start: Annotated[float, Field(gt=0, le=1, strict=False)] = 1.0
    shift: Number | None = None
    guidance: NotNegative = 3.5
    colour_fix: ColourFix = "adain"
    tile: Annotated[int, Field(ge=16)] = 128
    overlap: Annotated[int, Field(ge=0)] = 32
    colored_noise: NotNegative | None = None
    precision: Precision = "auto"
    samples: Annotated[int, Field(ge=1)] = 1
    antithetic: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.0
    adversary: Annotated[
        Number | Annotated[tuple[Annotated[tuple[Number, Number], Field(strict=False)], ...], Field(strict=False)],
        AfterValidator(check_weight),
    ] = 0.0
    scales: dict[Role, float] = Field(default_factory=dict)
    """Weights of adapters, where they are not 1."""
    prompt: str = ""
    """Of a model that reads text in sampling; such models are trained for the empty one."""
    quantize: Quantization = "no"
    """See ``running.quantize``."""

    def settings(self) -> dict[str, Any]:
        """What ``SamplingSettings`` takes."""
        return self.model_dump(exclude={"scales", "prompt", "quantize"})


class AsasrConfig(Strict):
    """A whole experiment: one file holds the model, its stages and the arms of an ablation."""

    name: str
    summary: str = ""
    licence: str = ""
    """Of the trained weights."""
    model: ModelConfig
    data: DataConfig = DataConfig()
    prior: PriorStage | None = None
    adversary: AdversaryStage | None = None
    preference: PreferenceStage | None = None
    sampling: SamplingConfig = SamplingConfig()
    arms: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    """Variations by name: keys of ``preference`` to replace, or ``null`` for the prior alone."""

    @property
    def scale(self) -> int:
        """Of the super-resolution: the model's and its training data's."""
        return self.model.scale or self.data.scale

    @model_validator(mode="after")
    def _sensible(self) -> AsasrConfig:
        if self.scale != self.data.scale and "scale" in self.data.model_fields_set:
            raise ValueError(f"'data.scale': {self.data.scale} is not the model's scale, {self.scale}; give one alone")
        for section in (self.prior, self.adversary, self.preference):
            if section is not None:
                check_crop(self.model, self.data.crop, self.scale)
        check_tiles(self.model, self.sampling.tile, self.sampling.overlap)
        if self.preference is not None:
            kinds = [negative.kind for negative in self.preference.negatives]
            check_operator(self.preference.sobolev.basis, kinds)
        return self._with_old_keys()

    def _with_old_keys(self) -> AsasrConfig:
        """Keys that are the model's now, where they were given elsewhere or not at all."""
        changes: dict[str, Any] = {}
        if self.scale != self.data.scale:
            changes["data"] = self.data.model_copy(update={"scale": self.scale})
        preference = self.preference
        if preference is not None and preference.colored_noise and not self.model.noise.s:
            noise = NoiseConfig(s=preference.sobolev.s, size=self.data.crop // self.model.reduction)
            changes["model"] = self.model.model_copy(update={"noise": noise})
        return self.model_copy(update=changes) if changes else self


def preset_names() -> tuple[str, ...]:
    """Shipped configurations."""
    return _names(_presets())


def load_config(source: str | Path, overrides: Mapping[str, Any] | None = None, arm: str | None = None) -> AsasrConfig:
    """Read a shipped preset or a YAML file; relative paths in a file start from its folder.

    Args:
        source: name of a preset or path of a YAML file.
        overrides: values by dotted key, such as ``{"prior.steps": 100}``.
        arm: variation of the ``preference`` section to use.

    Raises:
        TrainingConfigError: no such file, arm or key; the message names the nearest ones.
    """
    return read_config(AsasrConfig, source, _presets(), overrides, arm)


def read_config(
    kind: type[Config],
    source: str | Path,
    presets: Any,
    overrides: Mapping[str, Any] | None = None,
    arm: str | None = None,
) -> Config:
    """Read a YAML file, or a preset by its name, into a strict pydantic model.

    Args:
        kind: the model's class.
        source: name of a preset or path of a YAML file.
        presets: folder of the presets.
        overrides: values by dotted key, such as ``{"prior.steps": 100}``.
        arm: variation of the ``preference`` section to use.

    Raises:
        TrainingConfigError: no such file, arm or key; the message names the nearest ones.
    """
    name, shipped = str(source), _names(presets)
    if name in shipped:
        text = presets.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    elif Path(source).is_file():
        text = read_file(Path(source), TrainingConfigError)
    else:
        raise TrainingConfigError(f"no configuration '{name}': neither a file nor shipped ({', '.join(shipped)})")
    content = read_mapping(text, name, "a configuration", TrainingConfigError)
    if name not in shipped:
        with contextlib.suppress(AttributeError, TypeError):  # sections of other types: the model says it better
            _place_paths(content, Path(source).parent)
    if arm is not None:
        content["preference"] = _with_arm(name, content, arm)
    for key, value in (overrides or {}).items():
        _put(name, content, key.split("."), value)
    return validated(kind, content, name, TrainingConfigError)


def _with_arm(name: str, content: dict[str, Any], arm: str) -> dict[str, Any] | None:
    arms = content.get("arms") or {}
    if arm not in arms:
        raise TrainingConfigError(f"{name}: no arm '{arm}' (known: {', '.join(arms) or 'none'})")
    return None if arms[arm] is None else {**(content.get("preference") or {}), **arms[arm]}


def _place_paths(content: dict[str, Any], folder: Path) -> None:
    model, data = content.get("model") or {}, content.get("data") or {}
    if model.get("source") and names_a_folder(model["source"], folder):
        model["source"] = str(folder / Path(model["source"]).expanduser())
    for network in (model, content.get("generator") or {}):
        if network.get("weights"):
            network["weights"] = str(folder / network["weights"])
    if model.get("adapters"):
        model["adapters"] = {
            role: path if str(path).startswith(HUB) else str(folder / path) for role, path in model["adapters"].items()
        }
    for source in (data, *data.get("sources", ())):
        if source.get("hq"):
            source["hq"] = [str(folder / path) for path in source["hq"]]
        if source.get("lq"):
            source["lq"] = str(folder / source["lq"])
    for outputs in (content.get("adversary") or {}).get("outputs", ()):
        outputs |= {key: str(folder / path) for key, path in outputs.items()}


def _put(name: str, content: dict[str, Any], path: list[str], value: Any) -> None:
    *sections, key = path
    for section in sections:
        inner = content.setdefault(section, {})
        if not isinstance(inner, dict):
            raise TrainingConfigError(f"{name}: '{'.'.join(path)}' leads through '{section}', which has no keys")
        content = inner
    content[key] = value


def _names(presets: Any) -> tuple[str, ...]:
    return tuple(sorted(item.name.removesuffix(".yaml") for item in presets.iterdir() if item.name.endswith("yaml")))


def _presets() -> Any:
    return files(__package__).joinpath("presets")
