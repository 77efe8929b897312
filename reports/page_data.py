"""What the scripts of a page read: one JSON object with everything that its tables round or leave out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite, isinf, isnan

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from .board import Board, Example, ImageValues, Shown
from .grid import Grid
from .heat import LESS, MORE
from .notes import records
from .palette import line_styles

FREQUENCIES: NDArray[np.float64] = np.geomspace(0.01, 1, 40)
"""Relative to Nyquist, at which a page tells the spectra of an image."""
_EXTRA_DIGITS = 2
"""Of single values beyond those that tables print: differences of two methods are smaller than values."""


def page_data(
    board: Board,
    grids: Sequence[Grid],
    examples: Iterable[Example],
    values: Iterable[ImageValues],
    address: Callable[[Shown], str],
    thumbnail: Callable[[NDArray[np.uint8]], str],
    layer: Callable[[Image.Image | str], str],
) -> Markup:
    """JSON for the inside of a script element.

    Args:
        board: scores and what belongs to them.
        grids: the tables of the page.
        examples: images of its viewer.
        values: of single images.
        address: where a browser finds an image; all images of the page go through it.
        thumbnail: the same of a small picture of it.
        layer: the same of an artifact map.
    """
    single = {(image_values.protocol, image_values.dataset): image_values for image_values in values}
    content = {
        "title": board.title,
        "methods": list(_methods(board)),
        "metrics": [
            {name: row[name] for name in ("metric", "title", "unit", "digits", "direction")}
            for row in records(board.metrics)
        ],
        "tables": [_table(board, grid, single.get((grid.protocol, grid.dataset))) for grid in grids],
        "pictures": [_picture(example, address, thumbnail, layer) for example in examples],
        "frequencies": [round(float(frequency), 4) for frequency in FREQUENCIES],
        "colours": {"more": MORE, "less": LESS},
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))  # a "<" in a name could end the script element


def _methods(board: Board) -> Iterator[dict[str, object]]:
    names = [str(name) for name in board.methods["method"]]
    overall: dict[str, float] = {}
    for row in records(board.ranks):
        overall.setdefault(str(row["method"]), float(row["rank"]))
    styles = line_styles(names)
    for row in records(board.methods):
        style = styles[row["method"]]
        yield {
            "name": row["method"],
            "family": row["family"],
            "colour": style.colour,
            "marker": style.marker,
            "dashes": style.dashes,
            "rank": _plain(overall.get(row["method"], float("nan")), 3),
        }


def links_of(board: Board, method: str) -> list[tuple[str, str]]:
    """Names and addresses of what a method's card leads to: nothing but pages of the web."""
    background = board.background.get(method)
    if background is None:
        return []
    candidates = (("paper", background.paper), ("code", background.code), ("licence", background.licence))
    return [(name, text.strip()) for name, text in candidates if _is_address(text.strip())]


def _is_address(text: str) -> bool:
    return text.lower().startswith(("https://", "http://")) and not any(sign.isspace() for sign in text)


def licence(board: Board, method: str) -> str:
    """A method's licence in words, '' where its card has none or an address."""
    background = board.background.get(method)
    return "" if background is None or _is_address(background.licence.strip()) else background.licence.strip()


def costs_of(board: Board, protocol: str, dataset: str) -> dict[str, dict[str, float]]:
    """Costs of methods as numbers, by the names that tables give to their columns."""
    frame = board.costs[(board.costs["protocol"] == protocol) & (board.costs["dataset"] == dataset)]
    costs = {
        str(row["method"]): {name: float(row[name]) for name in ("seconds", "memory", "macs", "activations")}
        for row in records(frame)
    }
    for row in records(board.methods):
        method_costs = costs.setdefault(str(row["method"]), {})
        method_costs.update({name: float(row[name]) for name in ("parameters", "steps") if not pd.isna(row[name])})
    return {
        method: {name: value for name, value in method_costs.items() if isfinite(value)}
        for method, method_costs in costs.items()
    }


def _table(board: Board, grid: Grid, single: ImageValues | None) -> dict[str, object]:
    digits = {column.metric: column.digits + _EXTRA_DIGITS for column in grid.columns}
    frame = board.scores[(board.scores["protocol"] == grid.protocol) & (board.scores["dataset"] == grid.dataset)]
    means: dict[str, dict[str, list[object]]] = {column.metric: {} for column in grid.columns}
    for row in records(frame):
        if not isnan(float(row["value"])):
            places = digits[row["metric"]]
            numbers = [_plain(float(row[name]), places) for name in ("value", "ci_low", "ci_high")]
            means[row["metric"]][row["method"]] = [*numbers, int(row["n"])]
    return {
        "dataset": grid.dataset,
        "protocol": grid.protocol,
        "means": means,
        "costs": costs_of(board, grid.protocol, grid.dataset),
        "images": [] if single is None else list(single.images),
        "whole": 0 if single is None else single.whole,
        "values": {}
        if single is None
        else {
            metric: {method: _numbers(column, digits.get(metric, 4)) for method, column in methods.items()}
            for metric, methods in single.values.items()
        },
    }


def _numbers(column: NDArray[np.float64], digits: int) -> list[object]:
    if np.isfinite(column).all() and np.abs(column).max(initial=0) < 1e6:
        return list(np.round(column, digits).tolist())
    return [_plain(value, digits) for value in column.tolist()]


def _plain(value: float, digits: int) -> object:
    """A number as JSON can hold it: None for none, and infinity as a text."""
    if isnan(value):
        return None
    if isinf(value):
        return "inf" if value > 0 else "-inf"
    return round(value, digits) if abs(value) < 1e6 else float(f"{value:.6g}")


def _picture(
    example: Example,
    address: Callable[[Shown], str],
    thumbnail: Callable[[NDArray[np.uint8]], str],
    layer: Callable[[Image.Image | str], str],
) -> Mapping[str, object]:
    views = [("LQ", example.lq, "lq"), *((name, pixels, "sr") for name, pixels in example.restored.items())]
    if example.hr is not None:
        views.append(("HR", example.hr, "hr"))
    width, height = _size(example)
    return {
        "dataset": example.dataset,
        "protocol": example.protocol,
        "image": example.image,
        "width": width,
        "height": height,
        "views": [
            {
                "name": name,
                "src": address(pixels),
                "kind": kind,
                "layers": {key: layer(map_) for key, map_ in example.layers.get(name, {}).items()},
            }
            for name, pixels, kind in views
        ],
        "thumbnail": "" if example.thumbnail is None else thumbnail(example.thumbnail),
        "spectra": {name: np.round(ratio, 1).tolist() for name, ratio in example.spectra.items()},
    }


def _size(example: Example) -> tuple[int, int]:
    if example.size is not None:
        return example.size
    for version in (example.hr, *example.restored.values()):
        if version is not None and not isinstance(version, str):
            return version.shape[1], version.shape[0]
    raise ValueError(f"{example.image}: its images are addresses, so it needs a size")
