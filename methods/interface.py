"""What a super-resolution method is: a card, and one of four ways to turn LQ into SR.

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
"""``network``: a network of which nobody says how it was trained."""
OWN_FAMILIES = frozenset({"published", "reference"})
"""Of rows that are not measured and of HR itself, which wins nothing: no method can be of them."""


class Interface(StrEnum):
    """How a method takes images."""

    TENSOR = "tensor"
    """A ``Method``: it computes on a device."""
    PIXELS = "pixels"
    """A ``PixelMethod``."""
    FOLDER = "folder"
    """A ``FolderMethod``, an external program."""
    FINISHED = "finished"
    """``FinishedImages``: each is identified by a file of its own."""
    HR = "reference"
    """It is HR itself."""


@dataclass(frozen=True)
class MethodCard:
    """What a report says of a method."""

    id: str
    family: Family
    summary: str
    scales: tuple[int, ...] = ()
    """Scales it can do; empty: any."""
    deterministic: bool = True
    """False: its output depends on a seed."""
    version: str = "1"
    """Raised whenever the code may give other pixels."""
    paper: str = ""
    code: str = ""
    licence: str = ""
    weights: tuple[str, ...] = ()
    """Files it needs."""
    parameters: int | None = None
    """Of all its networks together."""
    steps: int | None = None
    """Times that a sampler evaluates its network for one image."""
    incomplete: str = ""
    """What is not known of that which determines its pixels, for tables; filled in when it is resolved."""


@runtime_checkable
class Method(Protocol):
    """Works on batches of tensors, on the device it was loaded for."""

    @property
    def card(self) -> MethodCard: ...

    def restore(self, lq: Tensor, scale: int, seeds: Sequence[int]) -> Tensor:
        """``[B, 3, h, w]`` in [0, 1] and one seed per image to floating point ``[B, 3, scale * h, scale * w]`` in
        [0, 1]. Values a little outside are clipped; another range, type or shape is refused."""


@runtime_checkable
class TellsSteps(Protocol):
    """A ``Method`` whose one image takes long enough to be told of its steps."""

    tell: Callable[[int, int], None] | None
    """Receives the steps that are done and all that there are, where somebody listens."""


@runtime_checkable
class PixelMethod(Protocol):
    """Resamples each channel alone, on arrays: uint8 images, and float64 Y planes of the classic protocols."""

    @property
    def card(self) -> MethodCard: ...

    def restore_pixels(self, lq: NDArray[Any], scale: int) -> NDArray[Any]:
        """``[h, w]`` or ``[h, w, 3]``, uint8 or float64 0..255, to ``scale`` times the size.

        uint8, or floating point in 0..255: a little outside is clipped, a Y plane to 16..235, all else is refused.
        """


@runtime_checkable
class FolderMethod(Protocol):
    """Runs over a whole folder, as external programs do."""

    @property
    def card(self) -> MethodCard: ...

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: int, seed: int) -> int | None:
        """Restore every ``lq_dir/NAME.png`` to ``sr_dir/NAME.*``.

        Args:
            lq_dir: PNG files, grey or RGB.
            sr_dir: an empty folder.
            scale: of SR to LQ.
            seed: of the run.

        Returns peak resident bytes of its largest process, None where they are unknown. Where it raises, the images
        that it wrote before count all the same."""


@runtime_checkable
class FinishedImages(Protocol):
    """Images that somebody restored before."""

    @property
    def card(self) -> MethodCard: ...

    def image_path(self, image: str, scale: int) -> Path:
        """The file of one image."""


AnyMethod = Method | PixelMethod | FolderMethod | FinishedImages


def interface_of(method: object) -> Interface | None:
    """Which of the four ways a method implements; None for something that is no method."""
    if isinstance(method, PixelMethod):
        return Interface.PIXELS
    if isinstance(method, FinishedImages):
        return Interface.FINISHED
    if isinstance(method, FolderMethod):
        return Interface.FOLDER
    return Interface.TENSOR if isinstance(method, Method) else None
