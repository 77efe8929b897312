"""One method as a function of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ...methods.errors import MethodError
from ...methods.interface import Interface, Method, MethodCard, PixelMethod, interface_of
from ...methods.registry import resolve
from ..execute.restore_image import restore_image, torch_device
from ..execute.threads import fixed_threads
from .images import pixels_of

if TYPE_CHECKING:
    from .images import AnyImages

_OF_RUNS = {Interface.FOLDER: "an external program", Interface.FINISHED: "a folder of finished images"}


@dataclass(frozen=True)
class ImageMethod:
    """A method that is called with images; made by ``load_method``. Other attributes are those of ``method``."""

    method: Method | PixelMethod
    card: MethodCard
    device: str
    threads: int = 1

    def __repr__(self) -> str:
        scales = ", ".join(f"x{scale}" for scale in self.card.scales) or "any scale"
        return f"<method {self.card.id}(lq, scale) of family {self.card.family}, {scales}, on {self.device}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling look up such names before ``method`` is set
            raise AttributeError(name)
        return getattr(self.method, name)

    def __call__(
        self, lq: AnyImages, scale: float | None = None, *, seed: int = 0
    ) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        """The restored image ``[scale * h, scale * w, 3]``, uint8; a list for several images.

        Args:
            lq: paths, PIL images, arrays ``[h, w, 3]`` or ``[N, h, w, 3]``, tensors ``[3, h, w]`` or ``[N, 3, h, w]``,
                or a list of single ones; uint8 in 0..255 or floating point in 0..1.
            scale: scale factor of SR to LQ; may be left out if the method has a single scale.
            seed: seed of a seeded method, as in a run.

        Raises:
            ImageInputError: a value is not such an image.
            MethodError: the method does not have the scale.
            OutputError: the method returned another shape, type or range.
        """
        factor = self._scale(scale)
        images, alone = pixels_of(lq, "LQ")
        with fixed_threads(self.threads):  # as runs do, to the last digit
            restored = [restore_image(self.method, image, factor, seed, self.device) for image in images]
        return restored[0] if alone else restored

    def _scale(self, scale: float | None) -> float:
        scales = self.card.scales
        if scale is None and len(scales) == 1:
            return scales[0]
        if scale is None or (scales and scale not in scales):
            known = ", ".join(map(str, scales)) or "any"
            raise MethodError(
                f"method '{self.card.id}': give its scale ({known})" + (f", not {scale}" if scale else "")
            )
        return scale


def load_method(reference: str | Mapping[str, Any], device: str = "auto", *, threads: int = 1) -> ImageMethod:
    """A method as a function of images, with exactly the pixels of a run.

    >>> import numpy as np
    >>> from asasr_bench import load_method
    >>> bicubic = load_method("bicubic")
    >>> bicubic(np.zeros((8, 6, 3), np.uint8), scale=4).shape
    (32, 24, 3)

    Args:
        reference: reference as on the command line or in a spec: an id, a weight file, ``FILE.py:object``, a mapping.
        device: device of networks: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: number of threads; the last digits of outputs depend on it.

    Raises:
        MethodError: the method is unknown, lacks weights, or does not restore single images.
    """
    entry = resolve(reference)
    if entry.interface in _OF_RUNS or entry.interface == Interface.HR:
        label = _OF_RUNS.get(entry.interface, "HR itself")
        raise MethodError(f"method '{entry.card.id}' is {label}, which restores no image by itself; use evaluate")
    target = torch_device(device) if entry.interface == Interface.TENSOR else "cpu"
    method = entry.load(target)
    assert interface_of(method) in (Interface.TENSOR, Interface.PIXELS)
    return ImageMethod(cast("Method | PixelMethod", method), entry.card, target, threads)
