"""PNG files of ours are read by Pillow to the same pixels, and a file is kept as it is only where it holds no more."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets import png
from asasr_bench.datasets.images import read_image, read_image_and_file
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

SIDES = st.integers(1, 40)
IMAGES = st.tuples(SIDES, SIDES, st.booleans()).flatmap(
    lambda size: arrays(np.uint8, size[:2] + ((3,) if size[2] else ()))
)


def decoded(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@given(pixels=IMAGES)
def test_pillow_reads_what_was_written(pixels: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decoded(png.encode_png(pixels)), pixels)
    np.testing.assert_array_equal(decoded(png.encode_png(pixels[::-1, ::-1])), pixels[::-1, ::-1])  # not contiguous


def test_rows_of_several_blocks_continue_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 20, 3), dtype=np.uint8)
    monkeypatch.setattr(png, "_BLOCK", 5 * 60)
    np.testing.assert_array_equal(decoded(png.encode_png(pixels)), pixels)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_8_bit_image_is_refused(pixels: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match=r"uint8 \[H, W\]"):
        png.encode_png(pixels)  # type: ignore[arg-type]


@given(pixels=IMAGES)
def test_what_leaves_the_values_alone_is_left_out(pixels: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", dpi=(300, 300))
    content = buffer.getvalue()
    dated = content[:33] + chunk(b"tIME", bytes(7)) + chunk(b"gAMA", bytes(4)) + content[33:] + b"behind the end"
    kept = png.pixels_alone(dated)
    assert kept is not None
    assert {kind for kind, _ in png._chunks(kept)} == {b"IHDR", b"IDAT", b"IEND"}
    assert len(kept) < len(dated) - 60
    np.testing.assert_array_equal(decoded(kept), pixels)


def saved(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def with_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "taken at home")
    return text


def turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6  # orientation: the camera was held upright
    return exif.tobytes()


RGB = Image.new("RGB", (5, 3), (1, 2, 3))


@pytest.mark.parametrize(
    "content",
    [
        saved(RGB, pnginfo=with_text()), saved(RGB, exif=turned()), saved(RGB, transparency=(1, 2, 3)),
        saved(RGB.convert("P")), saved(RGB.convert("RGBA")), saved(Image.new("I;16", (5, 3))),
        saved(RGB.convert("1")), saved(RGB)[:-12], b"", b"GIF89a", saved(RGB)[:20],
    ],
)  # fmt: skip
def test_what_may_be_more_than_its_pixels_is_encoded_anew(content: bytes) -> None:
    assert png.pixels_alone(content) is None


def test_a_file_is_given_beside_the_pixels_that_it_holds(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(pixels)))
    Image.fromarray(pixels).save(tmp_path / "a.bmp")
    read, file = read_image_and_file(tmp_path / "a.png")
    np.testing.assert_array_equal(read, pixels)
    content = png.pixels_alone(file)
    assert content is not None
    (tmp_path / "b.png").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), pixels)
    assert png.pixels_alone(read_image_and_file(tmp_path / "a.bmp")[1]) is None
