"""Networks whose architecture spandrel recognises from their weight file."""

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
"""Default side of a tile's centre in LQ pixels. LQ images of the usual datasets at scale 4 (up to 320 pixels) fit into
one tile with its context, photos from a camera are cut, and networks with overlapping attention windows stay below
6 GiB."""
OVERLAP = 32
"""Default context around a tile in LQ pixels."""


class SpandrelNetwork:
    """A ``Method`` that runs a network which spandrel has loaded.

    Args:
        card: description of the method.
        descriptor: spandrel's ``ImageModelDescriptor``.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.
    """

    def __init__(self, card: MethodCard, descriptor: Any, tile: int, overlap: int) -> None:
        self.card = card
        self._descriptor = descriptor
        self._tile = tile
        self._overlap = overlap

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; deterministic, the seeds change nothing."""
        if scale != self._descriptor.scale:
            raise MethodError(
                f"{self.card.id} is a network for scale {self._descriptor.scale}, not {scale}; give --scale"
            )
        return restore_tiled(
            self._descriptor,
            lq,
            self._descriptor.scale,
            tile=self._tile,
            overlap=self._overlap,
            blend=blend_of(self._overlap),
            together=tiles_together(lq.device.type, self._tile, self._overlap),
        )


def load_network(path: Path, card: MethodCard, *, device: str, tile: int, overlap: int) -> SpandrelNetwork:
    """Load a weight file. A ``.pth`` file is read as plain tensors only, so that no code in it can run.

    Args:
        path: the weight file.
        card: description of the method; the number of parameters is added.
        device: torch device, such as ``cpu`` or ``cuda:0``.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.

    Raises:
        MethodError: the file contains code, is damaged, claims more tensors than it stores, or is no network that
            spandrel knows.
    """
    import torch
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    from .window_attention import fuse_attention

    state = _read_state(path)
    stored_numbers = require_held(path, state)
    try:
        with bounded_building(path, stored_numbers):
            descriptor = ModelLoader("cpu").load_from_state_dict(state)
    except MethodError:
        raise
    except UnsupportedModelError:
        raise MethodError(f"{path}: no network that spandrel knows; its tensors are named {_some(state)}") from None
    except Exception as error:  # a builder may fail in any way on tensors that it does not expect
        reason = f"{type(error).__name__}: {error}"
        raise MethodError(f"{path}: spandrel cannot make a network of it ({reason})") from None
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.input_channels != 3:
        raise MethodError(f"{path}: not a network from one RGB image to one")
    descriptor.to(torch.device(device)).eval()
    parameters = sum(parameter.numel() for parameter in descriptor.model.parameters())
    convolved = sum(layer.weight.numel() for layer in descriptor.model.modules() if isinstance(layer, torch.nn.Conv2d))
    if device == "cpu" and 2 * convolved > parameters:
        # oneDNN computes with the channels innermost; weights in that order need no conversion.
        # Networks of attention reorder their tensors themselves and gain nothing.
        descriptor.model.to(memory_format=torch.channels_last)
    if device == "cpu":
        fuse_attention(descriptor.model)
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
            # In a memory-mapped file a tensor cannot reach beyond the file, and unread tensors take no memory.
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except MethodError:
        raise
    except pickle.UnpicklingError as error:
        raise MethodError(
            f"{path}: refused, it holds more than tensors and loading it could run code ({str(error).splitlines()[0]});"
            " convert it to .safetensors where you trust it"
        ) from None
    except Exception as error:  # unpickling damaged bytes may raise any error
        reason = f"{type(error).__name__}: {error}"
        raise MethodError(f"{path}: damaged or no weight file ({reason}); get it again") from None
    for key in ("params_ema", "params", "state_dict", "model"):  # keys under which training programs save tensors
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict):
        raise MethodError(f"{path}: holds no table of named tensors")
    tensors = {str(name): value for name, value in state.items()}
    return dict(canonicalize_state_dict(tensors))
