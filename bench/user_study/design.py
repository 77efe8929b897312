"""The design of a user study: what raters are asked, what they see, and by which rules they are left out."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ...datasets.names import did_you_mean
from ...datasets.strict import Strict, read_file, read_mapping, validated
from .errors import StudyError


class ExclusionRules(Strict):
    """When a rater does not count. They are kept in the key, so that they are older than the votes."""

    fewest_answers: Annotated[int, Field(ge=1)] = 10
    """Answers, catch trials included, below which a rater is left out."""
    most_catch_failed: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.2
    """Share of catch trials that a rater may fail; with more, nobody looked."""
    fastest_median: Annotated[float, Field(ge=0, strict=False)] = 1.0
    """Seconds; a rater whose median answer took less is left out."""
    most_one_place: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.85
    """Share of answers that may be for the same place on the screen."""


class StudyDesign(Strict):
    """One user study. Unknown keys are errors; every default is visible here."""

    name: str
    summary: str = ""
    kind: Literal["pairs", "best-of"]
    """Two outputs a trial, or the outputs of all methods."""
    title: str = "Which image is better?"
    question: str = "Which image looks better?"
    instructions: str = (
        "You see versions of the same picture. Look at details, edges and textures; zoom in where you are unsure."
        " There is no right answer: choose the one that you like better."
    )
    show: Literal["nothing", "lq", "hr"] = "nothing"
    """What stands beside the versions: the image that they were made from, enlarged, or the original."""
    tie: bool = False
    """Whether "no difference" is an answer."""
    images: Annotated[int, Field(ge=1)] | None = None
    """How many are drawn from the store, of all datasets together; default: all that every method has."""
    crop: Annotated[int, Field(ge=16)] | None = None
    """Side of the part that is shown, drawn at random in each image; default: the whole image."""
    trials: Annotated[int, Field(ge=1)] | None = None
    """Of pairs: how many are in the page, balanced over pairs of methods; default: every pair on every image."""
    per_rater: Annotated[int, Field(ge=1)] | None = None
    """How many each rater gets, drawn anew for each; default: all."""
    catch: Annotated[int, Field(ge=0)] = 8
    """Trials with a known answer for each rater: an output against blurred versions of itself."""
    raters: Annotated[int, Field(ge=1)] | None = None
    """How many people are meant to answer; told to the experimenter alone."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of images, parts, orders and neutral names."""
    rules: ExclusionRules = ExclusionRules()


def shipped_designs() -> tuple[str, ...]:
    """Names of the designs that come with the package."""
    names = (entry.name for entry in files(__package__).joinpath("designs").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_design(source: str, overrides: dict[str, Any] | None = None) -> StudyDesign:
    """Read a design from a shipped name or a YAML file.

    Args:
        source: name or path.
        overrides: take the place of its keys.

    Raises:
        StudyError: no such design, not YAML, or a key or value that a design cannot have.
    """
    if source in shipped_designs():
        text = files(__package__).joinpath("designs", f"{source}.yaml").read_text(encoding="utf-8")
    elif Path(source).is_file():
        text = read_file(Path(source), StudyError)
    else:
        hint = did_you_mean(source, shipped_designs())
        raise StudyError(f"{source}: neither a design file nor the name of a shipped design{hint}")
    document = read_mapping(text, source, "a design", StudyError)
    return validated(StudyDesign, {**document, **(overrides or {})}, source, StudyError)
