"""``list`` and ``show``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .terminal import plain_console, say

if TYPE_CHECKING:
    from ..metrics.metric import Metric

listing = typer.Typer(
    no_args_is_help=True,
    help="List what can be named. Methods, datasets, metrics, figures, protocols, published tables, specs, studies.",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(listing, name="list")
    app.command()(show)


@listing.command()
def methods() -> None:
    """Methods by id. Weight files, predictions:DIR and module:object work as well."""
    from ...methods.errors import MethodError
    from ...methods.registry import REGISTRY

    rows: list[tuple[str, ...]] = []
    for name in REGISTRY.names():
        try:
            card = REGISTRY.get(name).card
            rows.append((name, card.family, card.summary))
        except MethodError as error:
            rows.append((name, "broken", str(error)))
    print_table(("method", "family", "summary"), rows)


@listing.command()
def datasets() -> None:
    """Dataset cards, and whether their files are here."""
    from ...datasets.card import card_ids, data_root, load_card
    from ..plan.find_datasets import installed_datasets

    rows: list[tuple[str, ...]] = []
    for id in card_ids():
        card = load_card(id)
        here = "built in" if card.builder else "here" if (data_root() / id).is_dir() else "not here"
        rows.append((id, card.kind, str(card.count), here, card.title))
    rows += [(name, "", "", "installed", place) for name, place in installed_datasets().items()]
    print_table(("dataset", "kind", "images", "files", "title"), rows)


def _row_of(metric: Metric) -> tuple[str, ...]:
    card = metric.card
    return card.id, card.title, card.direction, card.range, "needs something" if metric.missing() else "ready"


@listing.command()
def metrics() -> None:
    """Metrics by id."""
    from ..metrics.metric import MetricError
    from ..metrics.registry import get_metric
    from ..metrics.shipped import shipped_metrics
    from ..metrics.tasks.catalogue import measures
    from ..metrics.tasks.user_engines import installed_engines
    from ..metrics.third_party import ENTRY_POINT_GROUP, installed_metrics

    rows = [_row_of(metric) for metric in shipped_metrics().values()]
    for id, place in installed_metrics().items():
        try:
            rows.append(_row_of(get_metric(id)))
        except MetricError as error:  # one plug-in must not hide the others
            rows.append((id, place, "", "", str(error)))
    print_table(("metric", "title", "better", "range", "state"), rows)
    print_table(
        ("metric of a task", "engines"),
        [(f"{name}:ENGINE", ", ".join(engines)) for name, engines in measures().items()],
    )
    if engines := installed_engines():
        print_table(("installed engine", "place"), list(engines.items()))
    say("after an engine, ':hr' compares with what it finds in HR instead of ground truth")
    say(f"your own: FILE.py:NAME, module:NAME, or an entry point of the group {ENTRY_POINT_GROUP}")


@listing.command()
def figures() -> None:
    """Kinds of figures and the keys of each."""
    from ..publish.figures.options import KINDS, FigureOptions

    shared = set(FigureOptions.model_fields)
    rows = [
        (
            kind,
            ", ".join(key for key in model.model_fields if key not in shared),
            " ".join((model.__doc__ or "").split()),
        )
        for kind, model in KINDS.items()
    ]
    print_table(("figure", "own keys", "what it shows"), rows)


@listing.command()
def protocols() -> None:
    """Protocols; S stands for the scale."""
    from ..protocols import ProtocolError, get_protocol, installed_protocols, protocol_names

    rows = [(name, get_protocol(name, 4).summary) for name in protocol_names()]
    for name in installed_protocols():
        try:
            rows.append((name, get_protocol(name, None).summary))
        except ProtocolError as error:  # one plug-in must not hide the others
            rows.append((name, str(error)))
    print_table(("protocol", "summary"), rows)


@listing.command()
def degradations() -> None:
    """Published degradations, for 'lq_rule: degradation:NAME'."""
    from ...datasets.degradation.settings import preset, preset_names

    print_table(("degradation", "source"), [(name, preset(name).source) for name in preset_names()])


@listing.command()
def published() -> None:
    """Published tables. 'report --published' shows their values beside measured ones."""
    from ...methods.published.values import published_tables

    rows: list[tuple[str, ...]] = [
        (id, table.protocol, ", ".join(dict.fromkeys(one.dataset for one in table.sets)), table.source)
        for id, table in published_tables().items()
    ]
    print_table(("table", "protocol", "datasets", "source"), rows)


@listing.command()
def specs() -> None:
    """Specs that come with the package."""
    from ..spec import load_spec, shipped_specs

    print_table(("spec", "summary"), [(name, load_spec(name).summary) for name in shipped_specs()])


@listing.command()
def studies() -> None:
    """Ablation studies that come with the package."""
    from ..train.ablation.spec import shipped_studies

    print_table(("study", "summary"), [(name, str(_study(name)["summary"])) for name in shipped_studies()])


def _study(name: str) -> dict[str, Any]:
    """What is told of a study; of a planned one its question and its cost."""
    from ..train.ablation.spec import load_ablation, study_file
    from ..train.study.cost import cost_line
    from ..train.study.spec import is_planned, load_study

    path = study_file(name)
    if not is_planned(path):
        return load_ablation(name).model_dump(mode="json")
    study = load_study(path)
    facts = study.model_dump(mode="json", include={"question", "steps", "training_seeds"})
    families = {"families": list(study.families), "arms": list(study.arms)}
    return {"summary": study.title, **facts, **families, "cost": cost_line(study)}


def show(
    name: Annotated[
        str, typer.Argument(help="Id of a method, dataset, metric, protocol, published table, spec or study.")
    ],
) -> None:
    """Print everything that is known of one thing."""
    from dataclasses import asdict

    from ...datasets.card import card_ids, is_card_file, load_card
    from ...methods.published.values import published_tables
    from ...methods.registry import REGISTRY, resolve
    from ..metrics.registry import get_metric
    from ..metrics.shipped import shipped_metrics
    from ..metrics.tasks.catalogue import is_task_id
    from ..metrics.third_party import installed_metrics
    from ..protocols import get_protocol, installed_protocols, protocol_names
    from ..spec import load_spec, shipped_specs
    from ..train.ablation.spec import shipped_studies

    found: list[tuple[str, dict[str, Any]]] = []
    if name in shipped_specs():
        found.append(("spec", load_spec(name).model_dump(mode="json")))
    if name in shipped_studies():
        found.append(("study", _study(name)))
    if name in card_ids() or is_card_file(name):
        found.append(("dataset", load_card(name).model_dump(mode="json")))
    if name in (*shipped_metrics(), *installed_metrics()) or is_task_id(name):
        metric = get_metric(name)
        keys = ("id", "title", "unit", "direction", "range", "version", "needs", "note")
        facts = {key: getattr(metric.card, key) for key in keys}
        facts["state"] = metric.missing() or "ready"
        found.append(("metric", facts))
    if name in (*protocol_names(), *installed_protocols()) or name.startswith("classic-x"):
        found.append(("protocol", asdict(get_protocol(name, None if name not in protocol_names() else 4))))
    if name in published_tables():
        table = published_tables()[name]
        facts = {
            **table.model_dump(exclude={"sets"}),
            "datasets": list(dict.fromkeys(one.dataset for one in table.sets)),
            "methods": list(dict.fromkeys(method for one in table.sets for method in one.rows)),
            "metrics": list(dict.fromkeys(metric for one in table.sets for metric in one.metrics)),
        }
        found.append(("published", facts))
    if name in REGISTRY.names() or not found:
        entry = REGISTRY.get(name) if name in REGISTRY.names() else resolve(name)
        state = entry.missing or "ready"
        found.append(("method", {**asdict(entry.card), "state": state}))
    for kind, facts in found:
        print_table(
            (kind, name), [(key, _words(value)) for key, value in facts.items() if value not in ("", None, (), [])]
        )


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of text under headings."""
    from rich.table import Table

    from ...reports.terminal import escape

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # addresses and paths are copied from here
    for row in rows:
        table.add_row(*map(escape, row))
    plain_console().print(table)
