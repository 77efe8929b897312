"""External judges: a command, such as a vision-language model, that gets images and a prompt and answers with a number.

The metric is ``judge:FILE.yaml``. The file has the command, the prompt and the range of answers. The version and the
text of the prompt and the digests of the command's files are part of the metric's version, and so of every score key.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import tempfile
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ....datasets.fetch.digests import digest_of
from ....datasets.images import to_uint8, write_png
from ....datasets.names import name_problem
from ....datasets.strict import Strict, read_file, read_mapping, validated
from ....methods.errors import MethodError, MissingWeightsError
from ....methods.programs.command import run_program
from ....methods.programs.program_files import program_identity
from ....methods.user_code.references import ObjectReference
from ..card import MetricCard
from ..metric import Metric, MetricError, per_image
from ..metric_input import MetricInput
from ..shipped import shipped_metrics
from . import JUDGE

VERSION = "1"
Number = Annotated[float, Field(strict=False)]
_IMAGES: Mapping[str, tuple[str, ...]] = {
    "reference": ("sr", "hr"),
    "lq": ("sr", "lq"),
    "pair": ("sr", "hr", "lq"),
    "nothing": ("sr",),
}


class Judge(Strict):
    """The content of a judge's file."""

    name: str
    """Id of the metric."""
    title: str = ""
    command: str
    """Without a shell, in the file's folder; ``{sr} {hr} {lq}`` are PNG files, ``{prompt}`` is the prompt's file, and
    it writes its answer to ``{answer}``: a JSON object with the number ``score``."""
    prompt: str
    """File with the prompt, relative to this file."""
    prompt_version: str
    """Version of the prompt, to be raised with every change."""
    direction: Literal["higher", "lower", "zero", "none"]
    low: Number
    """Lowest and highest valid score."""
    high: Number
    needs: Literal["reference", "lq", "pair", "nothing"] = "reference"
    digits: Annotated[int, Field(ge=0, le=12)] = 2
    files: tuple[str, ...] | None = Field(default=None, strict=False)
    """All other files and folders that the command reads, such as those of its model."""
    timeout: Annotated[float, Field(gt=0, strict=False)] = 600.0
    """Time limit for an image in seconds."""

    @model_validator(mode="after")
    def _fits(self) -> Judge:
        if problem := name_problem(self.name):
            raise ValueError(f"its name {problem}")
        if ":" in self.name:
            raise ValueError("its name has a colon, as metrics of tasks have")
        placeholders = (*_IMAGES[self.needs], "prompt", "answer")
        if lost := [word for word in placeholders if "{" + word + "}" not in self.command]:
            raise ValueError(f"'command' does not say where {{{lost[0]}}} goes (needs: {self.needs})")
        if not self.low < self.high:
            raise ValueError("'low' is below 'high'")
        try:
            shlex.split(self.command)
        except ValueError as error:
            raise ValueError(f"'command' cannot be split ({error})") from None
        return self


def judge_metric(text: str) -> Metric:
    """The metric of ``judge:FILE.yaml``, the file relative to the working folder.

    Raises:
        MetricError: the file cannot be read or has an invalid key or value, or the file of the prompt is missing.
    """
    path = Path(text.removeprefix(JUDGE)).resolve()
    content = read_mapping(read_file(path, MetricError), path, "a judge", MetricError)
    judge = validated(Judge, content, path, MetricError)
    if judge.name in shipped_metrics():
        raise MetricError(f"{path}: 'name': '{judge.name}' is an id of asasr-bench's own; choose another")
    prompt = path.parent / judge.prompt
    if not prompt.is_file():
        raise MetricError(f"{path}: 'prompt': no file {prompt}; write the prompt there, or correct the path")
    files = None if judge.files is None else [str(path.parent / name) for name in judge.files]
    absent, known, weights, incomplete = "", "", "", ""
    try:
        identity = program_identity(judge.name, judge.command, path.parent, {}, files)
        known = _digest([list(identity.arguments), identity.code, judge.needs, judge.low, judge.high])
        weights, incomplete = identity.weights, identity.incomplete
    except MissingWeightsError as error:
        absent = str(error)
    card = MetricCard(
        judge.name,
        judge.title or judge.name,
        "",
        judge.digits,
        judge.direction,
        incomplete,
        f"{judge.low:g}, {judge.high:g}",
        judge.needs,
        version=f"{VERSION}, prompt {judge.prompt_version} {digest_of(prompt)[:16]}, command {known}",
    )
    measure = per_image(lambda image: _judged(judge, path.parent, prompt, image))
    return Metric(card, measure, requires=(_Files(weights, absent),), code=ObjectReference(f"{JUDGE}{path}"))


def _digest(content: object) -> str:
    """16 hexadecimal digits of the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class _Files:
    """The files that a judge declares; see ``Requirement``."""

    def __init__(self, digests: str, problem: str) -> None:
        self._digests, self._problem = digests, problem

    def missing(self) -> str:
        return self._problem

    def weights(self) -> str:
        return self._digests


def _judged(judge: Judge, folder: Path, prompt: Path, image: MetricInput) -> float:
    """The judge's score of one image.

    Raises:
        ValueError: the command failed, or its answer is not a score; the message is one line.
    """
    with tempfile.TemporaryDirectory(prefix="asasr-bench-judge-") as name:
        answer = Path(name, "answer.json")
        values = {"prompt": str(prompt), "answer": str(answer)}
        for word in _IMAGES[judge.needs]:
            pixels = getattr(image, word)
            assert pixels is not None
            write_png(Path(name, f"{word}.png"), to_uint8(pixels))
            values[word] = str(Path(name, f"{word}.png"))
        arguments = [_filled(word, values) for word in shlex.split(judge.command)]
        try:
            run_program(f"judge '{judge.name}'", arguments, judge.timeout, folder)
        except MethodError as error:
            raise ValueError(" ".join(str(error).split())) from None
        return _score(judge, answer)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word


def _score(judge: Judge, answer: Path) -> float:
    subject = f"judge '{judge.name}'"
    try:
        content: Any = json.loads(answer.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{subject}: it ended without an answer in {{answer}}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{subject}: its answer is no JSON ({type(error).__name__}: {error})") from None
    score = content.get("score") if isinstance(content, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or not isfinite(score):
        raise ValueError(f"{subject}: its answer has no number 'score': {json.dumps(content):.200}")
    if not judge.low <= score <= judge.high:
        raise ValueError(f"{subject}: its score {score:g} is not within {judge.low:g} and {judge.high:g}")
    return float(score)
