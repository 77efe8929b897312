"""Read, write and identify images. Every pixel that enters the benchmark comes through `read_image`."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import BenchError
from .png import encode_png

READING = 2
"""Version of the pixels that ``read_image`` decodes from a file; part of the identity of an input."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""File suffixes (lower case) that count as images in a folder."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""Decoders that a file may call for, whatever its suffix says: Pillow has others that start programs (EPS)."""
MOST_PIXELS = 2**28
"""Largest declared size that is decoded: 16384x16384, 768 MiB as RGB."""
LIMIT = "ASASR_BENCH_MAX_PIXELS"
"""Environment variable that replaces ``MOST_PIXELS``."""
_pillow_limit = threading.Lock()

OPAQUE_MODES = {"1": "L", "P": "RGB", "RGBA": "RGB", "LA": "L"}
"""Pillow's modes that are expanded without loss, where nothing is transparent."""
_BITS_PER_SAMPLE = 258
"""Tag of TIFF."""
_CORRUPT = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's warnings of damaged data begin; it has others, of headers, that leave the pixels what they were."""


class ImageError(BenchError, ValueError):
    """An image file that cannot be used; the message names the file, the cause and the remedy."""


def most_pixels() -> int:
    """The limit that holds: ``ASASR_BENCH_MAX_PIXELS``, else ``MOST_PIXELS``.

    Raises:
        ImageError: the variable is no whole number.
    """
    chosen = os.environ.get(LIMIT) or str(MOST_PIXELS)
    if not chosen.isdecimal():
        raise ImageError(f"{LIMIT} is '{chosen}'; it is a number of pixels, such as {MOST_PIXELS}")
    return int(chosen)


def check_size(width: int, height: int, origin: object) -> None:
    """Refuse an image of more pixels than the limit before memory is allocated for it.

    Args:
        width: declared width in pixels.
        height: declared height in pixels.
        origin: file or source, for the error.

    Raises:
        ImageError: the image has more pixels.
    """
    if width * height > most_pixels():
        raise ImageError(
            f"{origin}: {width}x{height} pixels are more than the limit of {most_pixels()}, and a small file can claim"
            f" any size; where you trust it and have the memory, set {LIMIT}={width * height}"
        )


@contextmanager
def opened_image(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """An image whose header was read and whose size is within the limit; its pixels are decoded by ``load_upright``.

    Args:
        path: of the file.
        content: of the file, where it was read before.

    Raises:
        ImageError: the file is missing, damaged, of another format, holds several images, or declares too many pixels;
            whatever goes wrong inside the block as well.
    """
    try:
        with _open(path if content is None else io.BytesIO(content)) as image:
            check_size(*image.size, path)
            _refuse_several(image, path)
            yield image
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path}: no such image file") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image that can be read; export it as 8-bit PNG") from None
    except MemoryError:
        raise ImageError(f"{path}: not enough memory to decode it") from None
    except Exception as error:  # decoders raise anything for damaged bytes: struct.error, IndexError, ...
        raise ImageError(f"{path}: damaged or truncated image ({error}); copy or download the file again") from None


def _open(source: Path | io.BytesIO) -> Image.Image:
    """Open a file under our limit instead of Pillow's, which is one for the whole process and knows no exception."""
    with _pillow_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = before


def load_upright(image: Image.Image) -> None:
    """Decode an opened image and turn it as its EXIF orientation says, as viewers and ``cv2.imread`` do."""
    image.load()
    ImageOps.exif_transpose(image, in_place=True)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read one 8-bit image.

    Returns RGB ``[H, W, 3]`` or, for grey files, ``[H, W]``, uint8 0..255, upright (see ``load_upright``). Palette
    images and fully opaque alpha channels are expanded, which loses nothing. Whatever would lose something is refused.
    Colour profiles are ignored, as in the field's code: values are taken as they are stored.

    Raises:
        ImageError: the file is missing, truncated, not an image, too large (see ``most_pixels``), has more than 8 bits,
            transparency, several images, or is not RGB; a JPEG whose data are corrupt.
    """
    return _read(path, None)


def read_image_and_file(path: Path) -> tuple[NDArray[np.uint8], bytes]:
    """What ``read_image`` gives, and the bytes of the file that these pixels were read from.

    Raises:
        ImageError: see ``read_image``.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return read_image(path), b""  # which says why
    return _read(path, content), content


def _read(path: Path, content: bytes | None) -> NDArray[np.uint8]:
    with opened_image(path, content) as image:
        deep = _has_more_than_8_bits(image)  # known before decoding only: Pillow cuts three channels of 16 bits to 8
        load_upright(image)
        mode = image.mode
        transparent = is_transparent(image)
        target = OPAQUE_MODES.get(mode, mode)
        pixels = np.array(image.convert(target) if target != mode else image)
        if image.format in ("JPEG", "MPO") and mode in ("RGB", "L"):
            _refuse_corrupt_jpeg(path, mode)
    if transparent:
        raise ImageError(f"{path}: has transparent pixels; flatten it onto a background and save it as RGB")
    if deep or target not in ("RGB", "L"):
        kind = "16-bit or floating-point" if deep or mode.startswith(("I", "F")) else f"colour mode {mode}"
        raise ImageError(f"{path}: {kind} image; this benchmark scores 8-bit RGB and grey images, convert it first")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _refuse_several(image: Image.Image, path: Path) -> None:
    """Refuse animations and files of several pages; a JPEG has one primary image, its others are previews."""
    if image.format not in ("PNG", "WEBP", "TIFF"):
        return
    try:
        image.seek(1)
    except EOFError:
        image.seek(0)
        return
    raise ImageError(
        f"{path}: holds several images (an animation, or pages); save the wanted image alone, as 8-bit PNG"
    )


def _has_more_than_8_bits(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet stores samples of more than 8 bits."""
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))
        return bool(np.max(bits) > 8)
    return image.format == "PNG" and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _refuse_corrupt_jpeg(path: Path, mode: str) -> None:
    """Refuse data that libjpeg decodes with a warning, which Pillow does not tell.

    It is decoded at an eighth of the size, which reads all data and costs little. JPEG has no checksum: damage after
    which the data are valid again cannot be noticed.
    """
    try:
        simplejpeg.decode_jpeg(
            path.read_bytes(), "GRAY" if mode == "L" else "RGB", min_height=1, min_width=1, min_factor=8, strict=True
        )
    except ValueError as error:
        if str(error).startswith(_CORRUPT):
            raise ImageError(f"{path}: damaged image ({error}); copy or download the file again") from None


def is_transparent(image: Image.Image) -> bool:
    """Whether any pixel is not fully opaque."""
    if image.mode in ("RGBA", "LA"):
        return bool(np.asarray(image.getchannel("A")).min() < 255)
    return "transparency" in image.info and bool(np.asarray(image.convert("RGBA"))[..., 3].min() < 255)


def as_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replicate a grey ``[H, W]`` image to ``[H, W, 3]``; RGB passes unchanged."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def crop_to_multiple(pixels: NDArray[Any], unit: int) -> NDArray[Any]:
    """Cut the bottom and right edges so that height and width divide by ``unit`` (the literature's "modcrop")."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % unit, : width - width % unit]


def to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels in 0..255 of any type, rounded and clipped to 8 bits; those that have 8 are given as they are."""
    return pixels if pixels.dtype == np.uint8 else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def pixel_digest(pixels: NDArray[Any]) -> str:
    """Hex SHA-256 of shape, dtype and pixels: the same for equal images, whatever file they were stored in."""
    digest = hashlib.sha256(f"{pixels.dtype.str}{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 ``[H, W]`` or ``[H, W, 3]`` as PNG, atomically."""
    write_atomically(path, encode_png(pixels))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that ``path`` never holds half of it, not even after a power cut (temp file, fsync, rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")  # without its name, which may be as long as names can be
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # what the caller knows of
        raise
