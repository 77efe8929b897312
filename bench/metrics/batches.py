"""Run a network on batches of images of the same size, on any device, with as much memory as there is."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...datasets.errors import BenchError
from ...datasets.images import as_rgb
from .metric import Measure, Score
from .metric_input import MetricInput
from .similarity import shave

if TYPE_CHECKING:
    import torch

    Network = Callable[..., torch.Tensor]
    """From SR ``[B, 3, H, W]``, or SR and HR, in [0, 1] to one value an image."""

TOLERANCE = 1e-4
"""Largest relative difference of a network's float32 value between batch sizes, numbers of threads and devices."""


class OutOfMemoryError(BenchError, RuntimeError):
    """One image alone is too much for the device."""


def rgb_tensors(inputs: Sequence[MetricInput], needs: str) -> list[torch.Tensor]:
    """SR, or SR and HR, of same-size images as float32 ``[B, 3, H, W]`` in [0, 1] under the protocol's crop.

    Raises:
        ValueError: the protocol restores Y alone.
    """
    import torch

    groups = [[image.sr for image in inputs]]
    if needs == "reference":
        for item in inputs:
            item.require_colours()
        groups.append([image.hr for image in inputs if image.hr is not None])
    border = inputs[0].protocol.shave
    return [
        torch.from_numpy(np.stack([as_rgb(shave(image, border)).transpose(2, 0, 1) for image in images])).float() / 255
        for images in groups
    ]


def over_batches(load: Callable[[str], Network], needs: str, *, tile: int = 0) -> Measure:
    """The measuring function of a network that takes SR, or SR and HR.

    Args:
        load: loads the network onto a device, given by its name.
        needs: ``reference``: the network takes SR and HR; else it takes SR alone.
        tile: side of the tiles into which an image is cut that does not fit as a whole; 0: images are never cut.
    """

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        network = load(device)
        by_tiles = partial(network, tile=tile) if tile else None
        values = measure_batch(network, rgb_tensors(inputs, needs), device, by_tiles=by_tiles)
        return [Score(value) for value in values]

    return measure


def measure_batch(
    network: Network, images: Sequence[torch.Tensor], device: str, *, by_tiles: Network | None = None
) -> list[float]:
    """Values of a batch. If memory is short, the batch is halved; a single image is cut into tiles if that is possible.

    Args:
        network: computes the values of a batch of images on the device.
        by_tiles: computes the same values with less memory.

    Raises:
        OutOfMemoryError: an image does not fit.
    """
    values = _attempt(network, images, device)
    if values is not None:
        return values
    _free_memory()
    count = len(images[0])
    if count > 1:
        halves = ([image[: count // 2] for image in images], [image[count // 2 :] for image in images])
        return [value for half in halves for value in measure_batch(network, half, device, by_tiles=by_tiles)]
    if by_tiles is not None:
        values = _attempt(by_tiles, images, device)
        if values is not None:
            return values
    height, width = images[0].shape[-2:]
    raise OutOfMemoryError(
        f"an image of {width}x{height} pixels needs more memory than {device} has; measure it with --device cpu or on a"
        " larger machine"
    )


def _attempt(network: Network, images: Sequence[torch.Tensor], device: str) -> list[float] | None:
    """The values; None if memory is short."""
    import torch

    try:
        with torch.inference_mode(), exact_float32():
            values = network(*(image.to(device) for image in images)).double().reshape(-1).cpu()
    except (torch.OutOfMemoryError, MemoryError):
        return None
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # how torch says it on a CPU
            raise
        return None
    if len(values) != len(images[0]):
        raise ValueError(f"the network gave {len(values)} values for {len(images[0])} images")
    return [float(value) for value in values]


@contextmanager
def exact_float32() -> Iterator[None]:
    """Products in full float32, which GPUs shorten to 10 bits otherwise, by algorithms that do not vary."""
    import torch

    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
