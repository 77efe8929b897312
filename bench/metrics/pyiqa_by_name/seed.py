"""One seed for all random numbers that the library may draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

SEED = 123
"""Of every image's random crops and patches; what the library calls its default seed."""


@contextmanager
def seeded(device: str) -> Iterator[None]:
    """All random numbers begin at the seed, and go on afterwards where they were before."""
    import torch

    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002 (the library draws from it)
    gpus = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(SEED)
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)  # noqa: NPY002
