"""One palette: a method is drawn alike in figures and on pages."""

from __future__ import annotations

import re

import numpy as np
from asasr_bench.reports.board import Spectrum
from asasr_bench.reports.palette import COLOURS, line_styles
from asasr_bench.reports.svg import spectrum_svg

NAMES = [f"m{number:02}" for number in range(32)]


def test_no_two_of_thirty_two_lines_are_drawn_alike() -> None:
    styles = line_styles(NAMES)
    assert len({(style.colour, style.line) for style in styles.values()}) == len(NAMES)
    assert len({(style.colour, style.dashes) for style in styles.values()}) == len(NAMES)
    assert len(set(COLOURS)) == 8


def test_a_page_draws_lines_in_the_colours_of_the_figures() -> None:
    frequencies = np.linspace(0.01, 1, 20)
    text = spectrum_svg(Spectrum("D", frequencies, dict.fromkeys(NAMES, -frequencies)))
    drawn = dict(re.findall(r'data-method="(\w+)".*?stroke="(#\w+)"', text))
    assert drawn == {name: style.colour for name, style in line_styles(NAMES).items()}
