"""The interface of a super-resolution method: a card, and one of four ways to turn LQ into SR.

A third party's method needs no base class::

    from asasr_bench.methods.interface import MethodCard

    class Sharper:
        card = MethodCard(id="sharper", family="regression", summary="My network", scales=(4,))

        def __init__(self, weights="sharper.pth"):
            self.weight_files = (weights,)  # every file that it reads: results belong to their content
            self.network = ...

        def to(self, device):  # where it needs one
            self.network.to(device)
            return self

        def restore(self, lq, scale, seeds):  # [B, 3, h, w] in [0, 1]
            return self.network(lq)

and joins as ``./file.py:Sharper``, as ``module:Sharper`` or through an entry point of group ``asasr_bench.methods``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Family = Literal[
    "interpolation", "regression", "gan", "diffusion", "flow", "network", "external", "published", "reference"
]
"""``network``: a network whose training is unknown."""
OWN_FAMILIES = frozenset({"published", "reference"})
"""Families that no user's method can have: published rows, which are not measured, and HR, which is not ranked."""


class Interface(StrEnum):
    """How a method takes images."""

    TENSOR = "tensor"
    """A ``Method``: it computes on a device."""
    PIXELS = "pixels"
    """A ``PixelMethod``."""
    FOLDER = "folder"
    """A ``FolderMethod``, an external program."""
    FINISHED = "finished"
    """``FinishedImages``: each image is a file that exists already."""
    HR = "reference"
    """HR itself."""


@dataclass(frozen=True)
class MethodCard:
    """What a report says of a method."""

    id: str
    family: Family
    summary: str
    scales: tuple[float, ...] = ()
    """Supported scales, such as ``(2, 4)`` or ``(1.5, 2, 3.3)``; empty: any scale."""
    deterministic: bool = True
    """False: the output depends on a seed."""
    version: str = "1"
    """To be raised whenever a change of the code may change pixels."""
    paper: str = ""
    code: str = ""
    licence: str = ""
    weights: tuple[str, ...] = ()
    """Names of the weight files that the method needs."""
    parameters: int | None = None
    """Number of parameters of all its networks together."""
    steps: int | None = None
    """How often a sampler evaluates its network for one image."""
    incomplete: str = ""
    """What is unknown about the code and weights that determine its pixels; a note for tables, set by ``resolve``."""


@runtime_checkable
class Method(Protocol):
    """Restores batches of tensors, on the device that it was loaded onto."""

    @property
    def card(self) -> MethodCard: ...

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """Restore a batch.

        Args:
            lq: ``[B, 3, h, w]`` in [0, 1].
            scale: size of SR relative to LQ: an ``int`` where it is whole, else a ``float`` such as 1.5.
            seeds: one seed per image.

        Returns:
            Floating point ``[B, 3, scale * h, scale * w]`` in [0, 1]. Values slightly outside are clipped; any other
            range, type or shape is an error. Images with HR have ``round(scale * h)`` rows, where nothing is
            rounded but floats; others are rounded up (``datasets.scales.sr_size``).
        """


@runtime_checkable
class TellsSteps(Protocol):
    """A ``Method`` that reports progress within an image, such as a sampler with many steps."""

    tell: Callable[[int, int], None] | None
    """Progress callback, called with the steps done and the total number of steps; None: nobody listens."""


@runtime_checkable
class PixelMethod(Protocol):
    """Resamples each channel by itself, on arrays: uint8 images, and float64 Y planes of the classic protocols."""

    @property
    def card(self) -> MethodCard: ...

    def restore_pixels(self, lq: NDArray[Any], scale: float) -> NDArray[Any]:
        """Resample one image to ``scale`` times its size.

        Args:
            lq: ``[h, w]`` or ``[h, w, 3]``, uint8 or float64 in 0..255.
            scale: size of SR relative to LQ.

        Returns:
            uint8, or floating point in 0..255. Values slightly outside are clipped (a Y plane to 16..235); anything
            else is an error.
        """


@runtime_checkable
class FolderMethod(Protocol):
    """Restores a whole folder of images at once, as external programs do."""

    @property
    def card(self) -> MethodCard: ...

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: float, seed: int) -> int | None:
        """Restore every ``lq_dir/NAME.png`` to ``sr_dir/NAME.*``.

        Args:
            lq_dir: PNG files, grey or RGB.
            sr_dir: an empty folder.
            scale: size of SR relative to LQ.
            seed: seed of the run.

        Returns:
            Peak resident memory of the largest process in bytes; None if it is unknown. Images that were written
            before an error count as restored.
        """


@runtime_checkable
class FinishedImages(Protocol):
    """Images that were restored before the benchmark runs."""

    @property
    def card(self) -> MethodCard: ...

    def image_path(self, image: str, scale: float) -> Path:
        """The file of one restored image."""


AnyMethod = Method | PixelMethod | FolderMethod | FinishedImages


def interface_of(method: object) -> Interface | None:
    """Which of the four interfaces an object implements; None if it is no method."""
    if isinstance(method, PixelMethod):
        return Interface.PIXELS
    if isinstance(method, FinishedImages):
        return Interface.FINISHED
    if isinstance(method, FolderMethod):
        return Interface.FOLDER
    return Interface.TENSOR if isinstance(method, Method) else None
