"""The design of a user study: the question, what raters see, and the rules by which raters are left out."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ...datasets.names import did_you_mean
from ...datasets.strict import Strict, read_file, read_mapping, validated
from .errors import StudyError


class ExclusionRules(Strict):
    """Rules by which a rater is left out. The key has them, so they are fixed before the votes."""

    fewest_answers: Annotated[int, Field(ge=1)] = 10
    """Fewest answers, catch trials included; a rater with fewer is left out."""
    most_catch_failed: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.2
    """Share of catch trials that a rater may fail; a rater who fails more did not look."""
    fastest_median: Annotated[float, Field(ge=0, strict=False)] = 1.0
    """Shortest median time of an answer in seconds; a faster rater is left out."""
    most_one_place: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.85
    """Share of answers that may be for the same place on the screen."""


class StudyDesign(Strict):
    """One user study. Unknown keys are errors; every default is visible here."""

    name: str
    summary: str = ""
    kind: Literal["pairs", "best-of"]
    """``pairs``: two outputs in each trial; ``best-of``: the outputs of all methods."""
    title: str = "Which image is better?"
    question: str = "Which image looks better?"
    instructions: str = (
        "You see versions of the same picture. Look at details, edges and textures; zoom in where you are unsure."
        " There is no right answer: choose the one that you like better."
    )
    show: Literal["nothing", "lq", "hr"] = "nothing"
    """Shown beside the versions: nothing, the enlarged LQ image, or the original."""
    tie: bool = False
    """Whether raters may answer "no difference"."""
    images: Annotated[int, Field(ge=1)] | None = None
    """Number of images that are drawn from the store, over all datasets; default: all images that every method has."""
    crop: Annotated[int, Field(ge=16)] | None = None
    """Side of the part that is shown, drawn at random in each image; default: the whole image."""
    trials: Annotated[int, Field(ge=1)] | None = None
    """For pairs: number of trials in the page, balanced over pairs of methods; default: every pair on every image."""
    per_rater: Annotated[int, Field(ge=1)] | None = None
    """Number of trials for each rater, drawn for each rater separately; default: all."""
    catch: Annotated[int, Field(ge=0)] = 8
    """Trials with a known answer for each rater: an output against blurred versions of itself."""
    raters: Annotated[int, Field(ge=1)] | None = None
    """Number of people who are expected to answer; only the experimenter sees it."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the choice of images and parts, of orders and of neutral names."""
    rules: ExclusionRules = ExclusionRules()


def shipped_designs() -> tuple[str, ...]:
    """Names of the designs that come with the package."""
    names = (entry.name for entry in files(__package__).joinpath("designs").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_design(source: str, overrides: dict[str, Any] | None = None) -> StudyDesign:
    """Read a design from a shipped name or a YAML file.

    Args:
        source: name of a shipped design, or path of a YAML file.
        overrides: keys whose values replace those of the design.

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
