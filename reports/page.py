"""The board as one self-contained HTML page: tables, a viewer of images, charts, and values of single images."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from .board import Board, Example, ImageValues, Link, Shown, Spectrum
from .escaping import plain
from .grid import TEST, grids
from .heat import png_of
from .notes import problems
from .page_data import costs_of, licence, links_of, page_data
from .provenance import provenance_lines
from .ranks import rank_grids
from .svg import spectrum_svg
from .table_template import template_text

_THUMBNAIL = 72
"""Pixels of a thumbnail's longer side."""
MOST_PIXELS = 1024
"""Longer sides of images that are in the page are shown smaller, so that the page stays light."""


_PARTS = (
    "shared/base.css",
    "tables/tables.css",
    "viewer/viewer.css",
    "chart/charts.css",
    "shared/basics.js",
    "shared/state.js",
    "shared/methods.js",
    "shared/downloads.js",
    "tables/tables.js",
    "chart/labels.js",
    "chart/chart.js",
    "chart/chart_drawing.js",
    "viewer/pixels.js",
    "viewer/view.js",
    "viewer/viewer.js",
    "viewer/gestures.js",
    "viewer/beside.js",
    "viewer/crops.js",
    "tables/images.js",
    "tables/comparison.js",
    "shared/help.js",
    "shared/start.js",
)
"""Files of ``templates/page/`` that the page joins, in this order."""


def to_html(
    board: Board,
    examples: Sequence[Example],
    *,
    values: Sequence[ImageValues] = (),
    spectra: Sequence[Spectrum] = (),
    links: Sequence[Link] = (),
) -> str:
    """Render the page. Every name is escaped, nothing is requested from elsewhere, equal input gives equal bytes.

    Args:
        board: what the tables show.
        examples: images of the viewer.
        values: of single images, for the table of images and the comparison of two methods.
        spectra: plots under the tables.
        links: the pages of the same set, this one included; readers choose a protocol by them.
    """
    tables = grids(board)
    linked = any(isinstance(example.lq, str) for example in examples)
    return _render(
        "page.html.j2",
        board=board,
        test=TEST,
        grids=tables,
        ranks=list(rank_grids(board)),
        families=[*dict.fromkeys(board.methods["family"]), *(["published"] if len(board.published) else [])],
        problems=list(problems(board)),
        provenance=list(provenance_lines(board)),
        links=links,
        spectra=[(spectrum.dataset, Markup(spectrum_svg(spectrum)), list(spectrum.ratios)) for spectrum in spectra],
        images="data: file: 'self'" if linked else "data:",
        costs={(grid.protocol, grid.dataset): costs_of(board, grid.protocol, grid.dataset) for grid in tables},
        links_of={str(name): links_of(board, str(name)) for name in board.methods["method"]},
        licence={str(name): licence(board, str(name)) for name in board.methods["method"]},
        data=page_data(board, tables, examples, values, _address, _jpeg, _map),
        style=_joined(".css"),
        script=_joined(".js"),
    )


def _joined(ending: str) -> Markup:
    return Markup("".join(template_text(f"page/{name}") for name in _PARTS if name.endswith(ending)))


def to_index(title: str, entries: Sequence[IndexEntry]) -> str:
    """The page that leads to one leaderboard for each protocol."""
    return _render("index.html.j2", title=title, entries=entries, style=_joined(".css"))


@dataclass(frozen=True)
class IndexEntry:
    """One leaderboard."""

    title: str
    address: str
    datasets: tuple[str, ...]
    methods: int
    images: str
    """How many, and of how many."""
    metrics: tuple[str, ...]
    best: str
    """Method with the best average rank; '' where nothing can be ranked."""
    files: tuple[str, ...]
    """Addresses of the same tables in other formats."""


def _render(template: str, **values: object) -> str:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(template_text),
    )
    text = environment.get_template(template).render(**values)
    return "\n".join(map(plain, text.split("\n")))  # names may command the terminal that shows the page's source


def _address(shown: Shown) -> str:
    if isinstance(shown, str):
        return quote(shown)
    image = Image.fromarray(shown)
    if max(image.size) > MOST_PIXELS:
        image.thumbnail((MOST_PIXELS, MOST_PIXELS), Image.Resampling.LANCZOS)
    return _data_uri(image, "png", compress_level=3)  # 5 times faster than "optimize", and photos are no larger


def _map(layer: Image.Image | str) -> str:
    return quote(layer) if isinstance(layer, str) else _as_uri(png_of(layer), "png")


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels).convert("RGB")
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return _data_uri(image, "jpeg", quality=70)


def _data_uri(image: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return _as_uri(buffer.getvalue(), kind)


def _as_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()
