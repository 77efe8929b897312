"""What diffusers calls the number format in which it loads weights."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch


def loaded_as(dtype: torch.dtype) -> dict[str, Any]:
    """Argument of ``from_pretrained``: ``dtype``, which releases before 0.42 know as ``torch_dtype`` alone."""
    release = tuple(int(part) for part in version("diffusers").split(".")[:2])
    return {"dtype" if release >= (0, 42) else "torch_dtype": dtype}
