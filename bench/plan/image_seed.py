"""The seed that a method gets for one image."""

from __future__ import annotations

import hashlib

SEEDING = 2
"""Raised whenever ``image_seed`` gives other seeds; part of the keys of what depends on them."""


def image_seed(seed: int, lq: str) -> int:
    """The seed of one image in a run with this seed, 32 bits of it.

    Noise of equal seeds is equal, and some noise suits every image: with one seed for a whole set its mean moves by
    more than an interval over images can tell. So seeds differ from image to image, by their pixels.

    Args:
        lq: digest of its LQ pixels.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{lq}".encode()).digest()[:4], "big")
