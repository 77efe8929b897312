"""What a method costs for one image: parameters, multiply-accumulate operations, activations, seconds, bytes.

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
"""Of the NTIRE 2026 challenge on efficient SR: runtime, FLOPs, parameters."""


class CostError(BenchError, ValueError):
    """A method whose cost cannot be measured so."""


@dataclass(frozen=True)
class Cost:
    """Of one method on images of one size."""

    method: str
    parameters: int | None
    macs: int | None
    """None: it computes outside of torch, where nothing is counted."""
    activations: int | None
    convolutions: int | None
    seconds: tuple[float, ...]
    """Of one image, the mean of each run."""
    memory: int | None
    """Highest peak in bytes, above the loaded model."""

    @property
    def mean(self) -> float:
        """Seconds of one image, mean over runs."""
        return mean(self.seconds)

    @property
    def deviation(self) -> float:
        """Over runs; 0 for one run."""
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
    """Cost of a method.

    Args:
        method: its name.
        parameters: of all its networks.
        restore: from LQ ``[1, 3, h, w]`` to SR.
        images: LQ of one size or several; operations are counted on the first.
        device: where it computes.
        runs: timed passes over all images.
        warm_up: passes before, which count nowhere.

    Raises:
        CostError: no image, or no run.
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
    """The score of NTIRE 2026's efficient SR against a reference (SPAN there), and its parts; smaller is better.

    ``0.8 e^(2 t/t0) + 0.1 e^(2 F/F0) + 0.1 e^(2 P/P0)``, e^2 = 7.389 for the reference itself. Both are to be measured
    on the same machine, one after the other.

    Returns:
        None where one of the two has no number of operations or parameters.
    """
    pairs = {
        "seconds": (cost.mean, reference.mean),
        "macs": (cost.macs, reference.macs),
        "parameters": (cost.parameters, reference.parameters),
    }
    parts = {}
    for name, (own, theirs) in pairs.items():
        if not own or not theirs:
            return None
        parts[name] = exp(2 * own / theirs)
    return sum(_WEIGHTS[name] * part for name, part in parts.items()), parts
