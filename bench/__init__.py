"""Spec, plan, runner, metrics, store, statistics and command line of asasr-bench.

From Python::

    from asasr_bench.bench import evaluate, load_method, open_store
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ == "bench":
    raise ImportError("import this package as 'asasr_bench.bench', not as plain 'bench' from the repository root")

if TYPE_CHECKING:
    from .api.evaluate import evaluate
    from .api.restore import load_method
    from .store.store import open_store

__all__ = ["evaluate", "load_method", "open_store"]


def __getattr__(name: str) -> Any:
    """Import the public functions when they are asked for: the command line starts without numpy."""
    if name == "load_method":
        from .api.restore import load_method

        return load_method
    if name == "evaluate":
        from .api.evaluate import evaluate

        return evaluate
    if name == "open_store":
        from .store.store import open_store

        return open_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
