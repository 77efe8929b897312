"""Files that claim to be images: only what is asked for is decoded, and only our own error ever comes out."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.plan.experiment import input_of
from asasr_bench.datasets.dataset import folder_dataset, image_files
from asasr_bench.datasets.errors import DatasetError
from asasr_bench.datasets.ground_truth.kinds import TruthError, read_labels
from asasr_bench.datasets.images import LIMIT, ImageError, pixel_digest, read_image, write_atomically
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
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


# Each file shows one picture, in 8 bits, upright


def _picture() -> Image.Image:
    y, x = np.mgrid[:24, :40]
    return Image.fromarray(np.stack([6 * x, 10 * y, 3 * (x + y)], axis=-1).astype(np.uint8))


def _png_16(pixels: NDArray[np.uint16], colour: int) -> bytes:
    """A PNG of 16 bits a sample, which Pillow writes for grey alone; ``pixels`` is ``[H, W, channels]``."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _tiff_16(pixels: NDArray[np.uint16]) -> bytes:
    """An RGB TIFF of 16 bits a sample, in one strip without compression."""
    height, width, channels = pixels.shape
    data = pixels.astype("<u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 8), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data))]  # fmt: skip
    bits = struct.pack("<HHH", 16, 16, 16)
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = 8 + len(data) + len(bits)
    return b"II*\0" + struct.pack("<I", start) + data + bits + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_more_than_8_bits_are_refused_in_colour_too(tmp_path: Path, rng: np.random.Generator) -> None:
    deep = rng.integers(0, 65536, (6, 5, 4), dtype=np.uint16)
    deep[..., 3] = 65535
    files = {"rgb.png": _png_16(deep[..., :3], 2), "rgba.png": _png_16(deep, 6), "grey.png": _png_16(deep[..., :1], 0),
             "greyalpha.png": _png_16(deep[..., 2:], 4), "rgb.tif": _tiff_16(deep[..., :3])}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with Image.open(tmp_path / name) as image:
            image.load()  # a whole file
        with pytest.raises(ImageError, match=rf"{name}: 16-bit"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_8_bits_and_less_are_read(mode: str, suffix: str, tmp_path: Path) -> None:
    image = _picture().convert("L").convert(mode) if mode in ("1", "LA") else _picture().convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    wanted = np.asarray(image.convert("RGB" if mode in ("P", "RGBA") else "L"))
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), wanted)


_TURNED = {  # EXIF 2.3, tag 274: where the stored rows and columns lie in the picture
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    picture = _picture()
    picture.save(tmp_path / "a.png", exif=exif)
    wanted = _TURNED[orientation](np.asarray(picture))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), wanted)
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture.save(tmp_path / "plain.jpg", quality=95)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.jpg"), _TURNED[orientation](read_image(tmp_path / "plain.jpg"))
    )
    picture.convert("L").save(tmp_path / "labels.png", exif=exif)
    np.testing.assert_array_equal(
        read_labels(tmp_path / "labels.png"), _TURNED[orientation](np.asarray(picture.convert("L"))[..., None])[..., 0]
    )


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_several_images_in_a_file_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    _picture().save(path, save_all=True, append_images=[_picture().rotate(180)])
    with pytest.raises(ImageError, match=rf"a\.{suffix}: holds several images"):
        read_image(path)
    _picture().save(path)
    assert read_image(path).shape == (24, 40, 3)


def test_the_primary_image_of_a_camera_counts(tmp_path: Path) -> None:
    picture = _picture()
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture.resize((10, 6))])
    picture.save(tmp_path / "alone.jpg", format="JPEG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), read_image(tmp_path / "alone.jpg"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_corrupt_jpeg_data_are_refused(mode: str, progressive: bool, tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photo).convert(mode).save(path, quality=90, progressive=progressive)
    whole = path.read_bytes()
    assert read_image(path).shape[:2] == photo.shape[:2]
    middle = whole.index(b"\xff\xda") + len(whole) // 3
    path.write_bytes(whole[:middle] + whole[middle + 200 :])  # Pillow decodes it without a word
    with Image.open(path) as image:
        image.load()
    with pytest.raises(ImageError, match=r"a\.jpg: damaged image \(Corrupt JPEG data"):
        read_image(path)


def test_a_colour_profile_changes_no_value(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    _picture().save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(_picture()))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to("gone.png"), "is a link to gone.png, which leads to no file"),
        (lambda path: path.symlink_to(path.name), "which leads to no file"),
        (_pipe, "is no ordinary file"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_a_set_does_not_shrink_silently(make: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    _picture().save(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "sub").mkdir()
    assert list(image_files(tmp_path)) == ["a", "link"]
    make(tmp_path / "b.png")
    with pytest.raises(DatasetError, match=rf"b\.png: {said}|b\.png: .*{said}"):
        image_files(tmp_path)


def test_an_input_read_by_other_rules_is_another_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _picture().save(tmp_path / "a.png")
    sample = folder_dataset("D", hr=tmp_path, scale=4).samples[0]
    now = input_of(sample, "matlab-bicubic", 4, on_luma=False).key({})
    assert now == input_of(sample, "matlab-bicubic", 4, on_luma=False).key({})
    monkeypatch.setattr("asasr_bench.bench.store.keys.READING", 1)
    assert now != input_of(sample, "matlab-bicubic", 4, on_luma=False).key({})
