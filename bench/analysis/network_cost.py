"""Cost of a method for one image: parameters, multiply-accumulate operations, activations, seconds and bytes.

Operations are counted as torch carries them out: a multiplication with its addition is one MAC, which fvcore and the
NTIRE challenges call a FLOP. Activations are the values that convolutions give, as the challenges count them.
Elementwise operations, norms and custom kernels are in neither number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from statistics import mean, stdev
from typing import TYPE_CHECKING

from ...datasets.errors import BenchError
from ..execute.cost import Meter

if TYPE_CHECKING:
    from torch import Tensor

RUNS = 5
WARM_UP = 2
_WEIGHTS = {"seconds": 0.8, "macs": 0.1, "parameters": 0.1}
"""Weights of the score of the NTIRE 2026 challenge on efficient SR: runtime, FLOPs, parameters."""


class CostError(BenchError, ValueError):
    """The cost of a method cannot be measured with these settings."""


@dataclass(frozen=True)
class Cost:
    """Cost of one method on images of one size."""

    method: str
    parameters: int | None
    macs: int | None
    """None: the method computes outside of torch, where nothing is counted."""
    activations: int | None
    convolutions: int | None
    seconds: tuple[float, ...]
    """Seconds for one image, the mean of each run."""
    memory: int | None
    """Highest peak in bytes, above the loaded model."""

    @property
    def mean(self) -> float:
        """Seconds for one image, mean over runs."""
        return mean(self.seconds)

    @property
    def deviation(self) -> float:
        """Standard deviation of the seconds over runs; 0 for a single run."""
        return stdev(self.seconds) if len(self.seconds) > 1 else 0.0


def measure_cost(
    method: str,
    parameters: int | None,
    restore: Callable[[Tensor], object],
    images: Sequence[Tensor],
    device: str,
    *,
    runs: int = RUNS,
    warm_up: int = WARM_UP,
) -> Cost:
    """Measure the cost of a method.

    Args:
        method: name of the method.
        parameters: number of parameters of all its networks.
        restore: restores LQ ``[1, 3, h, w]`` in [0, 1] to SR.
        images: LQ images ``[1, 3, h, w]``; operations are counted on the first.
        device: torch device.
        runs: number of timed passes over all images, at least 1.
        warm_up: number of passes before them, which do not count.

    Raises:
        CostError: there is no image, or no run.
    """
    import torch

    from ..execute.count_operations import OperationCounter

    if not images or runs < 1 or warm_up < 0:
        raise CostError("give at least one image and one run")
    counter = OperationCounter()
    with torch.inference_mode():
        with counter:
            restore(images[0])
        for _ in range(warm_up):
            for image in images:
                restore(image)
        seconds, memory = [], []
        for _ in range(runs):
            total = 0.0
            for image in images:
                with Meter(device) as meter:
                    restore(image)
                total += meter.seconds
                memory.append(meter.memory)
            seconds.append(total / len(images))
    known = [peak for peak in memory if peak is not None]
    height, width = images[0].shape[-2:]
    operations = counter.operations(width, height)
    return Cost(
        method,
        parameters,
        None if operations is None else operations.macs,
        None if operations is None else operations.activations,
        None if operations is None else counter.convolutions,
        tuple(seconds),
        max(known, default=None),
    )


def efficiency_score(cost: Cost, reference: Cost) -> tuple[float, dict[str, float]] | None:
    """Score of the NTIRE 2026 challenge on efficient SR relative to a reference (SPAN there); lower is better.

    ``0.8 e^(2 t/t0) + 0.1 e^(2 F/F0) + 0.1 e^(2 P/P0)``, e^2 = 7.389 for the reference itself. Both costs must be
    measured on the same machine, one after the other.

    Returns:
        The score and its three parts before weighting; None if a number of operations or parameters is missing.
    """
    pairs = {
        "seconds": (cost.mean, reference.mean),
        "macs": (cost.macs, reference.macs),
        "parameters": (cost.parameters, reference.parameters),
    }
    parts = {}
    for name, (value, reference_value) in pairs.items():
        if not value or not reference_value:
            return None
        parts[name] = exp(2 * value / reference_value)
    return sum(_WEIGHTS[name] * part for name, part in parts.items()), parts
