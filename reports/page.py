"""The board as one self-contained HTML page with a gallery."""

from __future__ import annotations

import base64
import io
import json
from importlib.resources import files

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from .board import Board, Example
from .grid import grids, number

_MOST_PIXELS = 1024
"""Longer sides are shown smaller, so that the page stays light."""


def to_html(board: Board, examples: list[Example]) -> str:
    """Render the page. Every name is escaped, nothing is requested from elsewhere, equal input gives equal bytes."""
    titles = {str(row["metric"]): (str(row["title"]), int(row["digits"])) for row in board.metrics.to_dict("records")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_part("page.html.j2"))
    return template.render(
        board=board,
        grids=list(grids(board)),
        families=[*dict.fromkeys(board.methods["family"]), *(["published"] if len(board.published) else [])],
        problems=list(board.problems.itertuples()),
        # A "<" in a name could end the script element; JSON has another spelling for it.
        gallery=Markup(json.dumps([_example(e, titles) for e in examples]).replace("<", "\\u003c")),
        style=Markup(_part("page.css")),
        script=Markup(_part("page.js")),
    )


def _part(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _example(example: Example, titles: dict[str, tuple[str, int]]) -> dict[str, object]:
    views = [{"name": "LQ", "src": _data_uri(example.lq), "caption": "", "pixelated": True}]
    for method, pixels in example.restored.items():
        values = example.values.get(method, {})
        caption = " · ".join(f"{titles[id][0]} {number(value, titles[id][1])}" for id, value in values.items())
        views.append({"name": method, "src": _data_uri(pixels), "caption": caption, "pixelated": False})
    if example.hr is not None:
        views.append({"name": "HR", "src": _data_uri(example.hr), "caption": "reference", "pixelated": False})
    shape = example.hr.shape if example.hr is not None else next(iter(example.restored.values())).shape
    return {"dataset": example.dataset, "image": example.image, "width": shape[1], "height": shape[0], "views": views}


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels)
    if max(image.size) > _MOST_PIXELS:
        image.thumbnail((_MOST_PIXELS, _MOST_PIXELS), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
