"""The board as one self-contained HTML page with a gallery."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from .board import Board, Example, Link, Shown, Spectrum
from .escaping import plain
from .grid import TEST, grids, number
from .notes import problems
from .provenance import provenance_lines
from .ranks import rank_grids
from .svg import spectrum_svg
from .table_template import template_text

_THUMBNAIL = 72
"""Pixels of a thumbnail's longer side."""
_MOST_PIXELS = 1024
"""Longer sides are shown smaller, so that the page stays light."""


def to_html(
    board: Board, examples: Sequence[Example], *, spectra: Sequence[Spectrum] = (), links: Sequence[Link] = ()
) -> str:
    """Render the page. Every name is escaped, nothing is requested from elsewhere, equal input gives equal bytes.

    Args:
        spectra: plots under the tables.
        links: the pages of the same set, this one included; readers choose a protocol by them.
    """
    titles = {str(row["metric"]): (str(row["title"]), int(row["digits"])) for row in board.metrics.to_dict("records")}
    linked = any(isinstance(example.lq, str) for example in examples)
    return _render(
        "page.html.j2",
        board=board,
        test=TEST,
        grids=list(grids(board)),
        ranks=list(rank_grids(board)),
        families=[*dict.fromkeys(board.methods["family"]), *(["published"] if len(board.published) else [])],
        problems=list(problems(board)),
        provenance=list(provenance_lines(board)),
        links=links,
        spectra=[(one.dataset, Markup(spectrum_svg(one)), list(one.ratios)) for one in spectra],
        images="data: file: 'self'" if linked else "data:",
        # A "<" in a name could end the script element; JSON has another spelling for it.
        gallery=Markup(json.dumps([_example(e, titles) for e in examples]).replace("<", "\\u003c")),
        style=Markup(template_text("page.css")),
        script=Markup(template_text("page.js")),
    )


def to_index(title: str, entries: Sequence[IndexEntry]) -> str:
    """The page that leads to one leaderboard for each protocol."""
    return _render("index.html.j2", title=title, entries=entries, style=Markup(template_text("page.css")))


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
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(template_text(template)).render(**values)
    return "\n".join(map(plain, text.split("\n")))  # names may command the terminal that shows the page's source


def _example(example: Example, titles: dict[str, tuple[str, int]]) -> dict[str, object]:
    views = [{"name": "LQ", "src": _address(example.lq), "caption": "", "pixelated": True}]
    for method, pixels in example.restored.items():
        values = example.values.get(method, {})
        caption = " · ".join(f"{titles[id][0]} {number(value, titles[id][1])}" for id, value in values.items())
        views.append({"name": method, "src": _address(pixels), "caption": caption, "pixelated": False})
    if example.hr is not None:
        views.append({"name": "HR", "src": _address(example.hr), "caption": "reference", "pixelated": False})
    width, height = _size(example)
    thumbnail = "" if example.thumbnail is None else _jpeg(example.thumbnail)
    return {"dataset": example.dataset, "image": example.image, "width": width, "height": height, "views": views,
            "thumbnail": thumbnail}  # fmt: skip


def _size(example: Example) -> tuple[int, int]:
    if example.size is not None:
        return example.size
    for shown in (example.hr, *example.restored.values()):
        if shown is not None and not isinstance(shown, str):
            return shown.shape[1], shown.shape[0]
    raise ValueError(f"{example.image}: its images are addresses, so it needs a size")


def _address(shown: Shown) -> str:
    if isinstance(shown, str):
        return quote(shown)
    image = Image.fromarray(shown)
    if max(image.size) > _MOST_PIXELS:
        image.thumbnail((_MOST_PIXELS, _MOST_PIXELS), Image.Resampling.LANCZOS)
    return _data_uri(image, "png", compress_level=3)  # 5 times faster than "optimize", and photos are no larger


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels).convert("RGB")
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return _data_uri(image, "jpeg", quality=70)


def _data_uri(image: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
