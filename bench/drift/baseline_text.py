"""Parse the text of a baseline strictly, since others may have written the file."""

from __future__ import annotations

from math import inf
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ...datasets.scales import Scale
from ..store.records import Place
from .snapshot import Origin, OutputState, ScoreState, Snapshot

FORMAT = 1

_Value = FiniteFloat | Literal["inf", "-inf"]
_Number = Annotated[int, Field(ge=0)] | None
_Score = tuple[_Value, str, _Number]
_Row = tuple[str, Scale, str, str, str, int, str, str, str, str, _Number, dict[str, str | _Score]]
"""The six parts of a place; LQ, reference, SR, restoration, origin; metric to [value, key, origin], or to the reason
why there is no value."""


class BaselineText(BaseModel):
    """The JSON of a baseline; keys that later versions may add are ignored."""

    model_config = ConfigDict(strict=True)

    format: Literal[1]
    name: str
    started: str
    origins: list[Origin]
    methods: dict[str, dict[str, str]]
    tolerances: dict[str, Annotated[FiniteFloat, Field(ge=0)]]
    outputs: list[Annotated[_Row, Field(strict=False)]]

    @model_validator(mode="after")
    def _origins_are_there(self) -> BaselineText:
        for row in self.outputs:
            numbers = [row[10], *(score[2] for score in row[11].values() if not isinstance(score, str))]
            if any(number is not None and number >= len(self.origins) for number in numbers):
                raise ValueError(f"an origin of {row[4]}, {row[3]} is not among the {len(self.origins)} origins")
        return self


def parse(text: str) -> Snapshot:
    """The snapshot in the text of a baseline.

    Raises:
        ValidationError: the text is not a baseline. NaN is not allowed, and only values may be infinite.
    """
    read = BaselineText.model_validate_json(text)
    outputs: dict[Place, OutputState] = {}
    for row in read.outputs:
        lq, reference, sr, restoration, origin, scores = row[6:]
        outputs[Place(*row[:6])] = OutputState(
            lq, reference, sr, restoration, origin, {metric: _score(score) for metric, score in scores.items()}
        )
    return Snapshot(read.name, read.started, tuple(read.origins), read.methods, outputs, read.tolerances)


def _score(score: str | _Score) -> ScoreState:
    if isinstance(score, str):
        return ScoreState(None, message=score)
    value, key, origin = score
    return ScoreState({"inf": inf, "-inf": -inf}[value] if isinstance(value, str) else value, key, origin)
