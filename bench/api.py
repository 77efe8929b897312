"""The main job as one function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .analysis.leaderboard import load_board
from .execute.run import run
from .spec import load_spec
from .store.store import open_store

if TYPE_CHECKING:
    import pandas as pd


def evaluate(spec: str | Path, store: str | Path, **overrides: Any) -> pd.DataFrame:
    """Run a spec into a store and return its leaderboard.

    Args:
        spec: shipped name or YAML file.
        store: folder of results; what it has is not done again.
        overrides: keys of the spec to replace, such as ``methods=["bicubic"]``, ``scale=2``.

    Returns:
        Columns dataset, method, metric, protocol, value, ci_low, ci_high, n, direction, and what
        ``Board.scores`` has beside them.

    Raises:
        What ``runner.run`` raises.
    """
    loaded = load_spec(spec, overrides)
    run(loaded, Path(store))
    with open_store(store) as opened:
        return load_board(opened, title=loaded.name).scores
