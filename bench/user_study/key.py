"""The key of a user study: the methods behind the neutral names of its page. Raters must not see it."""

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
    """Neutral name to method, in random order; in a catch trial to ``output`` or ``blurred``."""
    expected: str | None = None
    """The neutral name that should be chosen; None unless the trial is a catch trial."""


class StudyKey(Strict):
    """The content of ``key.json``."""

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
    """Digest of the trials, which distinguishes votes of this study from those of other studies."""
    text = json.dumps([trial.model_dump() for trial in trials], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        VotesError: the file cannot be read, is too long, or is not JSON.
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
        VotesError: the file is not a key, or was changed.
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
