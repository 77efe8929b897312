"""A spec describes one experiment completely: datasets, methods and metrics under one protocol."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..datasets.card import is_card_file
from ..datasets.errors import UsageError
from ..datasets.names import did_you_mean, name_problem
from ..datasets.scales import Scale, crop_problem, parse_scale
from ..datasets.strict import Strict, read_file, read_mapping, validated
from ..methods.reference import anchored, name_of
from ..methods.user_code.references import anchored_object, anchored_reference
from .metrics.third_party import anchored as metric_beside
from .protocols import protocol_scale, rescaled

if TYPE_CHECKING:
    from ..datasets.degradation.severity import Severity

_MAX_WORKERS = 256


class SpecError(UsageError, ValueError):
    """A spec cannot be used; the message names the file, the key and the remedy."""


class DatasetEntry(Strict):
    """A dataset given by folders, or by code that gives its files, instead of by its card."""

    name: str = ""
    """What tables call it; may be left out beside ``object`` alone."""
    object: str | None = None
    """``FILE.py:object`` or ``module:object``: pairs of HR and LQ files, what gives them, or the path of a card."""
    args: dict[str, Any] = Field(default_factory=dict)
    """What ``object``, a class or a function, is called with."""
    hr: str | None = None
    """Folder of HR images."""
    lq: str | None = None
    """Folder of LQ images; without it LQ is made from HR."""
    lq_rule: str | None = None
    """How LQ is made from HR, instead of the spec's rule."""
    text: str | None = None
    """Transcriptions: a folder of ICDAR files, MMOCR's or TextOCR's JSON, or lines of image, tab and text."""
    instances: str | None = None
    """Objects: a COCO instances file."""
    labels: str | None = None
    """Folder of label maps, grey or palette PNGs named as the images."""
    void: Annotated[tuple[int, ...], Field(strict=False)] = (255,)
    """Labels that are no class."""
    zero_is_void: bool = False
    """Label 0 is no class, and class n is stored as n + 1 (ADE20K)."""

    @model_validator(mode="after")
    def _has_images(self) -> DatasetEntry:
        if self.object is not None and not (self.hr is None and self.lq is None):
            raise ValueError("give 'object' or folders, not both")
        if self.object is None and self.hr is None and self.lq is None:
            raise ValueError("give 'hr', 'lq' or both, or 'object'")
        if self.object is None and not self.name:
            raise ValueError("give folders a 'name'")
        if self.object is None and self.args:
            raise ValueError("'args' goes with 'object'")
        return self


class SeverityGrid(Strict):
    """Strengths of degradations, the mildest of each first; LQ is made from HR for each combination."""

    blur: Annotated[tuple[Annotated[float, Field(strict=False)], ...], Field(strict=False, min_length=1)] = (0.0,)
    """Standard deviations of a Gaussian in pixels of HR."""
    noise: Annotated[tuple[Annotated[float, Field(strict=False)], ...], Field(strict=False, min_length=1)] = (0.0,)
    """Standard deviations of Gaussian noise on LQ in levels of 255."""
    jpeg: Annotated[tuple[int | Literal["none"], ...], Field(strict=False, min_length=1)] = ("none",)
    """Qualities of LQ's JPEG, 1 to 100, or ``none``."""
    crossed: bool = True
    """Every combination; false: one degradation changes at a time, and the others stay at their first strength."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the noise."""

    @model_validator(mode="after")
    def _possible(self) -> SeverityGrid:
        self.cases()
        return self

    def cases(self) -> tuple[Severity, ...]:
        """The cases, the mildest first.

        Raises:
            SeverityError: a strength that no image can have.
        """
        from ..datasets.degradation.severity import grid

        qualities = tuple(None if quality == "none" else quality for quality in self.jpeg)
        return grid(self.blur, self.noise, qualities, crossed=self.crossed)


class Spec(Strict):
    """One experiment. Unknown keys are errors; every default is visible here."""

    name: str
    """Names the folder of results as well."""
    summary: str = ""
    protocol: str | dict[str, Any]
    """Protocol name; the ``S`` of ``classic-xS`` stands for the scale. Your own is named as a metric of your own is."""
    scale: Scale = 4
    """Of HR to LQ: 1 to 16, whole or a multiple of 0.05 such as 1.5 (docs/datasets.md)."""
    datasets: Annotated[tuple[str | DatasetEntry, ...], Field(strict=False)] = ()
    """Card ids or paths, ``NAME=HR_DIR``, ``NAME=LQ_DIR,HR_DIR``, your own code, or mappings (docs/extend.md)."""
    truth: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Ground truth of datasets: ``DATASET=text:PATH``, ``DATASET=instances:FILE`` or ``DATASET=labels:DIR``."""
    lq_rule: str | None = None
    """How LQ is made where a dataset has HR alone: ``matlab-bicubic`` (default unless the dataset's card says
    otherwise), ``degradation:PRESET[:SEED]`` or ``severity:CASE[:SEED]``."""
    severity: SeverityGrid | None = None
    """Run every dataset at each of some strengths of blur, noise and JPEG (docs/severity.md)."""
    clusters: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    """Images that are no independent samples (crops of a photo, frames of a film), by dataset: a regular expression for
    their names whose first group names the cluster, a CSV file with the columns image and cluster, or a mapping of the
    same. Intervals, tests and ranks count clusters; no value depends on it."""
    crop: Annotated[int, Field(ge=16)] | None = None
    """Side of a centre crop of every HR image, for methods made for small images; the tables name it."""
    images: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Names of images to take, with ``*`` and ``?``, where it is not all of them; see ``limit``."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """The first so many images of each dataset, by name. A part of a dataset has a name of its own in every table,
    such as ``Set14 (3 of 14 images)``, and takes the place of no whole one."""
    methods: Annotated[tuple[str | dict[str, Any], ...], Field(strict=False)] = ()
    """Method references: registry ids, weight files, ``predictions:DIR``, ``module:object``, or mappings."""
    metrics: Annotated[tuple[str | dict[str, Any], ...], Field(strict=False, min_length=1)]
    """Ids of metrics; also your own by ``FILE.py:NAME``, ``module:NAME``, an entry point, or a mapping with its
    arguments, ``{object: ./mine.py:Blur, args: {radius: 2}, name: blur2}`` (docs/metrics.md)."""
    optional: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Methods and metrics by name that a run is complete without where their weights are missing: it says how to get
    them, and nothing else happens."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(strict=False, min_length=1)] = (0,)
    """Seeds of seeded methods; deterministic methods run once."""
    device: str = "auto"
    """``auto`` (first GPU, else CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    workers: Annotated[int, Field(ge=1, le=_MAX_WORKERS)] | None = None
    """Workers at once; default: one on this machine, every GPU (else every CPU) of a Ray cluster, 8 Slurm jobs."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Threads with which methods and metrics compute. Other numbers of them sum in another order, which can move the
    last digits; so it is a setting, and does not follow from cores or workers."""
    timeout: Annotated[float, Field(gt=0, strict=False)] | None = None
    """Seconds that an image may take, from loading a method to its last metric; then its worker is ended and its cells
    fail. External programs have a ``timeout`` of their own. Default: any time. No value depends on it."""
    executor: Literal["local", "ray", "slurm"] = "local"
    """Where the work is done; no value depends on it."""
    cluster: dict[str, Any] = Field(default_factory=dict)
    """Options of the executors ray and slurm; see docs/clusters.md."""
    batch: Annotated[int, Field(ge=1)] | None = None
    """Images of one size that networks restore and measure together; default on a CPU 1, on a GPU up to 8, of which
    networks restore as many as one tile has pixels. It changes the rounding of floats alone."""

    @model_validator(mode="after")
    def _whole_lq_pixels(self) -> Spec:
        if self.crop is not None and (problem := crop_problem(self.crop, self.scale)):
            raise ValueError(problem)
        return self

    @field_validator("clusters")
    @classmethod
    def _are_rules(cls, rules: dict[str, str | dict[str, str]]) -> dict[str, str | dict[str, str]]:
        return {dataset: cluster_rule(rule, dataset) for dataset, rule in rules.items()}

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        problem = name_problem(name, file=True)
        if problem:
            raise ValueError(f"'{name}' {problem}")
        return name

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", device):
            raise ValueError(f"no device '{device}' (auto, cpu, cuda, cuda:1, mps, xpu)")
        return device

    @field_validator("metrics", "seeds")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        repeated = sorted({str(value) for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"listed twice: {', '.join(repeated)}")
        return values


def shipped_specs() -> tuple[str, ...]:
    """Names of the specs that come with the package."""
    folder = files(__package__).joinpath("specs")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_spec(source: str | Path, overrides: Mapping[str, Any] | None = None) -> Spec:
    """Read a shipped spec by its name, or a YAML file; ``overrides`` replace top-level keys.

    Relative folders inside a file are relative to that file.

    Raises:
        SpecError: no such spec, not YAML, or a key or value that a spec cannot have.
    """
    name = str(source)
    if name in shipped_specs():
        text = files(__package__).joinpath("specs", f"{name}.yaml").read_text(encoding="utf-8")
        base = None
    else:
        path = Path(source)
        if not path.is_file():
            hint = did_you_mean(name, shipped_specs(), "asasr-bench list specs")
            raise SpecError(f"{name}: neither a spec file nor the name of a shipped spec{hint}")
        base = path.resolve().parent
        text = read_file(path, SpecError)
    return parse_spec(text, origin=name, base=base, overrides=overrides)


def parse_spec(text: str, *, origin: str, base: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Spec:
    """Parse the YAML of a spec.

    Args:
        text: the YAML.
        origin: name of the spec in messages.
        base: folder from which relative paths in the spec start; None: they are not changed.
        overrides: keys whose values replace those of the spec.

    Raises:
        SpecError: the text is not YAML, or has a key or value that a spec cannot have.
    """
    document = read_mapping(text, origin, "a spec", SpecError)
    if base is not None:
        document = _anchored(document, base)
    replaced = _with_scale(document, dict(overrides or {}))
    spec = validated(Spec, {**document, **replaced}, origin, SpecError)
    metrics = (metric if isinstance(metric, str) else metric.get("name", "") for metric in spec.metrics)
    listed = {*map(name_of, spec.methods), *metrics}
    unknown = [name for name in spec.optional if name not in listed]
    if unknown and replaced.keys().isdisjoint(("methods", "metrics")):  # those named in a spec may be replaced
        hint = did_you_mean(unknown[0], listed, "the spec's methods and metrics")
        raise SpecError(f"{origin}: optional: '{unknown[0]}' is neither a method nor a metric of this spec{hint}")
    return spec


def _with_scale(document: Mapping[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Let the protocol follow an overriding scale, and the scale the protocol wherever it is not given beside it."""
    if isinstance(overrides.get("scale"), float):
        overrides["scale"] = parse_scale(overrides["scale"])
    if "scale" in overrides and "protocol" not in overrides and "protocol" in document:
        if isinstance(document["protocol"], str):
            overrides["protocol"] = rescaled(document["protocol"], overrides["scale"])
    elif "scale" not in overrides and ("protocol" in overrides or "scale" not in document):
        scale = protocol_scale(str(overrides.get("protocol", document.get("protocol", ""))))
        if scale is not None:
            overrides["scale"] = scale
    return overrides


def cluster_rule(rule: str | dict[str, str], dataset: str) -> str | dict[str, str]:
    """A rule of clusters as readers take it: a CSV file becomes the mapping that it holds.

    Raises:
        ValueError: no such file, no such columns, or no regular expression.
    """
    if isinstance(rule, dict):
        return rule
    if rule.lower().endswith(".csv"):
        lines = list(csv.DictReader(io.StringIO(read_file(Path(rule), SpecError), newline="")))
        if not lines or not {"image", "cluster"} <= lines[0].keys():
            raise ValueError(f"{rule}: clusters are a CSV file with the columns image and cluster")
        return {str(line["image"]): str(line["cluster"]) for line in lines}
    try:
        re.compile(rule)
    except re.error as error:
        raise ValueError(f"the clusters of {dataset}: '{rule}' is no regular expression ({error})") from None
    return rule


_FOLDER_KEYS = ("hr", "lq", "text", "instances", "labels")


def _anchored(document: dict[str, Any], base: Path) -> dict[str, Any]:
    """Make relative paths of dataset and method mappings absolute, and those of methods and metrics in files."""

    def anchor(entry: Any, key: str) -> Any:
        if key == "methods" and isinstance(entry, str | dict):
            placed = anchored(entry, base)
            # A text is relative to the working folder, as on the command line; but code is looked for beside the spec.
            is_code = isinstance(placed, Mapping) and "object" in placed
            return placed if is_code or isinstance(entry, dict) else entry
        if key == "metrics":
            return metric_beside(entry, base)
        if isinstance(entry, str):
            name, equals, place = entry.rpartition("=")
            return f"{name}{equals}{base / place if is_card_file(place) else anchored_object(place, base)}"
        if not isinstance(entry, dict):
            return entry
        placed = {k: str(base / v) if k in _FOLDER_KEYS and isinstance(v, str) else v for k, v in entry.items()}
        return anchored_reference(placed, base)

    def beside(rule: Any) -> Any:
        return str(base / rule) if isinstance(rule, str) and rule.lower().endswith(".csv") else rule

    if isinstance(document.get("clusters"), dict):
        document = {**document, "clusters": {name: beside(rule) for name, rule in document["clusters"].items()}}
    return {
        key: [anchor(entry, key) for entry in value]
        if key in ("datasets", "methods", "metrics") and isinstance(value, list)
        else anchored_reference(value, base)
        if key == "protocol"
        else value
        for key, value in document.items()
    }
