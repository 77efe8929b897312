"""Run an ablation from its spec to its report; after a stop at any moment, the same call goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ....datasets.images import write_atomically
from ....reports.ablation import effects_markdown, gaps_markdown
from ....reports.tables import csv_text
from ...analysis.leaderboard import scores_of
from ...execute.executors.executor import never
from ...execute.prepare_inputs import Progress
from ...execute.run import Summary, run
from ...metrics.metric import Metric
from ...metrics.registry import metrics_of, stored_id
from ...publish.figures.write import write_figures
from ...publish.leaderboards import write_reports
from ...spec import Spec
from ...store.store import open_store
from .arms import HELD_OUT, TrainingContext, held_out_images, trained_folder
from .effects import Effect, factor_effects
from .spec import AblationSpec, Arm, arms_of, chosen, evaluation_spec
from .tradeoff import Gap, gaps


@dataclass(frozen=True)
class Variant:
    """One method of the evaluation: an arm with a training seed and a number of sampling steps."""

    name: str
    arm: str
    seed: int
    steps: int | None
    reference: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Results of an ablation."""

    summary: Summary
    effects: list[Effect]
    gaps: list[Gap]
    paths: list[Path]
    """Tables and figures."""


def run_ablation(
    spec: AblationSpec,
    out: Path,
    base: Path,
    *,
    only: Sequence[str] = (),
    device: str = "auto",
    train: bool = True,
    tell: Callable[[str], None] = lambda message: None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = never,
) -> Outcome:
    """Train, restore and measure what is missing in ``out``, and write the report.

    Args:
        spec: the ablation.
        out: folder of the study: trained stages, ``store`` and ``report``.
        base: folder from which relative paths of the evaluation start.
        only: names of the arms to train and measure; empty: all. The report has all arms that are measured.
        device: ``auto``, ``cpu``, ``cuda`` or another name of torch.
        train: False: evaluate only; an arm that is not trained is an error.
        tell: called with the name of what is trained when its training starts.
        progress: called with the name of the current step, the amount done and the amount in all.
        stop: asked again and again; once it returns true, nothing more is measured. Trainings end by signals alone,
            see ``asked_to_stop``.

    Raises:
        SpecError, TrainingError, MissingArmError, MethodError, StoreError, StoppedError: see what each step raises.
    """
    from ....asasr.config import load_config

    out = out.resolve()
    arms = arms_of(spec, list(load_config(spec.config).arms))
    datasets = spec.evaluation.get("datasets", ())
    if HELD_OUT in datasets:  # before anything is trained
        held_out = {"name": HELD_OUT, "hr": str(held_out_images(spec, out))}
        datasets = [held_out if dataset == HELD_OUT else dataset for dataset in datasets]
        spec = spec.model_copy(update={"evaluation": {**spec.evaluation, "datasets": datasets}})
    context = TrainingContext(out, device, train, tell, progress)
    variants = [
        variant
        for arm in chosen(arms, only, spec.name)
        for seed in _seeds(spec, arm)
        for variant in _variants(spec, arm, seed, _reference(spec, arm, seed, context))
    ]
    experiment = evaluation_spec(spec, [variant.reference for variant in variants], base)
    experiment = experiment.model_copy(update={"device": device})
    summary = run(experiment, out / "store", progress=progress, stop=stop)
    return report_ablation(spec, arms, experiment, out, summary)


def _seeds(spec: AblationSpec, arm: Arm) -> tuple[int, ...]:
    """Seeds with which an arm is trained; ``(0,)`` for an arm that the study does not train."""
    return spec.training_seeds if arm.reference is None and arm.changes is not None else (0,)


def _reference(spec: AblationSpec, arm: Arm, seed: int, context: TrainingContext) -> str:
    if arm.reference is not None:
        return arm.reference
    return f"asasr:{trained_folder(spec, arm, seed, context)}"


def _variants(spec: AblationSpec, arm: Arm, seed: int, id: str = "") -> list[Variant]:
    """An arm at each number of steps, named ``ARM-STEPS``, or ``ARM.seedSEED-STEPS`` if there are several seeds."""
    base = arm.name if len(spec.training_seeds) == 1 or arm.changes is None else f"{arm.name}.seed{seed}"
    sampling = {
        key.removeprefix("sampling."): value
        for key, value in (arm.changes or {}).items()
        if key.startswith("sampling.")
    }
    variants = []
    for steps in spec.steps or (None,):
        name = base if steps is None else f"{base}-{steps}"
        changes = sampling | ({} if steps is None else {"steps": steps})
        reference: dict[str, Any] = {"name": name, "id": id} | ({"sampling": changes} if changes else {})
        variants.append(Variant(name, arm.name, seed, steps, reference))
    return variants


def report_ablation(spec: AblationSpec, arms: list[Arm], experiment: Spec, out: Path, summary: Summary) -> Outcome:
    """Write tables, effects and figures of the arms that are measured; the same store gives the same bytes.

    Args:
        spec: the ablation.
        arms: all arms, also those that are not measured yet.
        experiment: spec of the run that measured the arms; its metrics are shown in its order.
        out: folder of the study, with ``store``; the files are written into ``report``.
        summary: result of that run, passed on.
    """
    store, report = out / "store", out / "report"
    with open_store(store) as opened:
        scores = scores_of(opened)
        metrics = metrics_of(scores["metric"].unique(), opened.metrics())
    digits = {id: metric.card.digits for id, metric in metrics.items()}
    measured_methods = set(scores["method"])
    variants = [variant for arm in arms for seed in _seeds(spec, arm) for variant in _variants(spec, arm, seed)]
    paths = write_reports(store, report, ("md", "csv", "tex", "html"), title=spec.name)
    effects: list[Effect] = []
    if spec.interaction is not None:
        settings = {
            "" if steps is None else f"{steps} steps": [
                [variant.name for variant in variants if variant.arm == arm and variant.steps == steps]
                for arm in spec.interaction.arms
            ]
            for steps in (spec.steps or (None,))
        }
        effects = factor_effects(scores, metrics, spec.interaction.factors, settings)
    if effects:  # arms of the design may be missing yet
        paths.append(_write(report / "effects.md", effects_markdown(effects, digits)))
        paths.append(_write(report / "effects.csv", _csv([asdict(effect) for effect in effects])))
    found_gaps: list[Gap] = []
    ids = [id for text in experiment.metrics if (id := stored_id(text, metrics)) in metrics]
    if len(spec.steps) > 1:
        curves: dict[str, list[str]] = {}
        for variant in variants:
            curves.setdefault(variant.name.removesuffix(f"-{variant.steps}"), []).append(variant.name)
        x, ys = _axes(ids, metrics)
        reference = next((arm.name for arm in arms if arm.changes is None), next(iter(curves)))
        if x is not None and reference in curves:
            found_gaps = gaps(
                scores, curves, reference, metrics[x], [metrics[id] for id in ys if metrics[id].of_set is None]
            )
            if found_gaps:
                paths.append(_write(report / "gaps.md", gaps_markdown(found_gaps, digits)))
                paths.append(_write(report / "gaps.csv", _csv([asdict(gap) for gap in found_gaps])))
            drawn = [variant.name for variant in variants if variant.name in measured_methods]
            perceived = [id for id in ys if id != "ssim_y"] or ys
            options = {"x": x, "y": perceived[:3], "columns": 2, "methods": drawn}
            paths += write_figures(store, ["curves"], report, options)
    paths += write_figures(store, ["bars"], report, {"columns": 2})
    if len(spec.grid) == 1:
        measured = [variant for variant in variants if variant.name in measured_methods]
        paths += _sensitivity(spec, measured, store, report, ids)
    return Outcome(summary, effects, found_gaps, paths)


def _sensitivity(spec: AblationSpec, variants: list[Variant], store: Path, report: Path, ids: list[str]) -> list[Path]:
    ((key, values),) = spec.grid.items()
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return []
    names = {f"{key.rpartition('.')[2]}-{value}": float(value) for value in values}
    most = max((variant.steps or 0 for variant in variants), default=0)
    places = {
        variant.name: names[variant.arm]
        for variant in variants
        if variant.arm in names and (variant.steps or 0) == most
    }
    if len(places) < 2:
        return []
    options = {"parameter": key.rpartition(".")[2], "values": places, "y": ids[:4], "columns": 2}
    return write_figures(store, ["sensitivity"], report, options)


def _axes(ids: list[str], metrics: Mapping[str, Metric]) -> tuple[str | None, list[str]]:
    """The metric of distortion, and the metrics that are compared at equal distortion."""
    x = next((id for id in ("psnr_y", "psnr_rgb", "ssim_y") if id in ids), None)
    return x, [id for id in ids if id != x and metrics[id].card.direction != "none"]


def _write(path: Path, text: str) -> Path:
    write_atomically(path, text.encode())
    return path


def _csv(rows: list[dict[str, Any]]) -> str:
    return csv_text(pd.DataFrame(rows))
