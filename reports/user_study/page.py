"""The blind page of a user study: one HTML file without a name of a method, a dataset or an image."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from ..escaping import plain
from ..table_template import template_text


@dataclass(frozen=True)
class PageTrial:
    """One question, in neutral names."""

    id: str
    options: tuple[str, ...]
    """Names of images; the page shuffles them for each rater."""
    beside: str | None
    """An image that stands beside them."""
    width: int
    height: int


@dataclass(frozen=True)
class StudyPage:
    """What a page shows, but for the images."""

    study: str
    title: str
    question: str
    instructions: str
    tie: bool
    groups: Sequence[tuple[int, Sequence[PageTrial]]]
    """How many trials of each group a rater answers, drawn anew for each."""


def image_file(pixels: NDArray[np.uint8]) -> bytes:
    """PNG of pixels alone: nothing in it tells where they are from."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", compress_level=6)
    return buffer.getvalue()


def to_study_page(page: StudyPage, files: Mapping[str, bytes], *, folder: str | None = None) -> str:
    """Render the page; equal input gives equal bytes.

    Args:
        page: its questions.
        files: PNG files by neutral name.
        folder: relative folder that has them as ``NAME.png``; None: they are in the page.
    """
    data = {
        "study": page.study,
        "question": page.question,
        "tie": page.tie,
        "groups": [{"draw": count, "trials": [asdict(trial) for trial in trials]} for count, trials in page.groups],
        "images": {
            name: f"{folder}/{name}.png" if folder else f"data:image/png;base64,{base64.b64encode(content).decode()}"
            for name, content in files.items()
        },
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template_text("user_study/page.html.j2")).render(
        title=plain(page.title),
        question=plain(page.question),
        instructions=plain(page.instructions),
        sources="data: file: 'self'" if folder else "data:",
        style=Markup(template_text("user_study/page.css")),
        script=Markup(template_text("user_study/page.js")),
        # A "<" in a text could end the script element; JSON has another spelling for it.
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
    )
