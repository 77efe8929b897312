"""Spec, plan, runner, metrics, store, statistics and command line of asasr-bench.

What ``asasr_bench`` offers to Python can be imported from here, too, as in version 0.1::

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
    if name in __all__:
        import asasr_bench

        return getattr(asasr_bench, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
