"""Read files of votes strictly, and replace neutral names by the names of methods from the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ...datasets.names import name_problem
from ...datasets.strict import Strict, validated
from .ballots import Vote
from .errors import VotesError
from .key import StudyKey, Trial, read_json

FORMAT = "user study votes"


class Answer(Strict):
    """One answer in a file of votes."""

    trial: str
    shown: Annotated[tuple[str, ...], Field(strict=False, min_length=2)]
    """Neutral names from the first place on the screen to the last."""
    choice: str | None
    """None: no difference."""
    ms: Annotated[float, Field(ge=0, lt=1e9, strict=False, allow_inf_nan=False)]
    """Milliseconds from when all images were there to the answer, less those in which the page was hidden."""
    zoom: Annotated[float, Field(ge=0, strict=False, allow_inf_nan=False)] = 1
    """The largest magnification."""


class VoteFile(Strict):
    """A file of votes, as the page writes it."""

    format: Literal["user study votes"]
    version: Literal[1]
    study: str
    rater: str
    """Random name, drawn by the page."""
    code: str = ""
    """Code that the experimenter gave to the rater; '' for none."""
    started: str = ""
    """ISO 8601."""
    saved: str = ""
    complete: bool = False
    trials: Annotated[int, Field(ge=0)] = 0
    """Number of trials in the page for this rater."""
    screen: dict[str, float] = Field(default_factory=dict)
    answers: tuple[Answer, ...] = Field(strict=False)


@dataclass(frozen=True)
class Rater:
    """The answers of one rater."""

    name: str
    """The code that the experimenter gave to the rater, else the random name."""
    votes: tuple[Vote, ...]
    """Answers to trials that count."""
    catch_failed: int
    catch: int
    seconds: tuple[float, ...]
    """Times of all answers."""
    places: tuple[int, ...]
    """Places on the screen of all choices, from 0; -1: no difference."""
    complete: bool


def read_votes(paths: Sequence[Path], key: StudyKey) -> tuple[list[Rater], list[str]]:
    """The raters of files of votes, and a message for each file that cannot be used.

    If there are several files of a rater, the one with the most answers counts.
    """
    files: dict[str, tuple[Path, VoteFile]] = {}
    problems = []
    trials = {trial.id: trial for trial in key.trials}
    for path in paths:
        try:
            file = _read(path, key, trials)
        except VotesError as error:
            problems.append(str(error))
            continue
        if file.rater in files:
            older, before = files[file.rater]
            fewer = path if len(file.answers) < len(before.answers) else older
            whole = older if fewer == path else path
            problems.append(f"{fewer}: is of the same rater as {whole}, which has as many answers or more; left out")
            if fewer == path:
                continue
        files[file.rater] = path, file
    codes = [file.code for _, file in files.values()]
    return [_rater(file, trials, codes) for _, file in files.values()], problems


def _read(path: Path, key: StudyKey, trials: dict[str, Trial]) -> VoteFile:
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise VotesError(f"{path}: is no file of votes; ask the rater for the file that the page saved")
    if content.get("study") != key.study:
        raise VotesError(f"{path}: has votes of another study than the key; read it with the key of its own page")
    file = validated(VoteFile, content, path, VotesError)
    for word, name in (("rater", file.rater), ("code", file.code or "none")):
        if problem := name_problem(name):
            raise VotesError(f"{path}: the {word} {problem}; ask for the file again")
    answered = set()
    for answer in file.answers:
        trial = trials.get(answer.trial)
        if trial is None:
            raise VotesError(f"{path}: answers a trial that the study has not; the file was changed, ask for it again")
        if answer.trial in answered:
            raise VotesError(f"{path}: answers a trial twice; the file was changed, ask for it again")
        if sorted(answer.shown) != sorted(trial.options):
            raise VotesError(f"{path}: names images that the trial has not; the file was changed, ask for it again")
        if answer.choice is None and not key.design.tie:
            raise VotesError(f"{path}: has an answer without a choice, which the study did not offer; ask for it again")
        if answer.choice is not None and answer.choice not in answer.shown:
            raise VotesError(f"{path}: chooses an image that was not shown; the file was changed, ask for it again")
        answered.add(answer.trial)
    return file


def _rater(file: VoteFile, trials: dict[str, Trial], codes: Sequence[str]) -> Rater:
    name = file.code if file.code and codes.count(file.code) == 1 else f"{file.code} {file.rater}".strip()
    votes, failed, catch = [], 0, 0
    for answer in file.answers:
        trial = trials[answer.trial]
        if trial.expected is not None:
            catch += 1
            failed += answer.choice != trial.expected
            continue
        methods = tuple(trial.options.values())
        shown = tuple(trial.options[id] for id in answer.shown)
        choice = None if answer.choice is None else trial.options[answer.choice]
        votes.append(Vote(file.rater, trial.id, trial.dataset, trial.image, methods, shown, choice, answer.ms / 1000))
    places = tuple(-1 if answer.choice is None else answer.shown.index(answer.choice) for answer in file.answers)
    seconds = tuple(answer.ms / 1000 for answer in file.answers)
    return Rater(name, tuple(votes), failed, catch, seconds, places, file.complete)
