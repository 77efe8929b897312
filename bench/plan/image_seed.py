"""The seed with which a method restores one image."""

from __future__ import annotations

import hashlib

SEEDING = 2
"""Version of ``image_seed``, to be raised when it returns other seeds; part of the keys of seeded outputs."""


def image_seed(seed: int, lq: str) -> int:
    """The seed of one image in a run, 32 bits.

    Equal seeds give equal noise, and some noise is favourable for every image: with the same seed for all images, the
    mean of a set would vary by more than its interval over images says. So each image has another seed, derived from
    its pixels.

    Args:
        seed: seed of the run.
        lq: digest of the image's LQ pixels.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{lq}".encode()).digest()[:4], "big")
