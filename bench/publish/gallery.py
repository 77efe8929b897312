"""The images in a page's gallery: LQ, the outputs of all methods, and HR."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ...datasets.images import to_uint8, write_atomically, write_png
from ...reports.board import Board, Example, Shown
from ...reports.heat import png_of
from ...reports.page import MOST_PIXELS
from ..analysis.leaderboard import outputs_of
from ..analysis.spectra import image_ratios
from ..metrics.faithfulness.artifact_maps import LEAST_SIDE
from ..store.images import Pixels, StoreError
from ..store.merge import link_or_copy
from ..store.store import Store
from .artifact_layers import layers_of_page

MAP_IMAGES = 3
"""Of each dataset and protocol: images of which a page has artifact maps."""
MAP_PIXELS = 2**26
"""Of all methods together, that the maps of a page take: about 40 s of a core. Images that are in the page at their
full size do not count."""
_LARGEST = 2**25
"""Pixels of the largest image that has a map."""


@dataclass(frozen=True)
class Gallery:
    """Number of images in a page, and the folder of their files."""

    images: int = 3
    """Number of images of each dataset and protocol."""
    folder: Path | None = None
    """Folder of the page: full images are files in its ``images/``, thumbnails are in the page. None: all images are in
    the page."""


def examples(store: Store, board: Board, gallery: Gallery) -> list[Example]:
    """The first images of every dataset, with the outputs of the first seed.

    Images that more methods restored are preferred. Empty for an imported store, which has no pixels.
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
    shown = [_example(store, board, gallery, place, rows, spectra.get(place, {})) for place, rows in chosen.items()]
    return _with_maps(store, gallery, shown, [_digests(board, rows) for rows in chosen.values()])


def _first(outputs: pd.DataFrame, most: int) -> Iterator[tuple[object, pd.DataFrame]]:
    """At most ``most`` images of one dataset, in their order."""
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
    restored, hr = _digests(board, rows)
    lq = [str(digest) for digest in rows["lq"].unique()]
    if len(lq) > 1:
        lq = [choose_lq({digest: store.objects.get(digest) for digest in lq})]
    thumbnail = None if gallery.folder is None else store.objects.get(hr or next(iter(restored.values())))
    shown = {name: _shown(store, digest, gallery) for name, digest in restored.items()}
    return Example(
        place[1],
        place[2],
        lq=_shown(store, lq[0], gallery),
        hr=None if hr is None else _shown(store, hr, gallery),
        restored=shown,
        size=None if thumbnail is None else (thumbnail.shape[1], thumbnail.shape[0]),
        thumbnail=thumbnail,
        protocol=place[0],
        spectra={name: spectra[name] for name in restored if name in spectra},
    )


def _digests(board: Board, rows: pd.DataFrame) -> tuple[dict[str, str], str | None]:
    """Digests of what every method restored of an image, in the order of tables, and of HR."""
    digests = dict(zip(rows["method"], rows["sr"].astype(str), strict=True))
    reference = rows["reference"].iloc[0]
    restored = {str(name): digests[name] for name in board.methods["method"] if name in digests}
    return restored, None if pd.isna(reference) else str(reference)


def _with_maps(
    store: Store, gallery: Gallery, shown: Sequence[Example], digests: Sequence[tuple[dict[str, str], str | None]]
) -> list[Example]:
    """Examples with artifact maps of the first images of each set, as far as the pixels of a page go."""
    examples, pixels_left, ranks = list(shown), MAP_PIXELS, Counter[tuple[str, str]]()
    order = []
    for number, example in enumerate(shown):
        order.append((ranks[example.protocol, example.dataset], number))
        ranks[example.protocol, example.dataset] += 1
    for rank, number in sorted(order):
        (restored, reference), example = digests[number], shown[number]
        if reference is None or rank >= MAP_IMAGES:
            continue
        hr = to_uint8(store.objects.get(reference))
        whole = gallery.folder is None and max(hr.shape[:2]) <= MOST_PIXELS
        pixels = 0 if whole else hr.shape[0] * hr.shape[1] * len(restored)
        if pixels > pixels_left:
            continue
        pixels_left -= pixels
        layers = layers_in_page({name: to_uint8(store.objects.get(sr)) for name, sr in restored.items()}, hr)
        kept = {name: {key: _kept(each, gallery) for key, each in own.items()} for name, own in layers.items()}
        examples[number] = replace(example, layers=kept)
    return examples


def layers_in_page(restored: Mapping[str, Pixels], hr: Pixels | None) -> dict[str, dict[str, Image.Image]]:
    """Artifact maps of images that have HR, for a page; none of those that are too small or too large for a map."""
    if hr is None or min(hr.shape[:2]) < LEAST_SIDE or hr.shape[0] * hr.shape[1] > _LARGEST:
        return {}
    own = {name: sr for name, sr in restored.items() if sr.shape[:2] == hr.shape[:2]}
    return layers_of_page(own, hr, MOST_PIXELS)


def _kept(layer: Image.Image, gallery: Gallery) -> Image.Image | str:
    """A layer as it is, or the relative address of its file."""
    if gallery.folder is None:
        return layer
    content = png_of(layer)
    address = f"images/{hashlib.sha256(content).hexdigest()}.png"
    write_atomically(gallery.folder / address, content)
    return address


def choose_lq(forms: Mapping[str, Pixels]) -> str:
    """Digest of the preferred form of an LQ image: colour before a Y plane, 8 bits before float."""
    return max(forms, key=lambda digest: (forms[digest].ndim, forms[digest].dtype == np.uint8))


def _shown(store: Store, digest: str, gallery: Gallery) -> Shown:
    """The pixels of an image with 8 bits, or the relative address of its PNG file if images are files."""
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
