"""Number formats: what a device computes in, and what diffusers calls the one in which it loads weights."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch


def loaded_as(dtype: torch.dtype) -> dict[str, Any]:
    """Argument of ``from_pretrained``: ``dtype``, which releases before 0.42 know as ``torch_dtype`` alone."""
    release = tuple(int(part) for part in version("diffusers").split(".")[:2])
    return {"dtype" if release >= (0, 42) else "torch_dtype": dtype}


def has_bfloat16(device: str) -> bool:
    """Whether a device computes in bfloat16 itself.

    A processor without AVX-512 (or Arm's BF16) only imitates it, a hundred times slower than float32.

    Args:
        device: type of the device: ``cpu``, ``cuda``, ``mps``.
    """
    if device == "cpu":
        there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
