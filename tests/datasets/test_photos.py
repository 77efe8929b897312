"""Photos from scikit-image's wheel."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from asasr_bench.datasets.images import pixel_digest, read_image
from asasr_bench.datasets.photos import PHOTOS, Photo, build, read_photo


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a photo was about to be downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: str(photo.name))
def test_photos_are_full_crops_of_the_shipped_images(photo: Photo) -> None:
    from skimage import data

    pixels = read_photo(photo)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (photo.height, photo.width, 3)  # shorter if the crop left the image
    assert photo.height % 24 == photo.width % 24 == 0  # scales 2, 3, 4 and 8
    assert min(photo.height, photo.width) >= 240
    assert max(photo.height, photo.width) <= 320
    whole = getattr(data, photo.function)()
    # Top left and bottom right corner, addressed from the whole image's side.
    np.testing.assert_array_equal(pixels[0, 0], np.broadcast_to(whole[photo.top, photo.left], 3))
    last = whole[photo.top + photo.height - 1, photo.left + photo.width - 1]
    np.testing.assert_array_equal(pixels[-1, -1], np.broadcast_to(last, 3))
    assert pixels.std() > 20


def test_photos_are_free_and_named_once() -> None:
    assert {photo.licence for photo in PHOTOS} <= {"public domain", "CC0-1.0"}
    assert all(photo.source for photo in PHOTOS)
    assert len({photo.name for photo in PHOTOS}) == len(PHOTOS) >= 4


def test_crops_of_one_image_do_not_overlap() -> None:
    for number, first in enumerate(PHOTOS):
        for second in PHOTOS[number + 1 :]:
            if first.function == second.function:
                apart_down = first.top + first.height <= second.top or second.top + second.height <= first.top
                apart_right = first.left + first.width <= second.left or second.left + second.width <= first.left
                assert apart_down or apart_right, (first.name, second.name)


def test_build_writes_exactly_the_photos(tmp_path: Path) -> None:
    build(tmp_path)
    files = {path.stem: path for path in (tmp_path / "HR").iterdir()}
    assert set(files) == {photo.name for photo in PHOTOS}
    for photo in PHOTOS:
        np.testing.assert_array_equal(read_image(files[photo.name]), read_photo(photo))


def test_astronaut_has_the_expected_pixels() -> None:
    # A PNG source: its pixels do not depend on the decoder. Digest taken from scikit-image 0.26.0.
    portrait = next(photo for photo in PHOTOS if photo.name == "astronaut")
    assert pixel_digest(read_photo(portrait)) == "feb318ea3ce8c451d9d369cef99968c683662480fde45245b26b936191291641"
