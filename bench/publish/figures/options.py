"""Options of figures: one strict model for each kind, which is also an entry of a figure list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ....datasets.names import did_you_mean
from ....datasets.strict import Strict, validated
from ....reports.figures.style import Font, Paper, Suffix
from ..formats import FormatError

Texts = Annotated[tuple[str, ...], Field(strict=False)]
Number = Annotated[float, Field(strict=False)]
BoxNumbers = Annotated[tuple[int, int, int, int], Field(strict=False)]


class FigureOptions(Strict):
    """Options that all kinds share."""

    kind: str
    name: str | None = None
    """Name of the files without suffix; default: kind, dataset and protocol."""
    store: str | None = None
    """Folder of results, if the list does not name one for all figures."""
    datasets: Texts = ()
    """Datasets to draw; empty: all."""
    protocol: str | None = None
    """Protocol to draw; without it: all."""
    methods: Texts = ()
    """Methods to draw, in this order; empty: all."""
    columns: Literal[1, 2] = 1
    """Width: one or both columns of a two-column paper."""
    height: Annotated[float, Field(gt=0, strict=False)] | None = None
    """Height in inches, instead of the kind's default."""
    title: bool = False
    """Write a title above the figure; in a paper, the caption usually has it."""
    font: Font = "serif"
    """serif (like Times) or sans (the machine's Helvetica or Arial)."""
    size: Annotated[float, Field(ge=4, le=24, strict=False)] = 8.0
    """Size of axis labels in points; other texts have sizes relative to it."""
    usetex: bool = False
    """Let LaTeX set all text, in the fonts of its preamble."""
    dpi: Annotated[int, Field(ge=36, le=1200)] = 300
    """Resolution of PNG files in dots per inch."""
    formats: Annotated[tuple[Suffix, ...], Field(strict=False, min_length=1)] = ("pdf", "png")
    """Files to write: pdf, png, svg."""

    @property
    def paper(self) -> Paper:
        """The paper that the figure is for."""
        return Paper(self.columns, self.height, self.font, self.size, self.title, self.usetex)


class CurvesOptions(FigureOptions):
    """Perception against distortion: methods that are one model at several settings are joined in order."""

    kind: Literal["curves"]
    x: str = "psnr_y"
    y: Texts = ("lsd",)
    """One panel for each metric."""


class SpectrumOptions(FigureOptions):
    """Radial power of each method against HR's, with its interval over images, and the ratio to HR."""

    kind: Literal["spectrum"]


class FrcOptions(FigureOptions):
    """Fourier ring correlation of each method with HR, and its radial error, with their intervals over images."""

    kind: Literal["frc"]


class Spectrum2dOptions(FigureOptions):
    """Two-dimensional log spectra of one image: HR and every method."""

    kind: Literal["spectrum2d"]
    images: Texts = ()
    """One figure for each; empty: the first."""


class CropsOptions(FigureOptions):
    """Visual comparison: HR with boxes, and each box of LQ, every method and HR, with values; the best bold."""

    kind: Literal["crops"]
    images: Texts = ()
    """One figure for each; empty: the first."""
    boxes: Annotated[tuple[BoxNumbers, ...], Field(strict=False, max_length=4)] = ()
    """``[left, top, width, height]`` in HR's pixels; empty: the square where methods differ most."""
    side: Annotated[int, Field(ge=4)] = 64
    """Of that square."""
    metrics: Texts = ()
    """Values below crops; empty: the first two of the store."""
    per_row: Annotated[int, Field(ge=1)] | None = None
    """Crops in a row, instead of what suits the width."""


class ArtifactsOptions(FigureOptions):
    """Where each method has artifacts in one image: LDL's map and DeSRA's areas over its pixels."""

    kind: Literal["artifacts"]
    images: Texts = ()
    """One figure for each; empty: the first."""
    stable: str = ""
    """A method of fewer artifacts, such as a network trained for PSNR: DeSRA compares with it instead of with HR, and
    LDL's map is 0 where a method is nearer to HR than it is."""


class SeverityOptions(FigureOptions):
    """Values over the strength of each degradation of a spec's ``severity``, the others at their mildest, with the
    interval of the change since the mildest."""

    kind: Literal["severity"]
    y: Texts = ()
    """Metrics, one row of panels for each; empty: all of the store."""


class SensitivityOptions(FigureOptions):
    """Values over one parameter of the methods."""

    kind: Literal["sensitivity"]
    parameter: str = "sampling.steps"
    """Dotted key of the methods' references in specs; the label of the axis."""
    values: Annotated[dict[str, Number], Field(strict=False)] = Field(default_factory=dict)
    """Method to parameter, where references do not say it."""
    y: Texts = ("lsd",)
    """One panel for each metric."""


class BarsOptions(FigureOptions):
    """Values of methods as bars with intervals: the arms of an ablation."""

    kind: Literal["bars"]
    metrics: Texts = ()
    """One panel for each; empty: all of the store."""


class CostOptions(FigureOptions):
    """Quality against cost."""

    kind: Literal["cost"]
    x: Literal["seconds", "memory", "parameters", "macs", "activations"] = "seconds"
    y: str = "psnr_y"


class RanksOptions(FigureOptions):
    """Ranks of methods by dataset and metric as a heat map, with their mean."""

    kind: Literal["ranks"]
    metrics: Texts = ()
    """Columns; empty: all that rank methods."""


class RadarOptions(FigureOptions):
    """Metrics around a circle: the best method of each at the rim, the worst at the inner ring."""

    kind: Literal["radar"]
    metrics: Texts = ()
    """Three or more; empty: all that rank methods."""


class ViolinsOptions(FigureOptions):
    """Values of single images as violins, one for each method: what a mean hides."""

    kind: Literal["violins"]
    metrics: Texts = ()
    """One panel for each; empty: all of the store."""


class CorrelationOptions(FigureOptions):
    """How much metrics agree: rank correlation of each pair, turned so that better goes with better."""

    kind: Literal["correlation"]
    metrics: Texts = ()
    """Two or more; empty: all of the store."""
    coefficient: Literal["spearman", "kendall"] = "spearman"
    over: Literal["outputs", "methods"] = "outputs"
    """Every image of every method as a point, or every method with its means."""


class CheckpointsOptions(FigureOptions):
    """Metrics over the steps of a training: methods called ``NAME-STEP`` are its checkpoints, others lines across."""

    kind: Literal["checkpoints"]
    y: Texts = ("psnr_y",)
    """One panel for each metric."""


class TilesOptions(FigureOptions):
    """Metrics over the side of tiles: methods that are one model in specs but for ``tile``; others are lines across."""

    kind: Literal["tiles"]
    y: Texts = ("psnr_y",)
    """One panel for each metric."""


class TrainingOptions(FigureOptions):
    """What trainings logged, over their steps; needs no store."""

    kind: Literal["training"]
    logs: Annotated[dict[str, str], Field(strict=False, min_length=1)]
    """Name to a ``log.csv`` or the folder of it."""
    y: Texts = ("loss",)
    """Columns, one panel for each."""
    smooth: Annotated[int, Field(ge=1)] = 1
    """Logged values of the running mean."""


KINDS: dict[str, type[FigureOptions]] = {
    "spectrum": SpectrumOptions,
    "frc": FrcOptions,
    "spectrum2d": Spectrum2dOptions,
    "curves": CurvesOptions,
    "crops": CropsOptions,
    "artifacts": ArtifactsOptions,
    "sensitivity": SensitivityOptions,
    "severity": SeverityOptions,
    "bars": BarsOptions,
    "cost": CostOptions,
    "ranks": RanksOptions,
    "radar": RadarOptions,
    "violins": ViolinsOptions,
    "correlation": CorrelationOptions,
    "checkpoints": CheckpointsOptions,
    "tiles": TilesOptions,
    "training": TrainingOptions,
}


def parse_options(entry: Any, origin: str) -> FigureOptions:
    """Read one entry of a figure list.

    Raises:
        FormatError: an unknown kind, key or value; the message names the entry and the nearest valid one.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise FormatError(f"{origin}: a figure is a mapping with a key 'kind' (one of {', '.join(KINDS)})")
    kind = entry["kind"]
    if kind not in KINDS:
        raise FormatError(f"{origin}: unknown figure '{kind}'{did_you_mean(kind, KINDS, 'asasr-bench list figures')}")
    return validated(KINDS[kind], entry, f"{origin}: figure '{kind}'", FormatError)


def options_of(kind: str, options: Mapping[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """Of options for several kinds those that concern one: a key that only other kinds have is left out."""
    if kind not in KINDS:
        return dict(options)
    elsewhere = {key for kind_name in kinds if kind_name in KINDS for key in KINDS[kind_name].model_fields}
    return {key: value for key, value in options.items() if key in KINDS[kind].model_fields or key not in elsewhere}


def of_metrics(kind: str, metrics: Sequence[str]) -> dict[str, Any]:
    """The key of a kind that says which metrics it shows, with these as its value; nothing without any.

    Raises:
        FormatError: the kind shows no metrics that can be chosen, or one alone.
    """
    fields = KINDS[kind].model_fields if kind in KINDS and metrics else {}
    if not fields:
        return {}
    key = next((key for key in ("metrics", "y") if key in fields), None)
    if key is None or kind == "training":
        raise FormatError(f"figure '{kind}': shows no metrics that can be chosen; leave --metric away")
    if fields[key].annotation is not str:
        return {key: list(metrics)}
    if len(metrics) > 1:
        raise FormatError(f"figure '{kind}': shows one metric, not {len(metrics)}")
    return {key: metrics[0]}


def anchored(options: FigureOptions, base: Path) -> FigureOptions:
    """The same with relative paths starting from a folder."""
    changes: dict[str, Any] = {}
    if options.store is not None:
        changes["store"] = str(base / options.store)
    if isinstance(options, TrainingOptions):
        changes["logs"] = {name: str(base / path) for name, path in options.logs.items()}
    return options.model_copy(update=changes)
