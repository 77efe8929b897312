"""Networks that spandrel recognises, from a weight file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from ..errors import MethodError
from ..interface import MethodCard
from ..weights.claims import bounded_building, require_held, require_uncompressed
from .tiling import blend_of, restore_tiled, tiles_together

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset({".pth", ".pt", ".ckpt", ".safetensors"})
TILE = 256
"""Default side of a tile's centre in LQ pixels: with its context, LQ images of the usual sets at scale 4 are restored
whole (up to 320 pixels), photos from a camera are cut, and overlapping windows of attention stay below 6 GiB."""
OVERLAP = 32
"""Default context around a tile in LQ pixels."""


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
            self._descriptor,
            lq,
            scale,
            tile=self._tile,
            overlap=self._overlap,
            blend=blend_of(self._overlap),
            together=tiles_together(lq.device.type, self._tile, self._overlap),
        )


def load_network(path: Path, card: MethodCard, *, device: str, tile: int, overlap: int) -> SpandrelNetwork:
    """Load a weight file; a ``.pth`` only as plain tensors, so that no code in it can run.

    Raises:
        MethodError: the file holds code, is damaged, claims more than it holds, or is no network that spandrel knows.
    """
    import torch
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    state = _read_state(path)
    held = require_held(path, state)
    try:
        with bounded_building(path, held):
            descriptor = ModelLoader("cpu").load_from_state_dict(state)
    except MethodError:
        raise
    except UnsupportedModelError:
        raise MethodError(f"{path}: no network that spandrel knows; its tensors are named {_some(state)}") from None
    except Exception as error:  # builders take the tensors that they expect, and fail in whatever way where others are
        what = f"{type(error).__name__}: {error}"
        raise MethodError(f"{path}: spandrel cannot make a network of it ({what})") from None
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.input_channels != 3:
        raise MethodError(f"{path}: not a network from one RGB image to one")
    descriptor.to(torch.device(device)).eval()
    parameters = sum(parameter.numel() for parameter in descriptor.model.parameters())
    convolved = sum(layer.weight.numel() for layer in descriptor.model.modules() if isinstance(layer, torch.nn.Conv2d))
    if device == "cpu" and 2 * convolved > parameters:
        # oneDNN computes with the channels innermost: given in that order, nothing is brought into it and back.
        # Networks of attention change the order themselves and gain nothing.
        descriptor.model.to(memory_format=torch.channels_last)
    return SpandrelNetwork(replace(card, parameters=parameters), descriptor, tile, overlap)


def _some(state: dict[str, Any]) -> str:
    names = [f"'{name[:60]}'" for name in list(state)[:3]]
    return f"{', '.join(names)} …" if names else "not at all: there are none"


def _read_state(path: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import load_file
    from spandrel import canonicalize_state_dict

    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            require_uncompressed(path)
            # Mapped, a tensor cannot reach beyond the file, and what nobody reads takes no memory.
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except MethodError:
        raise
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
    named = {str(name): value for name, value in state.items()}
    return dict(canonicalize_state_dict(named))
