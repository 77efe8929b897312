"""Networks that spandrel recognises, from a weight file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import MethodError
from .protocol import MethodCard
from .tiling import restore_tiled

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset({".pth", ".pt", ".ckpt", ".safetensors"})
TILE = 256
"""Default side of a tile's centre in LQ pixels: with its context, LQ images of the usual sets at scale 4 are restored
whole (up to 320 pixels), photos from a camera are cut, and overlapping windows of attention stay below 6 GiB."""
OVERLAP = 32
"""Default context around a tile in LQ pixels."""
_BLEND = 8


def blend_of(overlap: int) -> int:
    """LQ pixels to each side of a cut over which tiles are blended: 8 where the context has room for them.

    Networks with attention or pooling over the whole tile differ there.
    """
    return min(_BLEND, overlap // 4)


class SpandrelNetwork:
    """A single-image network; a ``Method``."""

    def __init__(self, card: MethodCard, descriptor: Any, tile: int, overlap: int) -> None:
        self.card = card
        self._descriptor = descriptor
        self._tile = tile
        self._overlap = overlap

    def restore(self, lq: Tensor, scale: int, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; deterministic, the seeds change nothing."""
        if scale != self._descriptor.scale:
            raise MethodError(
                f"{self.card.id} is a network for scale {self._descriptor.scale}, not {scale}; give --scale"
            )
        return restore_tiled(
            self._descriptor, lq, scale, tile=self._tile, overlap=self._overlap, blend=blend_of(self._overlap)
        )


def load_network(path: Path, card: MethodCard, *, device: str, tile: int, overlap: int) -> SpandrelNetwork:
    """Load a weight file; a ``.pth`` only as plain tensors, so that no code in it can run.

    Raises:
        MethodError: the file holds code, is damaged, or is no network that spandrel knows.
    """
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    state = _read_state(path)
    try:
        descriptor = ModelLoader(device).load_from_state_dict(state)
    except (UnsupportedModelError, RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise MethodError(f"{path}: spandrel cannot make a network of it ({error})") from None
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.input_channels != 3:
        raise MethodError(f"{path}: not a network from one RGB image to one")
    descriptor.eval()
    parameters = sum(parameter.numel() for parameter in descriptor.model.parameters())
    return SpandrelNetwork(replace(card, parameters=parameters), descriptor, tile, overlap)


def _read_state(path: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import load_file
    from spandrel import canonicalize_state_dict

    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise MethodError(
            f"{path}: refused, it holds more than tensors and loading it could run code ({str(error).splitlines()[0]});"
            " convert it to .safetensors where you trust it"
        ) from None
    except Exception as error:  # unpickling damaged bytes ends in whatever comes up
        what = f"{type(error).__name__}: {error}"
        raise MethodError(f"{path}: damaged or no weight file ({what}); get it again") from None
    for key in ("params_ema", "params", "state_dict", "model"):  # where trainers put the tensors
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict):
        raise MethodError(f"{path}: holds no table of named tensors")
    return dict(canonicalize_state_dict(state))
