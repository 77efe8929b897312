"""``list``: names of methods, datasets, metrics and everything else that can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .terminal import JsonOption, named_rows, print_rows, print_table, say, say_json

if TYPE_CHECKING:
    from ..metrics.metric import Metric

listing = typer.Typer(
    no_args_is_help=True,
    help="List what can be named; 'show' tells more of each.",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(listing, name="list")


@listing.command()
def methods(as_json: JsonOption = False) -> None:
    """Methods by id, and whether they are ready. Weight files, predictions:DIR and module:object work as well."""
    from ...methods.errors import MethodError, MissingWeightsError
    from ...methods.registry import REGISTRY

    rows: list[tuple[str, ...]] = []
    for name in REGISTRY.names():
        try:
            entry = REGISTRY.get(name)
            rows.append((name, entry.card.family, _state(entry.missing), entry.card.summary))
        except MissingWeightsError as error:
            rows.append((name, "", "missing", str(error)))
        except MethodError as error:
            rows.append((name, "", "broken", str(error)))
    print_rows(("method", "family", "state", "summary"), rows, as_json=as_json)
    if not as_json and any(state == "missing" for _, _, state, _ in rows):
        say("what is missing and how to get it: asasr-bench show METHOD")


def _state(missing: str) -> str:
    return "missing" if missing else "ready"


@listing.command()
def datasets(as_json: JsonOption = False) -> None:
    """Dataset cards, and whether their files are here."""
    from ...datasets.card import card_ids, data_root, load_card
    from ..plan.find_datasets import installed_datasets

    rows: list[tuple[object, ...]] = []
    for id in card_ids():
        card = load_card(id)
        state = "built in" if card.builder else "here" if (data_root() / id).is_dir() else "not here"
        rows.append((id, card.kind, card.count, state, card.title))
    rows += [(name, "", "", "installed", place) for name, place in installed_datasets().items()]
    print_rows(("dataset", "kind", "images", "files", "title"), rows, as_json=as_json)


def _row_of(metric: Metric) -> tuple[str, ...]:
    card = metric.card
    return card.id, card.title, card.direction, card.range, _state(metric.missing())


@listing.command()
def metrics(as_json: JsonOption = False) -> None:
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
    columns = ("metric", "title", "better", "range", "state")
    if as_json:
        tasks = {f"{name}:ENGINE": engines for name, engines in measures().items()}
        say_json({"metrics": named_rows(columns, rows), "tasks": tasks, "installed_engines": installed_engines()})
        return
    print_table(columns, rows)
    print_table(
        ("metric of a task", "engines"),
        [(f"{name}:ENGINE", ", ".join(engines)) for name, engines in measures().items()],
    )
    if engines := installed_engines():
        print_table(("installed engine", "place"), list(engines.items()))
    say("what is missing and how to get it: asasr-bench show METRIC")
    say("after an engine, ':hr' compares with what it finds in HR instead of ground truth")
    say("any metric of the extra 'iqa' by pyiqa's own name: pyiqa:NAME")
    say(f"your own: FILE.py:NAME, module:NAME, or an entry point of the group {ENTRY_POINT_GROUP}")


@listing.command()
def figures(as_json: JsonOption = False) -> None:
    """Kinds of figures and the keys of each."""
    from ..publish.figures.options import KINDS, FigureOptions

    shared = set(FigureOptions.model_fields)
    rows = [
        (
            kind,
            ", ".join(key for key in model.model_fields if key not in shared),
            " ".join((model.__doc__ or "").replace("``", "'").split()),
        )
        for kind, model in KINDS.items()
    ]
    print_rows(("figure", "own keys", "what it shows"), rows, as_json=as_json)


@listing.command()
def protocols(as_json: JsonOption = False) -> None:
    """Protocols; S stands for the scale."""
    from ..protocols import ProtocolError, get_protocol, installed_protocols, protocol_names

    rows = [(name, get_protocol(name, 4).summary) for name in protocol_names()]
    for name in installed_protocols():
        try:
            rows.append((name, get_protocol(name, None).summary))
        except ProtocolError as error:  # one plug-in must not hide the others
            rows.append((name, str(error)))
    print_rows(("protocol", "summary"), rows, as_json=as_json)


@listing.command()
def degradations(as_json: JsonOption = False) -> None:
    """Published degradations, for 'lq_rule: degradation:NAME'."""
    from ...datasets.degradation.settings import preset, preset_names

    rows = [(name, preset(name).source) for name in preset_names()]
    print_rows(("degradation", "source"), rows, as_json=as_json)


@listing.command()
def published(as_json: JsonOption = False) -> None:
    """Published tables. 'report --published' shows their values beside measured ones."""
    from ...methods.published.values import published_tables

    rows: list[tuple[str, ...]] = [
        (id, table.protocol, ", ".join(dict.fromkeys(image_set.dataset for image_set in table.sets)), table.source)
        for id, table in published_tables().items()
    ]
    print_rows(("table", "protocol", "datasets", "source"), rows, as_json=as_json)


@listing.command()
def specs(as_json: JsonOption = False) -> None:
    """Specs that come with the package."""
    from ..spec import load_spec, shipped_specs

    rows = [(name, load_spec(name).summary) for name in shipped_specs()]
    print_rows(("spec", "summary"), rows, as_json=as_json)


@listing.command()
def studies(as_json: JsonOption = False) -> None:
    """Ablation studies that come with the package."""
    from ..train.ablation.spec import shipped_studies
    from .options.named import study_facts

    rows = [(name, str(study_facts(name)["summary"])) for name in shipped_studies()]
    print_rows(("study", "summary"), rows, as_json=as_json)


@listing.command()
def engines(as_json: JsonOption = False) -> None:
    """Engines of tasks' metrics, and whether they are ready."""
    from .options.named import engine_names, facts_of_engine

    rows = [
        (name, ", ".join(facts["measures"]), _state("" if facts["state"] == "ready" else facts["state"]))
        for name in engine_names()
        for facts in [facts_of_engine(name)]
    ]
    print_rows(("engine", "measures", "state"), rows, as_json=as_json)


@listing.command()
def configurations(as_json: JsonOption = False) -> None:
    """Shipped configurations of ASASR, for 'train'."""
    from ...asasr.config import load_config, preset_names

    rows = [(name, load_config(name).model.family) for name in preset_names()]
    print_rows(("configuration", "family"), rows, as_json=as_json)
