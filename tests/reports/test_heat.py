"""Layers of colour over an image."""

from __future__ import annotations

import numpy as np
from asasr_bench.reports.heat import LESS, MORE, area_layer, heat_layer, overlaid


def rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def test_a_heat_layer_is_clear_at_0_and_as_opaque_as_it_gets_from_its_top_on() -> None:
    layer = heat_layer(np.array([[0.0, 1.0, 2.0, 9.0]]), top=2)
    assert layer[0, :, 3].tolist() == [0, 100, 200, 200]
    assert layer[0, 2, :3].tolist() == rgb(MORE)
    assert not heat_layer(np.ones((2, 2)), top=0)[..., 3].any()


def test_areas_have_the_colour_of_their_direction_and_all_else_is_clear() -> None:
    layer = area_layer(np.array([[True, True, False]]), np.array([[True, False, True]]))
    assert layer[0, :, 3].tolist() == [100, 100, 0]
    assert layer[0, 0, :3].tolist() == rgb(MORE)
    assert layer[0, 1, :3].tolist() == rgb(LESS)


def test_an_image_is_grey_below_a_layer() -> None:
    pixels = np.full((1, 2, 3), (30, 60, 90), np.uint8)
    shown = overlaid(pixels, heat_layer(np.array([[0.0, 1.0]]), top=1))
    assert shown[0, 0].tolist() == [60, 60, 60]
    expected = [round(60 * 55 / 255 + value * 200 / 255) for value in rgb(MORE)]
    np.testing.assert_allclose(shown[0, 1], expected, atol=1)
    np.testing.assert_array_equal(overlaid(pixels[..., 1], np.zeros((1, 2, 4), np.uint8))[0, 0], [60, 60, 60])
