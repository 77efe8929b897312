"""Write figures as PDF, PNG or SVG, of some kinds or of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ....datasets.images import write_atomically
from ....datasets.names import did_you_mean
from ....datasets.strict import read_file, read_yaml
from ....reports.figures.style import LatexError
from ...store.images import StoreError
from ...store.selection import EVERYTHING, Selection
from ...store.store import open_store
from ..formats import FormatError
from .comparisons import bars, cost, radar, ranks, sensitivity
from .curves import curves
from .data import FigureData
from .distributions import correlation, violins
from .options import KINDS, FigureOptions, TrainingOptions, anchored, of_metrics, options_of, parse_options
from .pictures import artifacts, crops, spectrum2d
from .settings import checkpoints, tiles
from .severities import severity
from .spectra import frc, spectrum
from .trainings import training

Maker = Callable[[Any, Any], Iterator[tuple[str, Figure]]]

MAKERS: dict[str, Maker] = {
    "spectrum": spectrum,
    "frc": frc,
    "spectrum2d": spectrum2d,
    "curves": curves,
    "crops": crops,
    "artifacts": artifacts,
    "sensitivity": sensitivity,
    "severity": severity,
    "bars": bars,
    "cost": cost,
    "ranks": ranks,
    "radar": radar,
    "violins": violins,
    "correlation": correlation,
    "checkpoints": checkpoints,
    "tiles": tiles,
    "training": training,
}
"""For each kind of ``KINDS`` the function that draws pairs (name, figure) from a store and options."""


def write_figures(
    root: Path | None,
    kinds: Sequence[str],
    out: Path,
    options: Mapping[str, Any] | None = None,
    *,
    metrics: Sequence[str] = (),
    selection: Selection = EVERYTHING,
) -> list[Path]:
    """Draw figures of some kinds from one store, all with the same options, and return the files.

    Args:
        root: folder of the store; None for kinds that need no store.
        kinds: some of ``KINDS``.
        out: folder for the files.
        options: keys of the kinds; each key applies to the kinds that have it.
        metrics: ids of the metrics to draw, in this order; empty: the default of each kind.
        selection: results of the store to draw, and names of methods.

    Raises:
        FormatError: a kind or option does not exist.
        StoreError: the folder is not a store, or lacks what a figure shows.
    """
    shared = {**(options or {}), **({} if root is None else {"store": str(root)})}
    entries = [
        parse_options({**options_of(kind, shared, kinds), **of_metrics(kind, metrics), "kind": kind}, "figures")
        for kind in kinds
    ]
    return _write(entries, out, selection)


def write_figure_list(
    path: Path,
    root: Path | None = None,
    out: Path | None = None,
    selection: Selection = EVERYTHING,
    *,
    formats: Sequence[str] = (),
) -> list[Path]:
    """Draw all figures of a YAML list: keys ``store``, ``out`` and ``figures``; paths start from the list's folder.

    Args:
        path: file of the list.
        root: folder of a store, instead of the list's.
        out: folder for the files, instead of the list's.
        selection: what is drawn of the stores, and under which names.
        formats: of the files, instead of those that its figures say.

    Raises:
        FormatError: the list does not exist, or an entry cannot be used.
        StoreError: see ``write_figures``.
    """
    content = read_yaml(read_file(path, FormatError), path, FormatError)
    if not isinstance(content, dict) or not isinstance(content.get("figures"), list):
        raise FormatError(f"{path}: a figure list has a key 'figures' with a list of figures, and 'store' and 'out'")
    unknown = sorted(set(content) - {"store", "out", "figures"})
    if unknown:
        hint = did_you_mean(unknown[0], ("store", "out", "figures"))
        raise FormatError(f"{path}: '{unknown[0]}': unknown key{hint}")
    shared = {"store": content["store"]} if "store" in content else {}
    entries = []
    for number, entry_keys in enumerate(content["figures"], start=1):
        origin = f"{path}, figure {number}"
        entry_keys = (
            {**entry_keys, "formats": list(formats)} if formats and isinstance(entry_keys, dict) else entry_keys
        )
        entry = anchored(
            parse_options({**shared, **entry_keys} if isinstance(entry_keys, dict) else entry_keys, origin), path.parent
        )
        if root is not None:
            entry = entry.model_copy(update={"store": str(root)})
        entries.append(entry)
    return _write(entries, out or path.parent / str(content.get("out", "figures")), selection)


def _write(entries: Sequence[FigureOptions], out: Path, selection: Selection = EVERYTHING) -> list[Path]:
    paths: list[Path] = []
    with ExitStack() as stack:
        stores: dict[str, FigureData] = {}
        for entry in entries:
            data = None
            if not isinstance(entry, TrainingOptions):
                if entry.store is None:
                    raise FormatError(f"figure '{entry.kind}': names no store; give STORE or the key 'store'")
                if entry.store not in stores:
                    stores[entry.store] = FigureData(stack.enter_context(open_store(entry.store, selection=selection)))
                data = stores[entry.store]
            _write_one(data, entry, out, paths)
    return paths


def _write_one(data: FigureData | None, entry: FigureOptions, out: Path, paths: list[Path]) -> None:
    """Write one entry's files and add them to ``paths``."""
    try:
        _draw(data, entry, out, paths)
    except LatexError as error:
        raise FormatError(f"figure '{entry.kind}': {error}") from None


def _draw(data: FigureData | None, entry: FigureOptions, out: Path, paths: list[Path]) -> None:
    figures = list(MAKERS[entry.kind](data, entry))
    if not figures:
        raise StoreError(f"{entry.store}: has nothing for figure '{entry.kind}' of these datasets, methods and metrics")
    for stem, figure in figures:
        name = stem if entry.name is None else entry.name + stem.removeprefix(entry.kind) * (len(figures) > 1)
        for suffix in dict.fromkeys(entry.formats):
            path = out / f"{_file_name(name)}.{suffix}"
            if path in paths:
                raise FormatError(f"{path}: two figures have this name; give them other names")
            write_atomically(path, entry.paper.render(figure, suffix, entry.dpi))
            paths.append(path)


def _file_name(name: str) -> str:
    """A name without what a path or a LaTeX file name cannot have."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)


assert set(MAKERS) == set(KINDS)
