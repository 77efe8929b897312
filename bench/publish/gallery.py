"""The images that a page shows: LQ, what every method restored, and HR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ...datasets.images import to_uint8, write_png
from ...reports.board import Board, Example, Shown
from ...reports.heat import indexed
from ...reports.page import MOST_PIXELS
from ..analysis.leaderboard import outputs_of
from ..analysis.spectra import image_ratios
from ..metrics.faithfulness.artifact_maps import LEAST_SIDE
from ..store.images import Pixels, StoreError
from ..store.merge import link_or_copy
from ..store.store import Store
from .artifact_layers import artifact_layers


@dataclass(frozen=True)
class Gallery:
    """How many images a page shows, and where they are."""

    images: int = 3
    """Of each dataset and protocol."""
    folder: Path | None = None
    """The page's folder: full images go to ``images/`` in it, thumbnails into the page. None: all is in the page."""


def examples(store: Store, board: Board, gallery: Gallery) -> list[Example]:
    """The first images of every dataset, those that most methods restored before the others; of seeds the first.

    None of a store that was imported: it has no pixels.
    """
    if not store.objects.root.is_dir():
        return []
    outputs = outputs_of(store)
    outputs = outputs[(outputs["status"] == "done") & outputs["method"].isin(board.methods["method"])]
    outputs = outputs.drop_duplicates(["protocol", "dataset", "image", "method"])
    chosen = {
        (str(protocol), str(dataset), str(image)): rows
        for (protocol, dataset), group in outputs.groupby(["protocol", "dataset"], sort=False)
        if (protocol, dataset) in board.rules
        for image, rows in _first(group, gallery.images)
    }
    spectra = image_ratios(store, chosen)
    return [_example(store, board, gallery, place, rows, spectra.get(place, {})) for place, rows in chosen.items()]


def _first(outputs: pd.DataFrame, most: int) -> Iterator[tuple[object, pd.DataFrame]]:
    """At most so many images of one dataset, in their order."""
    counts = outputs.groupby("image", sort=False)["method"].nunique()
    images = counts.sort_values(ascending=False, kind="stable").index[:most]
    yield from outputs[outputs["image"].isin(images)].groupby("image", sort=False)


def _example(
    store: Store,
    board: Board,
    gallery: Gallery,
    place: tuple[str, str, str],
    rows: pd.DataFrame,
    spectra: Mapping[str, NDArray[np.float64]],
) -> Example:
    digests = dict(zip(rows["method"], rows["sr"].astype(str), strict=True))
    restored = {str(name): digests[name] for name in board.methods["method"] if name in digests}
    reference = rows["reference"].iloc[0]
    hr = None if pd.isna(reference) else str(reference)
    lq = [str(digest) for digest in rows["lq"].unique()]
    if len(lq) > 1:
        lq = [choose_lq({digest: store.objects.get(digest) for digest in lq})]
    thumbnail = None if gallery.folder is None else store.objects.get(hr or next(iter(restored.values())))
    shown = {name: _shown(store, digest, gallery) for name, digest in restored.items()}
    truth = None if hr is None else _shown(store, hr, gallery)
    return Example(
        place[1],
        place[2],
        lq=_shown(store, lq[0], gallery),
        hr=truth,
        restored=shown,
        size=None if thumbnail is None else (thumbnail.shape[1], thumbnail.shape[0]),
        thumbnail=thumbnail,
        protocol=place[0],
        spectra={name: spectra[name] for name in restored if name in spectra},
        layers=layers_in_page(shown, truth),
    )


def layers_in_page(restored: Mapping[str, Shown], hr: Shown | None) -> dict[str, dict[str, Image.Image]]:
    """Artifact maps of images that a page holds at full size and that have HR; none of others.

    Images that are files beside the page, that the page reduces, or that are too small for a map have none.
    """
    if hr is None or isinstance(hr, str) or min(hr.shape[:2]) < LEAST_SIDE or max(hr.shape[:2]) > MOST_PIXELS:
        return {}
    own = {name: sr for name, sr in restored.items() if not isinstance(sr, str) and sr.shape[:2] == hr.shape[:2]}
    layers = artifact_layers(own, hr)
    return {name: {key: indexed(layer) for key, layer in each.items()} for name, each in layers.items()}


def choose_lq(forms: Mapping[str, Pixels]) -> str:
    """Of the forms in which methods took one LQ, by digest: colour before a Y plane, 8 bits before float."""
    return max(forms, key=lambda digest: (forms[digest].ndim, forms[digest].dtype == np.uint8))


def _shown(store: Store, digest: str, gallery: Gallery) -> Shown:
    """An image's pixels with 8 bits, or the relative address of a file that a browser can show."""
    if gallery.folder is None:
        return to_uint8(store.objects.get(digest))
    source, address = store.objects.path(digest), f"images/{digest}.png"
    if source is None:
        raise StoreError(f"{store.root}: image {digest} is missing; run again to restore it")
    (gallery.folder / "images").mkdir(parents=True, exist_ok=True)
    if source.suffix == ".png":
        link_or_copy(source, gallery.folder / address)
    else:
        write_png(gallery.folder / address, to_uint8(store.objects.get(digest)))
    return address
