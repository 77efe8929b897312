"""All names that ``show`` knows, and the facts about each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

Facts = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of thing with names, such as methods or metrics."""

    word: str
    names: Callable[[], Iterable[str]]
    facts: Callable[[str], Facts]
    also: Callable[[str], bool] = lambda name: False
    """Whether a name that is not listed is of this kind."""

    def has(self, name: str) -> bool:
        """Whether a name is of this kind."""
        return self.also(name) or name in self.names()


def kinds() -> tuple[Kind, ...]:
    """All kinds of things with names."""
    from ....asasr.config import preset_names as configurations
    from ....datasets.card import card_ids, is_card_file
    from ....datasets.degradation.settings import preset_names as degradations
    from ....methods.published.values import published_tables
    from ....methods.registry import REGISTRY
    from ....methods.weights.files import manifest
    from ...metrics.shipped import shipped_metrics
    from ...metrics.third_party import installed_metrics
    from ...protocols import installed_protocols, is_shipped, protocol_names
    from ...spec import shipped_specs
    from ...train.ablation.spec import shipped_studies

    return (
        Kind("spec", shipped_specs, _of_spec),
        Kind("study", shipped_studies, study_facts),
        Kind("dataset", card_ids, _of_dataset, is_card_file),
        Kind("metric", lambda: (*shipped_metrics(), *installed_metrics()), _of_metric, _is_made_by_id),
        Kind("engine", engine_names, facts_of_engine),
        Kind("protocol", lambda: (*protocol_names(), *installed_protocols()), _of_protocol, is_shipped),
        Kind("published", published_tables, _of_published),
        Kind("degradation", degradations, _of_degradation),
        Kind("configuration", configurations, _of_configuration),
        Kind("weights", manifest, _of_weights),
        Kind("method", REGISTRY.names, _of_method),
        Kind("figure", _figures, _of_figure),
    )


def _figures() -> Iterable[str]:
    from ...publish.figures.options import KINDS

    return KINDS


def facts_by_kind(name: str) -> dict[str, Facts]:
    """Facts about a name by kind; empty if the name is unknown.

    Figures, whose library takes a second to load, are searched only if no other kind has the name.
    """
    *other_kinds, figures = kinds()
    known = {kind.word: kind.facts(name) for kind in other_kinds if kind.has(name)}
    if not known and figures.has(name):
        known[figures.word] = figures.facts(name)
    return known


def all_names() -> list[str]:
    """Every name, once."""
    return list(dict.fromkeys(known for kind in kinds() for known in kind.names()))


def of_reference(name: str) -> Facts:
    """Facts about a method by a reference that is not a name: a file, code, or a folder of images.

    Raises:
        UsageError: the reference is a name, and the name is unknown.
        MethodError: see ``resolve``.
    """
    from ....datasets.errors import UsageError
    from ....datasets.names import did_you_mean
    from ....methods.registry import resolve

    if not any(sign in name for sign in ":/.="):
        raise UsageError(f"nothing is called '{name}'{did_you_mean(name, all_names(), 'asasr-bench list')}")
    return _of_entry(resolve(name))


def _of_spec(name: str) -> Facts:
    from ...spec import load_spec

    return load_spec(name).model_dump(mode="json")


def _of_dataset(name: str) -> Facts:
    from ....datasets.card import load_card

    return load_card(name).model_dump(mode="json")


def _of_metric(name: str) -> Facts:
    from ...metrics.registry import get_metric

    metric = get_metric(name)
    keys = ("id", "title", "unit", "direction", "range", "version", "needs", "note")
    return {**{key: getattr(metric.card, key) for key in keys}, "state": metric.missing() or "ready"}


def _is_made_by_id(name: str) -> bool:
    from ...metrics.faithfulness import FEATURES
    from ...metrics.pyiqa_by_name import PYIQA
    from ...metrics.tasks.catalogue import is_task_id

    return is_task_id(name) or name.startswith((FEATURES, PYIQA))


def engine_names() -> list[str]:
    """Engines of the metrics of tasks, except those that need the name of a file."""
    from ...metrics.tasks.catalogue import measures
    from ...metrics.tasks.user_engines import installed_engines

    listed = (engine for engines in measures().values() for engine in engines if "/" not in engine)
    return list(dict.fromkeys((*listed, *installed_engines())))


def facts_of_engine(name: str) -> Facts:
    """The measures of an engine, and whether it is ready."""
    from ...metrics.registry import get_metric
    from ...metrics.tasks.catalogue import measures
    from ...metrics.tasks.user_engines import installed_engines

    serving = [measure for measure, engines in measures().items() if name in engines]
    facts: Facts = {"measures": [f"{measure}:{name}" for measure in serving], "place": installed_engines().get(name)}
    if serving:
        metric = get_metric(f"{serving[0]}:{name}")
        facts |= {"note": metric.card.note, "state": metric.missing() or "ready"}
    else:
        facts["state"] = "installed"
    return facts


def _of_protocol(name: str) -> Facts:
    from ...protocols import get_protocol, protocol_names

    return asdict(get_protocol(name, 4 if name in protocol_names() else None))


def _of_published(name: str) -> Facts:
    from ....methods.published.values import published_tables

    table = published_tables()[name]
    return {
        **table.model_dump(exclude={"sets"}),
        "datasets": list(dict.fromkeys(image_set.dataset for image_set in table.sets)),
        "methods": list(dict.fromkeys(method for image_set in table.sets for method in image_set.rows)),
        "metrics": list(dict.fromkeys(metric for image_set in table.sets for metric in image_set.metrics)),
    }


def _of_degradation(name: str) -> Facts:
    from ....datasets.degradation.settings import preset

    facts = asdict(preset(name))
    return {"reference": f"degradation:{name}", **facts}


def _of_configuration(name: str) -> Facts:
    from ....asasr.config import load_config

    return load_config(name).model_dump(mode="json")


def _of_figure(name: str) -> Facts:
    from ...publish.figures.options import KINDS, FigureOptions

    model = KINDS[name]
    shared = [key for key in FigureOptions.model_fields if key != "kind"]
    own_keys = [key for key in model.model_fields if key not in FigureOptions.model_fields]
    return {"shows": " ".join((model.__doc__ or "").split()), "own keys": own_keys, "shared keys": shared}


def _of_weights(name: str) -> Facts:
    from ....methods.weights.files import WeightsError, find, weight_file

    entry = weight_file(name)
    try:
        path = find(entry)
        state = str(path) if path is not None else f"missing; {entry.remedy}"
    except WeightsError as error:
        state = str(error)
    keys = ("file", "url", "licence", "sha256", "bytes")
    return {**{key: getattr(entry, key) for key in keys}, "state": state}


def _of_method(name: str) -> Facts:
    from ....methods.registry import REGISTRY

    return _of_entry(REGISTRY.get(name))


def _of_entry(entry: Any) -> Facts:
    return {**asdict(entry.card), "state": entry.missing or "ready"}


def study_facts(name: str) -> dict[str, Any]:
    """Facts about a study; for a planned study its question and its cost."""
    from ...train.ablation.spec import load_ablation, study_file
    from ...train.study.cost import cost_line
    from ...train.study.spec import is_planned, load_study

    path = study_file(name)
    if not is_planned(path):
        return load_ablation(name).model_dump(mode="json")
    study = load_study(path)
    facts = study.model_dump(mode="json", include={"question", "steps", "training_seeds"})
    families = {"families": list(study.families), "arms": list(study.arms)}
    return {"summary": study.title, **facts, **families, "cost": cost_line(study)}
