"""Set a phrase in type: an upright block of lines with the ink's coverage and the place of every word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .canvas import SUPERSAMPLING, Plane
from .phrases import Phrase

FONTS: tuple[str, ...] = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
)
"""Fonts that matplotlib carries in its wheel."""

_LEADING = 1.22
"""Line distance in font sizes."""


@dataclass(frozen=True)
class SetWord:
    """One word of a block; ``box`` x0, y0, x1, y1 is tight around its ink, in pixels from the block's corner."""

    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Block:
    """A set phrase, upright: ``ink`` is its coverage 0..1 with `SUPERSAMPLING` samples per pixel and axis."""

    ink: Plane
    words: tuple[SetWord, ...]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        return self.ink.shape[1] / SUPERSAMPLING, self.ink.shape[0] / SUPERSAMPLING


def font_file(name: str) -> Path:
    """Where matplotlib keeps a font; FileNotFoundError if this matplotlib does not carry it."""
    import matplotlib  # not needed by anything that only reads data sets

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this matplotlib has no such font; install matplotlib from its official wheel")
    return path


def set_type(phrase: Phrase, font: str, size: float, margin: float, centred: bool) -> Block:
    """Set a phrase in type.

    Args:
        phrase: the lines.
        font: name of a font in ``FONTS``.
        size: size of the largest line in pixels per em.
        margin: pixels around the text.
        centred: centre the lines; else they begin at the left margin.
    """
    file = str(font_file(font))
    faces = [
        # The basic layout engine: the other is not in every build of Pillow, and it would change the pixels.
        ImageFont.truetype(file, max(round(size * share * SUPERSAMPLING), 1), layout_engine=ImageFont.Layout.BASIC)
        for share in phrase.sizes
    ]
    lengths = [face.getlength(" ".join(line)) for face, line in zip(faces, phrase.lines, strict=True)]
    border = margin * SUPERSAMPLING
    width = int(np.ceil(max(lengths) + 2 * border))
    # The first line's ascent and the last line's descent hold the accents and tails; the others just follow.
    tops = border + np.concatenate([[0.0], np.cumsum([_LEADING * face.size for face in faces])])
    height = int(np.ceil(tops[-2] + 1.1 * faces[-1].size + border))
    sheet = np.zeros((height, width))
    words = []
    for face, line, length, top in zip(faces, phrase.lines, lengths, tops[:-1], strict=True):
        cursor = (width - length) / 2 if centred else border
        for text in line:
            ink = Image.new("L", (width, height))
            ImageDraw.Draw(ink).text((round(cursor), round(top)), text, fill=255, font=face)
            bounds = ink.getbbox()
            assert bounds is not None, f"the font {font} draws nothing for {text!r}"
            x0, y0, x1, y1 = (edge / SUPERSAMPLING for edge in bounds)
            words.append(SetWord(text, (x0, y0, x1, y1)))
            np.maximum(sheet, np.asarray(ink, dtype=np.float64) / 255, out=sheet)
            cursor += face.getlength(f"{text} ")
    return Block(sheet, tuple(words))
