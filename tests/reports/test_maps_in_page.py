"""Artifact maps in the page of ``report``: what is in it, and how a real browser lays them over the images."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.metrics.faithfulness.artifact_maps import artifact_maps
from asasr_bench.bench.publish import gallery
from asasr_bench.bench.publish.artifact_layers import artifact_layers
from asasr_bench.bench.publish.gallery import layers_in_page
from asasr_bench.bench.publish.leaderboards import write_leaderboards, write_reports
from asasr_bench.bench.publish.small_maps import small_maps
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import Example
from asasr_bench.reports.heat import LESS, MORE, Layer, area_layer, indexed, overlaid
from asasr_bench.reports.page import MOST_PIXELS, to_html
from numpy.typing import NDArray
from pages import canvas, corner, drawn, state
from PIL import Image

from .conftest import OpenTab

SIDE = 160
MAPS = ("LDL", "DeSRA")


def rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def decoded(address: str) -> Image.Image:
    kind, _, text = address.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def pictures_of(page: str) -> list[dict[str, Any]]:
    content = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert content
    return list(json.loads(content[1])["pictures"])


@pytest.fixture(scope="module")
def images() -> dict[str, NDArray[np.uint8]]:
    """Grey images: the left half of HR has texture; one method has none of it, the other has it everywhere."""
    texture = np.random.default_rng(0).integers(60, 180, (SIDE, SIDE, 1), dtype=np.uint8).repeat(3, axis=2)
    flat = np.full_like(texture, 120)
    half = np.where(np.arange(SIDE)[:, None] < SIDE // 2, texture, flat)
    return {"HR": half, "bicubic": flat, "nearest": texture}


@pytest.fixture(scope="module")
def layers(images: Mapping[str, NDArray[np.uint8]]) -> dict[str, dict[str, Layer]]:
    return artifact_layers({name: images[name] for name in ("bicubic", "nearest")}, images["HR"])


@pytest.fixture(scope="module")
def page(
    make_store: Callable[..., Path], images: Mapping[str, NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A page of two pictures: one with maps, and the same without HR."""
    root = tmp_path_factory.mktemp("maps")
    with open_store(make_store(root / "s", methods=("bicubic", "nearest"), size=SIDE)) as store:
        board = load_board(store, title="T")
    restored = {name: images[name] for name in ("bicubic", "nearest")}
    lq = images["HR"][::4, ::4]
    whole = Example("D", "image0", lq, images["HR"], restored, protocol="asasr",
                    layers=layers_in_page(restored, images["HR"]))  # fmt: skip
    blind = replace(whole, image="image1", hr=None, layers=layers_in_page(restored, None))
    path = root / "page.html"
    path.write_text(to_html(board, [whole, blind]), encoding="utf-8")
    return path


def test_a_map_is_half_its_size_in_sixteen_colours(layers: dict[str, dict[str, Layer]]) -> None:
    for each in layers.values():
        for layer in each.values():
            small = np.asarray(indexed(layer).convert("RGBA")).astype(float)
            means = layer[..., 3].reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
            step = layer[..., 3].max() / 7  # eight levels where there are two colours
            assert np.abs(small[..., 3] - means).max() <= step / 2 + 0.5
    areas = np.zeros((21, 31), dtype=bool)
    areas[4:12, 6:20] = True
    small = indexed(area_layer(areas, np.arange(31)[None] * np.ones((21, 1)) >= 12))
    assert small.size == (16, 11)
    pixels = np.asarray(small.convert("RGBA"))
    np.testing.assert_array_equal(pixels[..., 3] > 0, np.pad(areas, ((0, 1), (0, 1)), mode="edge")[::2, ::2])
    assert pixels[3, 4, :3].tolist() == rgb(LESS)
    assert pixels[3, 8, :3].tolist() == rgb(MORE)
    assert not np.asarray(indexed(area_layer(~areas & areas, areas)).convert("RGBA"))[..., 3].any()


def test_maps_are_of_images_with_hr_alone(images: Mapping[str, NDArray[np.uint8]]) -> None:
    hr, sr = images["HR"], {"bicubic": images["bicubic"]}
    assert list(layers_in_page(sr, hr)["bicubic"]) == list(MAPS)
    assert layers_in_page(sr, None) == {}
    assert layers_in_page({"bicubic": images["bicubic"][:80]}, hr) == {}
    assert layers_in_page({"bicubic": sr["bicubic"][:10]}, hr[:10]) == {}


@pytest.mark.parametrize(("height", "width", "times"), [(1100, 60, 3), (523, 41, 4), (530, 50, 7), (1030, 43, 1)])
def test_maps_of_large_images_are_means_of_the_whole_map(height: int, width: int, times: int) -> None:
    """Taken in strips, whose last may be of a few rows; the right and the lower end go on with their last pixel."""
    rng = np.random.default_rng(height)
    hr = rng.integers(90, 160, (height, width, 3), dtype=np.uint8)
    noise = rng.integers(0, 256, hr.shape, dtype=np.uint8)
    sr = np.where(np.arange(height)[:, None, None] % 300 < 150, 60 + hr // 2, noise)  # less contrast, and more
    whole, small = artifact_maps(sr, hr), small_maps(sr, hr, times)

    def blocks(values: NDArray[Any]) -> NDArray[np.float64]:
        missing = [(0, -side % times) for side in values.shape]
        padded = np.pad(values.astype(float), missing, mode="edge")
        return padded.reshape(padded.shape[0] // times, times, -1, times).mean((1, 3))

    assert whole.areas.any()
    np.testing.assert_allclose(small.ldl, blocks(whole.ldl), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(small.areas, blocks(whole.areas) >= 0.5)
    np.testing.assert_array_equal(small.excess, blocks(whole.excess) >= 0.5)


def test_a_layer_is_never_larger_than_half_of_what_a_page_shows() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 2 * MOST_PIXELS + 1, 3), dtype=np.uint8)
    for layer in layers_in_page({"bicubic": image}, image[:, ::-1])["bicubic"].values():
        assert max(layer.size) <= MOST_PIXELS // 2


def test_leaderboards_have_the_maps_of_the_first_images_beside_the_page(
    make_store: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_store(tmp_path / "s", methods=("bicubic", "nearest"), datasets=("D", "E"), images=4, size=SIDE)

    def counts() -> list[int]:
        write_leaderboards([root], tmp_path / "out", ("html",))
        (page,) = [path for path in (tmp_path / "out").glob("*.html") if path.name != "index.html"]
        pictures = pictures_of(page.read_text(encoding="utf-8"))
        for picture in pictures:
            shown = {view["name"]: tmp_path / "out" / view["src"] for view in picture["views"]}
            pixels = {name: np.asarray(Image.open(path)) for name, path in shown.items()}
            wanted = layers_in_page({name: pixels[name] for name in ("bicubic", "nearest")}, pixels["HR"])
            for view in picture["views"]:
                for key, address in view["layers"].items():
                    kept = Image.open(tmp_path / "out" / address).convert("RGBA")
                    expected = wanted[view["name"]][key].convert("RGBA")
                    np.testing.assert_array_equal(np.asarray(kept), np.asarray(expected))
        return [sum(len(view["layers"]) for view in picture["views"]) for picture in pictures]

    assert counts() == [4, 4, 4, 0] * 2
    monkeypatch.setattr(gallery, "MAP_PIXELS", 3 * 2 * SIDE**2)
    assert counts() == [4, 4, 0, 0, 4, 0, 0, 0]  # the first of each set come first


def test_report_embeds_the_maps_of_every_method_in_few_bytes(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", methods=("bicubic", "nearest"), images=2, size=SIDE)
    (path,) = write_reports(store, tmp_path, ("html",))
    for picture in pictures_of(path.read_text(encoding="utf-8")):
        for view in picture["views"]:
            assert list(view["layers"]) == (list(MAPS) if view["kind"] == "sr" else [])
            for address in view["layers"].values():
                assert len(address) < 4 / 3 * ((SIDE // 2) ** 2 / 2 + 300)  # four bits for a pixel, and the palette
        shown = {view["name"]: np.asarray(decoded(view["src"])) for view in picture["views"]}
        restored = {name: shown[name] for name in ("bicubic", "nearest")}
        for name, each in artifact_layers(restored, shown["HR"]).items():
            view = next(view for view in picture["views"] if view["name"] == name)
            for key, layer in each.items():
                embedded = decoded(view["layers"][key]).convert("RGBA")
                np.testing.assert_array_equal(np.asarray(embedded), np.asarray(indexed(layer).convert("RGBA")))


@pytest.mark.parametrize("name", MAPS)
def test_a_map_lies_over_the_grey_image_of_each_side(
    page: Path,
    open_tab: OpenTab,
    images: Mapping[str, NDArray[np.uint8]],
    layers: dict[str, dict[str, Layer]],
    name: str,
) -> None:
    tab = open_tab()
    for divide, method in ((100, "bicubic"), (0, "nearest")):
        tab.goto(f"{page.as_uri()}#layer={name}&left=bicubic&right=nearest&zoom=1&divide={divide}")
        tab.reload()
        drawn(tab)
        left, top = corner(tab)
        shown = canvas(tab, left, top, SIDE, SIDE).astype(int)
        expected = overlaid(images[method], layers[method][name]).astype(int)
        near = (np.abs(shown - expected) <= 12).all(2)  # half a level of opacity, and the borders of areas
        assert near.mean() > 0.9
        assert (np.ptp(shown, axis=2) > 20).mean() > 0.3  # coloured
    assert tab.locator("#scale").is_visible()
    assert tab.locator("#gain-label").is_hidden()
    tab.locator("#right").select_option("HR")
    drawn(tab)
    np.testing.assert_array_equal(canvas(tab, left, top, SIDE, SIDE), images["HR"])
    assert tab.locator("#stage-note").inner_text() == ""
    tab.locator("#right").select_option("LQ")
    drawn(tab)
    assert tab.locator("#stage-note").inner_text() == "LQ has no artifact map."


def test_areas_have_the_colours_of_too_much_and_too_little(page: Path, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{page.as_uri()}#layer=DeSRA&left=bicubic&right=nearest&zoom=1&divide=100")
    drawn(tab)
    left, top = corner(tab)
    blurred = canvas(tab, left, top, SIDE, SIDE).astype(float)[SIDE // 2, SIDE // 4]
    np.testing.assert_allclose(blurred, 120 + 100 / 255 * (np.array(rgb(LESS)) - 120), atol=2)
    tab.locator("#stage").press("b")
    drawn(tab)
    invented = canvas(tab, left, top, SIDE, SIDE).astype(float)[:, SIDE * 3 // 4]
    colour = invented - invented.mean(axis=1, keepdims=True)
    expected = 100 / 255 * (np.array(rgb(MORE)) - np.mean(rgb(MORE)))
    np.testing.assert_allclose(np.median(colour, axis=0), expected, atol=2)


def test_the_key_steps_through_maps_and_a_link_keeps_them(page: Path, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(page.as_uri())
    drawn(tab)
    steps = []
    for _ in range(6):
        tab.locator("#stage").press("d")
        steps.append(state(tab)["layer"])
    assert steps == ["difference", "error", "between", *MAPS, "image"]
    tab.locator("#layer").select_option("LDL")
    drawn(tab)
    tab.wait_for_timeout(250)
    address = tab.url
    assert "layer=LDL" in address
    tab.keyboard.press("?")
    assert "artifact maps of LDL and DeSRA" in tab.locator("#help").inner_text()
    tab.keyboard.press("Escape")
    again = open_tab()
    again.goto(address)
    drawn(again)
    assert again.locator("#layer").input_value() == "LDL"


def test_without_hr_there_is_nothing_to_choose(
    page: Path, open_tab: OpenTab, images: Mapping[str, NDArray[np.uint8]]
) -> None:
    tab = open_tab()
    tab.goto(f"{page.as_uri()}#image=D asasr image1&layer=LDL&left=nearest&right=bicubic&zoom=1&divide=100")
    drawn(tab)
    disabled = "(all) => all.filter((each) => each.disabled).map((each) => each.value)"
    assert tab.locator("#layer option").evaluate_all(disabled) == ["difference", "error", *MAPS]
    assert tab.locator("#layer").input_value() == "image"
    assert tab.locator("#scale").is_hidden()
    left, top = corner(tab)
    np.testing.assert_array_equal(canvas(tab, left, top, SIDE, SIDE), images["nearest"])
    tab.locator("#stage").press("p")
    drawn(tab)
    assert tab.locator("#layer").input_value() == "LDL"  # the choice comes back with an image that has maps
