"""Benchmark image super-resolution: exact protocols, pluggable methods, reproducible tables.

>>> import asasr_bench
>>> psnr = asasr_bench.create_metric("psnr_y", protocol="classic-x4")
>>> psnr.direction
'higher'

``evaluate`` runs methods over datasets into a store; ``create_metric`` and ``load_method`` give a metric and a method
as functions of images; ``open_store``, ``compare`` and ``figures`` read what a store has. Each is imported when it is
asked for first.

This file becomes ``asasr_bench/__init__.py`` (see ``pyproject.toml`` and ``hatch_build.py``), which the folders of the
repository have no place for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asasr_bench.bench.api.catalogue import list_methods, list_metrics
    from asasr_bench.bench.api.evaluate import evaluate
    from asasr_bench.bench.api.measure import create_metric
    from asasr_bench.bench.api.read import compare, figures
    from asasr_bench.bench.api.restore import load_method
    from asasr_bench.bench.store.store import open_store

    __version__: str

__all__ = [
    "__version__",
    "compare",
    "create_metric",
    "evaluate",
    "figures",
    "list_methods",
    "list_metrics",
    "load_method",
    "open_store",
]

_PLACES = {
    "compare": "bench.api.read",
    "create_metric": "bench.api.measure",
    "evaluate": "bench.api.evaluate",
    "figures": "bench.api.read",
    "list_methods": "bench.api.catalogue",
    "list_metrics": "bench.api.catalogue",
    "load_method": "bench.api.restore",
    "open_store": "bench.store.store",
}
"""Module of each function; none is imported before it is asked for."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("asasr-bench")
    if name in _PLACES:
        return getattr(import_module(f"asasr_bench.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'asasr_bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
