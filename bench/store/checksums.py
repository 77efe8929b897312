"""Checksums of stored values, by which damage on the disk is noticed before it becomes a result."""

from __future__ import annotations

import struct
import zlib


def score_checksum(key: object, value: object) -> int | None:
    """CRC-32 of a score's key and value; None, which no checksum equals, if they have other types than in a store."""
    if not isinstance(key, str) or not (value is None or isinstance(value, float)):
        return None
    return zlib.crc32(key.encode() + (b"" if value is None else struct.pack("<d", value)))


def payload_checksum(key: object, dtype: object, shape: object, content: object) -> int | None:
    """CRC-32 of a row of payloads; None if a column has another type than in a store.

    Args:
        key: score key.
        dtype: data type of NumPy.
        shape: shape as JSON.
        content: compressed bytes of the array.
    """
    if not (isinstance(key, str) and isinstance(dtype, str) and isinstance(shape, str) and isinstance(content, bytes)):
        return None
    return zlib.crc32(content, zlib.crc32(f"{key} {dtype} {shape} ".encode()))
