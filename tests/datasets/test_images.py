"""Files that claim to be images: only what is asked for is decoded, and only our own error ever comes out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import LIMIT, ImageError, pixel_digest, read_image, write_atomically
from asasr_bench.datasets.truth import TruthError, read_labels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import read_or_refused


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds almost nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_a_declared_size_over_the_limit_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: decoded.append(self.size))
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    with pytest.raises(ImageError, match=rf"bomb\.png: 50000x50000 pixels .* set {LIMIT}=2500000000"):
        read_image(tmp_path / "bomb.png")
    with pytest.raises(TruthError, match="50000x50000"):
        read_labels(tmp_path / "bomb.png")
    assert decoded == []


def test_the_limit_can_be_raised_above_pillows_and_lowered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (64, 32)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses above twice of it
    assert read_image(tmp_path / "a.png").shape == (32, 64)
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setenv(LIMIT, "2047")
    with pytest.raises(ImageError, match="64x32 pixels are more than the limit of 2047"):
        read_image(tmp_path / "a.png")
    monkeypatch.setenv(LIMIT, "many")
    with pytest.raises(ImageError, match=f"{LIMIT} is 'many'"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["PPM", "GIF", "EPS", "ICO"])
def test_a_suffix_opens_no_other_decoder(kind: str, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.tmp", format=kind)
    (tmp_path / "a.tmp").rename(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: not an image that can be read"):
        read_image(tmp_path / "a.png")


def test_the_longest_file_name_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 251 + ".png"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 251 + ".png"]


def test_digests_are_of_the_pixels_in_order(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert pixel_digest(pixels) == pixel_digest(np.asfortranarray(pixels)) != pixel_digest(pixels[:, ::-1])


def _encoded() -> list[bytes]:
    y, x = np.mgrid[:16, :16]
    image = Image.fromarray(np.stack([x * 16, y * 16, x * y], axis=-1).astype(np.uint8))
    files = []
    for kind, options in (
        ("PNG", {}), ("JPEG", {}), ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
    ):  # fmt: skip
        buffer = io.BytesIO()
        image.save(buffer, format=kind, **options)
        files.append(buffer.getvalue())
    return files


_FILES = _encoded()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused_by_name(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(data.draw(st.sampled_from(_FILES)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "fuzzed.png"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with read_or_refused(ImageError, "fuzzed.png"):
        pixels = read_image(path)
        assert pixels.dtype == np.uint8
        assert pixels.ndim in (2, 3)


def test_a_decoder_that_stumbles_is_our_error(tmp_path: Path) -> None:
    whole = png_header(4, 4)
    (tmp_path / "a.png").write_bytes(whole[:8] + b"\0\0\0\5IHDR" + whole[16:])  # Pillow raises ValueError
    with pytest.raises(ImageError, match=r"a\.png: damaged or truncated image \(Truncated IHDR"):
        read_image(tmp_path / "a.png")
