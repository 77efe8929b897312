"""Write leaderboards of one or several stores: one for all protocols, or a page for each protocol and an index."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from ...datasets.images import write_atomically
from ...reports.board import Board, Link, Spectrum, images_text
from ...reports.page import IndexEntry, to_html, to_index
from ..analysis.leaderboard import left_out, load_board, scores_of
from ..analysis.spectra import DECIBEL, FREQUENCIES, mean_log_ratios
from ..store.images import StoreError
from ..store.merge import merge_stores
from ..store.selection import EVERYTHING, Selection
from ..store.store import Store, open_store
from .formats import FORMATS, TableFormats, file_end, table_formats
from .gallery import Gallery, examples
from .image_values import image_values

IMAGES = 100
"""Number of images of each dataset in the gallery of a protocol's page."""


@dataclass(frozen=True)
class Page:
    """Parts of an HTML page in addition to the tables of the board."""

    gallery: Gallery = field(default_factory=Gallery)
    spectra: Sequence[Spectrum] = ()
    links: Sequence[Link] = ()
    """Links to all pages of the leaderboard, including this one."""


def write_reports(
    root: Path,
    out: Path,
    formats: Sequence[str] = FORMATS,
    *,
    title: str | None = None,
    published: bool = False,
    template: Path | None = None,
    selection: Selection = EVERYTHING,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write ``leaderboard.{md,csv,tex,html}`` of all protocols of a store.

    Args:
        root: folder of the store.
        out: folder for the files.
        formats: some of ``ALL_FORMATS``; the wide formats are files ``...-wide.tex`` and ``...-wide.csv``.
        title: title of tables and page; default: the store's name.
        published: add values that others published for the same datasets and protocols.
        template: file or folder of templates that replace the shipped ones.
        selection: results of the store to show, their order, and names of methods.
        tell: called with a message for each dataset without published values, with the reason.

    Returns:
        The files that were written.

    Raises:
        FormatError: a format does not exist, or a template cannot be used.
        StoreError: the folder is not a store.
    """
    checked = table_formats(formats, template)
    with open_store(root, selection=selection) as store:
        scores = scores_of(store)
        board = load_board(store, title=title or root.resolve().name, published=published, scores=scores)
        for note in board.unpublished:
            tell(note)
        return write_board(store, scores, board, out, checked)


def write_board(
    store: Store, scores: pd.DataFrame, board: Board, out: Path, formats: TableFormats | None = None
) -> list[Path]:
    """Write ``leaderboard.{md,csv,tex,html}`` of a board.

    Args:
        store: the store of the board, for the images of the page.
        scores: scores of the store, see ``scores_of``.
        board: the board to write.
        out: folder for the files.
        formats: formats and templates; default: md, csv, tex, html.
    """
    return _write(store, scores, board, out / "leaderboard", formats or table_formats(), Page())


def write_leaderboards(
    roots: Sequence[Path],
    out: Path,
    formats: Sequence[str] = FORMATS,
    *,
    title: str | None = None,
    images: int = IMAGES,
    published: bool = False,
    template: Path | None = None,
    selection: Selection = EVERYTHING,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write ``PROTOCOL.{md,csv,tex,html}`` for each protocol of one or several stores, and ``index.html``.

    Full images are files in ``out/images`` (hard links if the disk allows it), thumbnails are in the pages.

    Args:
        roots: folders of the stores.
        out: folder for the files.
        formats: some of ``ALL_FORMATS``; the wide formats are files ``...-wide.tex`` and ``...-wide.csv``.
        title: title of all pages; default: the stores' names.
        images: number of images of each dataset in a page's gallery.
        published: add values that others published for the same datasets and protocols.
        template: file or folder of templates that replace the shipped ones.
        selection: results of the store to show, their order, and names of methods.
        tell: called with a message for each dataset without published values, with the reason.

    Returns:
        The files that were written, without images.

    Raises:
        FormatError: a format does not exist, or a template cannot be used.
        MergeError: the stores contradict each other.
        StoreError: a folder is not a store, or the store is empty.
    """
    checked = table_formats(formats, template)
    with ExitStack() as stack:
        root = roots[0]
        if len(roots) > 1:
            out.mkdir(parents=True, exist_ok=True)
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=out, prefix=".merged-")))
            merge_stores(roots, root)
        store = stack.enter_context(open_store(root, selection=selection))
        shown = title or " + ".join(place.resolve().name for place in roots)
        scores = scores_of(store)
        board = load_board(store, title=shown, published=published, scores=scores)
        if board.scores.empty:
            raise StoreError(f"{roots[0]}: has no scores to rank; run a spec into it first")
        if len(roots) > 1:  # a merged store has only what is up to date
            board = replace(board, left_out=_left_out(roots, set(board.scores["dataset"]), selection))
        for note in board.unpublished:
            tell(note)
        return _write_by_protocol(store, scores, board, out, checked, images)


def _left_out(roots: Sequence[Path], datasets: set[str], selection: Selection) -> pd.DataFrame:
    """Results that are out of date in each of several stores, restricted to the selection."""
    frames = []
    for root in roots:
        with open_store(root) as store:
            frame = left_out(store, datasets)
        if selection.methods:
            frame = frame[frame["method"].isin(selection.methods)]
        if selection.metrics:
            frame = frame[frame["metric"].isin(("", *selection.metrics))]
        frame = frame.assign(method=frame["method"].map(selection.shown))
        frames.append(frame.assign(reason=frame["reason"] + f" (in {root.resolve().name})"))
    return pd.concat(frames, ignore_index=True)


def _write_by_protocol(
    store: Store, scores: pd.DataFrame, board: Board, out: Path, formats: TableFormats, images: int
) -> list[Path]:
    """Write a page for each protocol, and the index."""
    protocols = [str(name) for name in board.scores["protocol"].unique()]
    with_pages = "html" in formats.names
    spectra = _spectra(store, [str(name) for name in board.methods["method"]]) if with_pages else {}
    paths, entries = [], []
    for protocol in protocols:
        own_board = of_protocol(board, protocol)
        links = [Link(name, f"{_stem(name)}.html", name == protocol) for name in protocols]
        page = Page(Gallery(images, out), spectra.get(protocol, ()), links)
        paths += _write(store, scores, own_board, out / _stem(protocol), formats, page)
        entries.append(_entry(own_board, protocol, formats.names))
    if with_pages:
        write_atomically(out / "index.html", to_index(board.title, entries).encode())
        paths.append(out / "index.html")
    return paths


def _write(
    store: Store, scores: pd.DataFrame, board: Board, stem: Path, formats: TableFormats, page: Page
) -> list[Path]:
    """Write one board in every format; all tables and pages are written here."""
    paths = []
    for name in formats.names:
        if name == "html":
            shown = examples(store, board, page.gallery)
            values = image_values(scores, board, shown)
            text = to_html(board, shown, values=values, spectra=page.spectra, links=page.links)
        else:
            text = formats.render(name, board)
        path = stem.with_name(stem.name + file_end(name))
        write_atomically(path, text.encode())
        paths.append(path)
    return paths


def of_protocol(board: Board, protocol: str) -> Board:
    """The part of a board that belongs to one protocol."""
    scores = board.scores[board.scores["protocol"] == protocol].reset_index(drop=True)
    methods = set(scores["method"])
    problems, costs, outdated = board.problems, board.costs, board.left_out
    runs = [
        replace(run, outputs=_only(run.outputs, protocol), values=_only(run.values, protocol))
        for run in board.provenance
    ]
    return replace(
        board,
        title=f"{board.title}: {protocol}",
        scores=scores,
        rules={place: rule for place, rule in board.rules.items() if place[0] == protocol},
        whole={place: count for place, count in board.whole.items() if place[0] == protocol},
        methods=board.methods[board.methods["method"].isin(methods)].reset_index(drop=True),
        problems=problems[problems["protocol"] == protocol].reset_index(drop=True),
        costs=costs[costs["protocol"] == protocol].reset_index(drop=True),
        seeds=board.seeds[board.seeds["protocol"] == protocol].reset_index(drop=True),
        left_out=outdated[outdated["protocol"] == protocol].reset_index(drop=True),
        metrics=board.metrics[board.metrics["metric"].isin(set(scores["metric"]))].reset_index(drop=True),
        provenance=[run for run in runs if run.outputs or run.values],
        published=board.published[board.published["protocol"] == protocol].reset_index(drop=True),
        ranks=board.ranks[board.ranks["protocol"] == protocol].reset_index(drop=True),
    )


def _only(counts: dict[str, int], protocol: str) -> dict[str, int]:
    return {protocol: counts[protocol]} if protocol in counts else {}


def _entry(board: Board, protocol: str, formats: Sequence[str]) -> IndexEntry:
    datasets = tuple(str(name) for name in board.scores["dataset"].unique())
    overall = board.ranks[board.ranks["dataset"] == ("" if len(datasets) > 1 else datasets[0])]
    best = "" if len(overall) < 2 else str(overall["method"].iloc[int(overall["rank"].to_numpy().argmin())])
    counts = {str(dataset): int(n) for dataset, n in board.scores.groupby("dataset")["n"].max().items()}
    whole = sum(board.whole.get((protocol, dataset), count) for dataset, count in counts.items())
    images = images_text(sum(counts.values()), whole)
    return IndexEntry(
        protocol,
        f"{_stem(protocol)}.html",
        datasets,
        len(board.methods),
        images,
        tuple(str(title) for title in board.metrics["title"]),
        best,
        tuple(f"{_stem(protocol)}.{name}" for name in formats if name != "html"),
    )


def _spectra(store: Store, order: Sequence[str]) -> dict[str, list[Spectrum]]:
    """Spectra by protocol; empty if the store has none."""
    spectra: dict[str, list[Spectrum]] = {}
    for (protocol, dataset), methods in mean_log_ratios(store).items():
        ratios = {name: methods[name] * DECIBEL for name in order if name in methods}
        spectra.setdefault(protocol, []).append(Spectrum(dataset, FREQUENCIES, ratios))
    return spectra


def _stem(protocol: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in protocol)
