"""``evaluate``: run a spec into a store and return its results."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ...methods.user_code.session import SESSION_METHODS
from ...reports.progress import stage_progress
from ..execute.run import run
from ..metrics.session import SESSION_METRICS
from ..plan.experiment import find_everything
from ..spec import Spec, SpecError, load_spec, parse_spec
from .evaluation import Evaluation
from .references import datasets_of, methods_of, metrics_of

if TYPE_CHECKING:
    from ...reports.progress import Progress


def evaluate(
    spec: str | Path | Mapping[str, Any],
    store: str | Path,
    *,
    methods: object = None,
    metrics: object = None,
    datasets: object = None,
    progress: Progress | bool | None = None,
    **overrides: Any,
) -> Evaluation:
    """Run a spec into a store, and return the results of this spec.

    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from torch.nn.functional import interpolate
    >>> from asasr_bench import evaluate
    >>> folder = tempfile.TemporaryDirectory()
    >>> rings = 128 + 127 * np.cos(np.hypot(*np.indices((64, 64))) / 3)
    >>> Image.fromarray(rings.astype(np.uint8)).save(f"{folder.name}/rings.png")
    >>> def nearest(lq, scale):
    ...     return interpolate(lq, scale_factor=scale)
    >>> result = evaluate(
    ...     "classic-x4", f"{folder.name}/store", datasets={"Rings": folder.name}, metrics=["psnr_y"],
    ...     methods={"Nearest": nearest, "Bicubic": "bicubic"}, progress=False,
    ... )
    >>> result.table.round(1)
    dataset  Rings
    metric  psnr_y
    method
    Nearest   19.2
    Bicubic   29.5

    Args:
        spec: name of a shipped spec, a YAML file, or a mapping with the keys of a spec.
        store: folder of results; results that it has are not computed again.
        methods: methods instead of the spec's: references as on the command line, mappings as in specs, functions of LQ
            and the scale, torch modules, objects with ``card`` and ``restore``; in a list, or in a mapping by name.
        metrics: ids, mappings, ``Metric`` objects, functions of SR and HR with a mapping ``card``.
        datasets: references as on the command line, mappings as in specs; or by name: a folder of HR, or a pair of
            folders of LQ and HR.
        progress: called with (stage, done, total); True: a bar in terminals and notebooks, False: nothing. Default: a
            bar if the output is a terminal or a notebook.
        overrides: other keys of the spec to replace, such as ``scale=2``.

    Raises:
        SpecError: the spec is invalid, or an object is not a method, metric or dataset.
        BenchError: other errors of ``run`` in ``bench.execute``.
    """
    given_methods, own_methods = methods_of(methods)
    given_metrics, own_metrics = metrics_of(metrics)
    lists = {"methods": given_methods, "metrics": given_metrics, "datasets": datasets_of(datasets)}
    overrides |= {name: entries for name, entries in lists.items() if entries is not None}
    loaded = _spec(spec, overrides)
    if own_methods or own_metrics:
        _require_this_process(loaded)
    with (
        SESSION_METHODS.registered(own_methods),
        SESSION_METRICS.registered(own_metrics),
        _progress_context(progress) as tell,
    ):
        experiment = find_everything(loaded)
        summary = run(loaded, Path(store), progress=tell)
    return Evaluation(Path(store), summary, experiment)


def _spec(spec: str | Path | Mapping[str, Any], overrides: Mapping[str, Any]) -> Spec:
    if not isinstance(spec, Mapping):
        return load_spec(spec, overrides)
    return parse_spec(yaml.safe_dump({"name": "evaluation", **spec}), origin="spec", overrides=overrides)


def _require_this_process(spec: Spec) -> None:
    elsewhere = spec.executor != "local" or (spec.workers or 1) > 1 or spec.timeout is not None
    if elsewhere:
        raise SpecError(
            "methods and metrics that are objects stay in this process: leave out workers, timeout and executor, or"
            " give their code as FILE.py:NAME"
        )


def _progress_context(progress: Progress | bool | None) -> Any:
    if callable(progress):
        return nullcontext(progress)
    return nullcontext(None) if progress is False else stage_progress()
