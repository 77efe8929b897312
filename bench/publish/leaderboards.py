"""Leaderboards of one or several stores: for each protocol a page with its tables, and an index that leads to them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.images import write_atomically, write_png
from ...reports.board import Board, Example, Link, Spectrum, images_text
from ...reports.page import IndexEntry, to_html, to_index
from ...reports.tables import to_csv, to_latex, to_markdown
from ..analysis.leaderboard import FORMATS, FormatError, left_out, load_board, name_scales, shown_pixels
from ..analysis.spectra import FREQUENCIES, mean_log_ratios
from ..store.images import StoreError
from ..store.merge import link_or_copy, merge_stores
from ..store.store import Store, open_store

IMAGES = 100
"""Images of each dataset in a gallery."""
_DECIBEL = 10 / np.log(10)


def write_leaderboards(
    roots: Sequence[Path], out: Path, formats: Sequence[str] = FORMATS, *, title: str | None = None,
    images: int = IMAGES, published: bool = False, tell: Callable[[str], None] = lambda text: None,
) -> list[Path]:  # fmt: skip
    """Write ``PROTOCOL.{md,csv,tex,html}`` for each protocol and ``index.html``, and return the paths.

    Full images go to ``out/images`` (linked where the disk allows it), thumbnails into the pages. ``published`` adds
    what others published for the same datasets under the same protocols; ``tell`` hears which have nothing of it,
    and why.

    Raises:
        FormatError: a format that does not exist.
        MergeError: stores that contradict each other.
        StoreError: no store there, or an empty one.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise FormatError(f"unknown report format '{unknown[0]}' (known: {', '.join(FORMATS)})")
    with ExitStack() as stack:
        root = roots[0]
        if len(roots) > 1:
            out.mkdir(parents=True, exist_ok=True)
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=out, prefix=".merged-")))
            merge_stores(roots, root)
        store = stack.enter_context(open_store(root))
        name = title or " + ".join(one.resolve().name for one in roots)
        board = load_board(store, title=name, published=published)
        if board.scores.empty:
            raise StoreError(f"{roots[0]}: has no scores to rank; run a spec into it first")
        if len(roots) > 1:  # merging takes along what is current alone
            board = replace(board, left_out=_left_out(roots, set(board.scores["dataset"])))
        for note in board.unpublished:
            tell(f"no published values beside {note}")
        return _write(store, board, out, formats, images)


def _left_out(roots: Sequence[Path], datasets: set[str]) -> pd.DataFrame:
    """What is out of date in each of several stores."""
    frames = []
    for root in roots:
        with open_store(root) as store:
            frame = left_out(store, datasets)
        frames.append(frame.assign(reason=frame["reason"] + f" (in {root.resolve().name})"))
    return pd.concat(frames, ignore_index=True)


def _write(store: Store, board: Board, out: Path, formats: Sequence[str], images: int) -> list[Path]:
    protocols = [str(name) for name in board.scores["protocol"].unique()]
    paths, entries = [], []
    spectra = _spectra(store, [str(name) for name in board.methods["method"]]) if "html" in formats else {}
    for protocol in protocols:
        ours = of_protocol(board, protocol)
        links = [Link(name, f"{_stem(name)}.html", name == protocol) for name in protocols]
        for name in formats:
            if name == "html":
                examples = _examples(store, ours, protocol, out, images)
                text = to_html(ours, examples, spectra=spectra.get(protocol, ()), links=links)
            else:
                text = {"md": to_markdown, "csv": to_csv, "tex": to_latex}[name](ours)
            path = out / f"{_stem(protocol)}.{name}"
            write_atomically(path, text.encode())
            paths.append(path)
        entries.append(_entry(ours, protocol, formats))
    if "html" in formats:
        write_atomically(out / "index.html", to_index(board.title, entries).encode())
        paths.append(out / "index.html")
    return paths


def of_protocol(board: Board, protocol: str) -> Board:
    """The part of a board that belongs to one protocol."""
    scores = board.scores[board.scores["protocol"] == protocol].reset_index(drop=True)
    methods = set(scores["method"])
    problems, costs, outdated = board.problems, board.costs, board.left_out
    runs = [replace(run, outputs=_only(run.outputs, protocol), values=_only(run.values, protocol))
            for run in board.provenance]  # fmt: skip
    return replace(
        board,
        title=f"{board.title}: {protocol}",
        scores=scores,
        rules={place: rule for place, rule in board.rules.items() if place[0] == protocol},
        whole={place: count for place, count in board.whole.items() if place[0] == protocol},
        methods=board.methods[board.methods["method"].isin(methods)].reset_index(drop=True),
        problems=problems[problems["protocol"] == protocol].reset_index(drop=True),
        costs=costs[costs["protocol"] == protocol].reset_index(drop=True),
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
        protocol, f"{_stem(protocol)}.html", datasets, len(board.methods), images,
        tuple(str(title) for title in board.metrics["title"]), best,
        tuple(f"{_stem(protocol)}.{name}" for name in formats if name != "html"),
    )  # fmt: skip


def _spectra(store: Store, order: Sequence[str]) -> dict[str, list[Spectrum]]:
    """Spectra by protocol; none where the store has none."""
    found: dict[str, list[Spectrum]] = {}
    for (protocol, dataset), methods in mean_log_ratios(store).items():
        ratios = {name: methods[name] * _DECIBEL for name in order if name in methods}
        found.setdefault(protocol, []).append(Spectrum(dataset, FREQUENCIES, ratios))
    return found


def _examples(store: Store, board: Board, protocol: str, out: Path, most: int) -> list[Example]:
    """The first images of every dataset, those that most methods restored before the others; full images are linked."""
    outputs, scores = name_scales(store.outputs()), name_scales(store.scores())
    outputs = outputs[(outputs["protocol"] == protocol) & (outputs["status"] == "done")]
    outputs = outputs.drop_duplicates(["dataset", "image", "method"])
    chosen = {
        (str(dataset), str(image))
        for dataset, group in outputs.groupby("dataset", sort=False)
        for image in _chosen(group, most)
    }
    places = pd.MultiIndex.from_frame(scores[["dataset", "image"]])
    scores = scores[(scores["protocol"] == protocol) & scores["value"].notna() & places.isin(chosen)]
    values = scores.groupby(["dataset", "image", "method", "metric"], sort=False)["value"].mean()
    by_image: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    ranked = {str(id): place for place, id in enumerate(board.metrics["metric"])}
    found = sorted(zip(values.index, values.to_numpy(), strict=True), key=lambda item: ranked[item[0][3]])
    for (dataset, image, method, metric), value in found:
        by_image.setdefault((dataset, image), {}).setdefault(method, {})[metric] = float(value)
    order = {str(name): place for place, name in enumerate(board.methods["method"])}
    examples = []
    for dataset, group in outputs.groupby("dataset", sort=False):
        for image, rows in group[group["image"].isin(_chosen(group, most))].groupby("image"):
            examples.append(_example(store, out, str(dataset), str(image), rows, by_image, order))
    return examples


def _chosen(outputs: pd.DataFrame, most: int) -> list[str]:
    counts = outputs.groupby("image", sort=False)["method"].nunique()
    return [str(image) for image in counts.sort_values(ascending=False, kind="stable").index[:most]]


def _example(
    store: Store, out: Path, dataset: str, image: str, rows: pd.DataFrame,
    values: Mapping[tuple[str, str], Mapping[str, Mapping[str, float]]], order: Mapping[str, int],
) -> Example:  # fmt: skip
    restored = sorted(zip(rows["method"], rows["sr"], strict=True), key=lambda item: order[str(item[0])])
    reference = rows["reference"].iloc[0]
    reference = None if pd.isna(reference) else str(reference)
    truth = store.objects.get(reference or str(restored[0][1]))
    own = values.get((dataset, image), {})
    return Example(
        dataset, image,
        lq=_link_lq(store, out, [str(digest) for digest in rows["lq"].unique()]),
        hr=None if reference is None else _link(store, out, reference),
        restored={str(name): _link(store, out, str(digest)) for name, digest in restored},
        values={name: own[name] for name, _ in restored if name in own},
        size=(truth.shape[1], truth.shape[0]),
        thumbnail=truth,
    )  # fmt: skip


def _link(store: Store, out: Path, digest: str) -> str:
    """Put an image beside the pages and return its relative address."""
    source = store.objects.path(digest)
    if source is None or source.suffix != ".png":
        raise StoreError(f"{store.root}: image {digest} is missing; run again to restore it")
    (out / "images").mkdir(parents=True, exist_ok=True)
    link_or_copy(source, out / "images" / source.name)
    return f"images/{source.name}"


def _link_lq(store: Store, out: Path, digests: Sequence[str]) -> str:
    """Of the forms in which methods took this LQ (a float Y plane, RGB), one that a browser can show."""
    for digest in digests:
        path = store.objects.path(digest)
        if path is not None and path.suffix == ".png":
            return _link(store, out, digest)
    name = f"images/{digests[0]}.png"
    write_png(out / name, shown_pixels(store.objects.get(digests[0])))
    return name


def _stem(protocol: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in protocol)
