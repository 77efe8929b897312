"""Metrics of other people: a function with a small card, or a ``Metric``, found by a name that holds its place.

Three ways lead to them: the name of an entry point of the group ``asasr_bench.metrics``, ``module:object``, and
``FILE.py:object``. What begins with a measure of tasks and a colon (``miou:camvid``) is never taken for one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ...datasets.names import name_problem
from ...methods.errors import MissingWeightsError
from ...methods.user_code.objects import CodeError, Identity, Imported, constructed, identity_of, import_object
from ...methods.user_code.references import ObjectReference, anchored_object, installed_objects
from .card import MetricCard
from .faithfulness import JUDGE
from .metric import Metric, MetricError, per_image
from .metric_input import MetricInput
from .pyiqa_by_name import PYIQA
from .shipped import shipped_metrics

if TYPE_CHECKING:
    from pydantic import BaseModel

ENTRY_POINT_GROUP = "asasr_bench.metrics"

Function = Callable[..., float]


def anchored(reference: Any, folder: Path) -> Any:
    """The same metric for whoever works elsewhere: files and modules of this folder by their absolute paths.

    The engine of a task that is somebody's code is found alike. What says nothing sensible stays as it is.
    """
    if isinstance(reference, dict) and isinstance(reference.get("object"), str):
        return {**reference, "object": anchored(reference["object"], folder)}
    if not isinstance(reference, str):
        return reference
    from .tasks.catalogue import TaskId, is_task_id

    if reference.startswith(JUDGE):
        return f"{JUDGE}{(folder / reference.removeprefix(JUDGE)).resolve()}"
    if reference.startswith(PYIQA):
        return reference
    if not is_task_id(reference):
        return anchored_object(reference, folder)
    try:
        task = TaskId.parse(reference)
    except MetricError:
        return reference
    return replace(task, engine=anchored_object(task.engine, folder)).text if task.is_code else reference


def installed_metrics() -> dict[str, str]:
    """Places of entry points by the id of the metric; none of this package's ids, and none of a measure of tasks."""
    from .tasks.catalogue import measures

    return installed_objects(ENTRY_POINT_GROUP, {*shipped_metrics(), *measures()})


def metric_from_code(reference: ObjectReference) -> Metric:
    """The metric of ``FILE.py:object`` or ``module:object``, looked for in the working folder first.

    Raises:
        MetricError: it cannot be imported, or is no metric.
    """
    placed = replace(reference, text=anchored_object(reference.text, Path.cwd()))
    metric = _imported(reference, placed.text)
    if metric.of_set is not None:
        raise MetricError(
            f"metric '{reference.text}' has values of whole sets, which reports compute anew: install it as an entry"
            f" point of the group '{ENTRY_POINT_GROUP}', so that they find it"
        )
    return replace(metric, code=placed)


def installed_metric(reference: ObjectReference) -> Metric:
    """The metric of an entry point.

    Raises:
        MetricError: it cannot be imported, is no metric, or has another id.
    """
    id = reference.text
    metric = _imported(reference, installed_metrics()[id])
    if metric.id != (reference.name or id):
        raise MetricError(f"entry point '{id}' is the metric '{metric.id}'; give both the same name")
    return replace(metric, code=reference)


def _imported(reference: ObjectReference, place: str) -> Metric:
    subject = f"metric '{reference.text}'"
    try:
        imported = import_object(place)
        instance = constructed(imported, reference.args, ready=not isinstance(imported.value, type))
        metric = instance if isinstance(instance, Metric) else of_function(instance)
        if reference.name:
            metric = replace(metric, card=replace(metric.card, id=reference.name, title=reference.name))
        return _identified(metric, imported, reference.args, instance)
    except (CodeError, MetricError) as error:
        raise MetricError(f"{subject}: {error}") from error
    except Exception as error:  # its class may do anything
        raise MetricError(f"{subject} cannot be made ({type(error).__name__}: {error})") from error


def _identified(metric: Metric, imported: Imported, arguments: Mapping[str, Any], instance: object) -> Metric:
    try:
        return identified(
            metric, identity_of(imported, arguments, instance if instance is not imported.value else None)
        )
    except MissingWeightsError as error:
        return identified(metric, Identity("", "", ""), str(error))


def identified(metric: Metric, identity: Identity, absent: str = "") -> Metric:
    """A metric with the identity of its code as version, and of its files as weights.

    Args:
        metric: somebody's.
        identity: of what measures.
        absent: which of its files is missing.

    Raises:
        MetricError: its id is not for others.
    """
    if metric.id in shipped_metrics() or ":" in metric.id or name_problem(metric.id):
        problem = name_problem(metric.id) or "is an id of asasr-bench's own; choose another"
        raise MetricError(f"the id {metric.id!r} {problem}")
    card = replace(
        metric.card,
        version=f"{metric.card.version} {identity.code}".lstrip(),
        note="; ".join(filter(None, (metric.card.note, identity.incomplete))),
    )
    return replace(metric, card=card, requires=(_DeclaredFiles(identity.weights, absent), *metric.requires))


@dataclass(frozen=True)
class _DeclaredFiles:
    """The files that somebody's code declares; see ``Requirement``."""

    digests: str
    problem: str

    def missing(self) -> str:
        return self.problem

    def weights(self) -> str:
        return self.digests


def of_function(function: object) -> Metric:
    """The metric of a function of SR and what it is compared with, described by its attribute ``card``.

    Raises:
        MetricError: it is no such function, or its card is wrong.
    """
    card = getattr(function, "card", None)
    if not callable(function) or not isinstance(card, Mapping):
        raise MetricError(
            "is no metric: it needs to be a Metric, or a function with a mapping 'card', such as"
            " {'id': 'mae', 'direction': 'lower', 'needs': 'reference'}"
        )
    facts = _card(card)
    return Metric(facts, per_image(lambda image: _value(cast(Function, function), image, facts.needs)))


def _value(function: Function, image: MetricInput, needs: str) -> float:
    """Copies go to code that may write into them: other metrics share the images."""
    if needs == "reference":
        sr, hr = image.rgb
        return float(function(sr.copy(), hr.copy()))
    if needs == "lq":
        assert image.lq is not None
        return float(function(image.sr.copy(), image.lq.copy()))
    return float(function(image.sr_rgb.copy()))


def _card(card: Mapping[str, Any]) -> MetricCard:
    from ...datasets.strict import validated

    facts = validated(_model(), dict(card), "its card is wrong", MetricError).model_dump()
    return MetricCard(**{**facts, "title": facts["title"] or facts["id"]})


def _model() -> type[BaseModel]:
    from pydantic import Field

    from ...datasets.strict import Strict

    class Card(Strict):
        id: str
        title: str = ""
        unit: str = ""
        digits: int = Field(4, ge=0, le=12)
        direction: Literal["higher", "lower", "zero", "none"]
        needs: Literal["reference", "lq", "nothing"] = "reference"
        note: str = ""
        range: str = ""

    return Card
