"""The key of a user study: what the neutral names of its page stand for. Whoever has it is no rater any more."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ...datasets.scales import Scale
from ...datasets.strict import Strict, read_file, validated
from .design import StudyDesign
from .errors import VotesError

FORMAT = "user study key"
_LONGEST = 64 << 20


class Trial(Strict):
    """One question of the page."""

    id: str
    dataset: str
    image: str
    options: dict[str, str]
    """Method by neutral name, in random order; in a catch trial ``blurred`` but for the expected one."""
    expected: str | None = None
    """Of a catch trial: the neutral name that is to be chosen."""


class StudyKey(Strict):
    """A made study."""

    format: Literal["user study key"] = "user study key"
    version: Literal[1] = 1
    study: str
    """Digest of the trials; the page and every file of votes have it."""
    design: StudyDesign
    protocol: str
    scale: Scale
    methods: Annotated[tuple[str, ...], Field(strict=False)]
    trials: Annotated[tuple[Trial, ...], Field(strict=False)]


def study_id(trials: tuple[Trial, ...]) -> str:
    """What tells votes of this study from those of others."""
    text = json.dumps([trial.model_dump() for trial in trials], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        VotesError: it cannot be read, is too long, or is no JSON.
    """
    text = read_file(path, VotesError)
    if len(text) > _LONGEST:
        raise VotesError(f"{path}: has {len(text)} signs, more than the {_LONGEST} that are read")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VotesError(f"{path}: is no JSON ({' '.join(str(error).split())}); ask for the file again") from None


def read_key(path: Path) -> StudyKey:
    """Read the key that ``user-study make`` wrote.

    Raises:
        VotesError: it is none, or was changed.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise VotesError(f"{path}: is no key of a user study; give the key.json that 'user-study make' wrote")
    key = validated(StudyKey, content, path, VotesError)
    if study_id(key.trials) != key.study:
        raise VotesError(
            f"{path}: its trials are not those that it was made with; take the file that was written first"
        )
    return key
