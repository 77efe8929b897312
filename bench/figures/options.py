"""What can be asked of a figure: one strict model for each kind, the entries of a figure list."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..leaderboard import FormatError

Texts = Annotated[tuple[str, ...], Field(strict=False)]


class FigureOptions(BaseModel):
    """What all kinds share."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str
    name: str | None = None
    """Of the files, without suffix; default: kind, dataset and protocol."""
    store: str | None = None
    """Folder of results, where a list does not name one for all."""
    datasets: Texts = ()
    """Datasets to draw; empty: each."""
    protocol: str | None = None
    """Protocol to draw; without it: each."""
    methods: Texts = ()
    """Methods to draw, in this order; empty: all."""
    columns: Literal[1, 2] = 1
    """Width: one or both columns of a two-column paper."""
    height: Annotated[float, Field(gt=0, strict=False)] | None = None
    """In inches, instead of what suits the kind."""


class CurvesOptions(FigureOptions):
    """Perception against distortion: methods that are one model at several settings are joined in order."""

    kind: Literal["curves"]
    x: str = "psnr_y"
    y: Texts = ("lsd",)
    """One panel for each metric."""


class SpectrumOptions(FigureOptions):
    """Radial power of each method against HR's, with its interval over images, and the ratio to HR."""

    kind: Literal["spectrum"]


KINDS: dict[str, type[FigureOptions]] = {"spectrum": SpectrumOptions, "curves": CurvesOptions}


def parse_options(given: Any, origin: str) -> FigureOptions:
    """Read one entry of a figure list.

    Raises:
        FormatError: an unknown kind, key or value; the message names the entry and the nearest valid one.
    """
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise FormatError(f"{origin}: a figure is a mapping with a key 'kind' (one of {', '.join(KINDS)})")
    kind = given["kind"]
    if kind not in KINDS:
        nearest = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise FormatError(f"{origin}: unknown figure '{kind}'{hint} (known: {', '.join(KINDS)})")
    model = KINDS[kind]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        if problem["type"] != "extra_forbidden":
            raise FormatError(f"{origin}: figure '{kind}': '{place}': {problem['msg']}") from None
        known = list(model.model_fields)
        nearest = difflib.get_close_matches(place, known, n=1, cutoff=0.4)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else f" (known: {', '.join(known)})"
        raise FormatError(f"{origin}: figure '{kind}' has no key '{place}'{hint}") from None


def anchored(options: FigureOptions, base: Path) -> FigureOptions:
    """The same with relative paths starting from a folder."""
    paths = {
        key: str(base / value) for key in ("store",) if isinstance(value := getattr(options, key, None), str)
    }  # fmt: skip
    if logs := getattr(options, "logs", None):
        paths["logs"] = {name: str(base / path) for name, path in logs.items()}  # type: ignore[assignment]
    return options.model_copy(update=paths)
