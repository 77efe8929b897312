"""Number formats of a model: the only module that chooses those of its weights, adapters and forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from .choices import Family, Precision

_LOW: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class PrecisionPolicy:
    """Number formats of one model. What an optimiser moves is float32 in every policy."""

    weights: torch.dtype = torch.float32
    """Of the network's own weights and of the VAE."""
    adapters: torch.dtype = torch.float32
    """Of adapters. In bfloat16 a step of 1e-5 is smaller than the spacing of most entries, and so is lost."""
    autocast: torch.dtype | None = None
    """Of the forward's matrix products and convolutions; None: of the weights' own format."""

    def vae(self, force_upcast: bool) -> torch.dtype:
        """Of the VAE's weights.

        Args:
            force_upcast: what the VAE's configuration says of itself: its activations leave the range of float16.
        """
        return torch.float32 if self.weights == torch.float16 and force_upcast else self.weights


FULL = PrecisionPolicy()
"""Float32 throughout."""


def sampling_policy(family: Family, precision: Precision, device: str | torch.device) -> PrecisionPolicy:
    """Number formats in which images are restored.

    ``auto``: backbones of billions of weights in 16 bits on a GPU, all else in float32. ``bf16`` and ``fp16``: 16 bits
    where the device computes in them itself, float32 elsewhere. ``no``: float32. The small networks keep float32
    weights, of which only the forward is computed in 16 bits.
    """
    kind = torch.device(device).type
    low = _sampling_dtype(family, precision, kind)
    if low is None:
        return PrecisionPolicy()
    return PrecisionPolicy(autocast=low) if family == "small" else PrecisionPolicy(low, low, low)


def training_policy(family: Family, whole_network: bool, precision: str) -> PrecisionPolicy:
    """Number formats of a training.

    Args:
        whole_network: all weights are trained, and not an adapter.
        precision: result of ``training_precision``.
    """
    low = _LOW.get(precision)
    frozen = torch.float32 if low is None or whole_network or family == "small" else low
    return PrecisionPolicy(weights=frozen, autocast=low)


def training_precision(precision: str, device: str) -> str:
    """``no``, ``bf16`` or ``fp16``: the requested precision if the device supports it natively, else ``no``."""
    if precision == "bf16":
        return precision if has_bfloat16(device) else "no"
    return "no" if device == "cpu" else precision


def forward_dtype(policy: PrecisionPolicy, precision: Precision, device: str) -> torch.dtype | None:
    """What ``autocast`` is to compute a forward in; None: nothing else than the weights' format.

    Args:
        precision: setting of the sampling, for a model that was built for another one.
    """
    return policy.autocast or (torch.bfloat16 if precision == "bf16" and has_bfloat16(device) else None)


@contextmanager
def computing_in(dtype: torch.dtype | None, device: str) -> Iterator[None]:
    """Forwards inside are computed in that format; None: in that of their weights."""
    with torch.autocast(device, dtype or torch.bfloat16, enabled=dtype is not None):
        yield


def loaded_as(dtype: torch.dtype) -> dict[str, Any]:
    """Argument of ``from_pretrained``: ``dtype``, which releases before 0.42 know as ``torch_dtype`` alone."""
    release = tuple(int(number) for number in version("diffusers").split(".")[:2])
    return {"dtype" if release >= (0, 42) else "torch_dtype": dtype}


def has_bfloat16(device: str) -> bool:
    """Whether a device computes in bfloat16 itself.

    A processor without AVX-512 (or Arm's BF16) only imitates it, a hundred times slower than float32.

    Args:
        device: type of the device: ``cpu``, ``cuda``, ``mps``.
    """
    if device == "cpu":
        available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        return available and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def _sampling_dtype(family: Family, precision: Precision, device: str) -> torch.dtype | None:
    if precision == "no" or (precision == "auto" and (family == "small" or device == "cpu")):
        return None
    if precision != "fp16" and has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if precision != "bf16" and device != "cpu" else None
