"""Compare what a weight file claims with what it stores: no small file may build a network that fills the memory."""

from __future__ import annotations

import re
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

_ROOM = 2**24
"""Bytes by which an archive may unpack to more than its file: TorchScript compresses its source code."""
_SHARED = 4
"""Largest ratio of claimed to stored numbers: tensors may share storage, and networks may add tensors of their own."""
_SPARE = 10**6
"""Numbers of a network that a file need not store: positional tables, masks."""
_LARGEST = 2**25
"""Size of the largest table that building a network may compute besides its weights: position indices in windows of
64x64 pixels."""
_GAP = 16
"""Largest number of consecutive layers without weights: activations, dropout, identities."""


class FalseClaimError(MethodError):
    """A weight file that claims more than it stores; no network was built from it."""


def require_uncompressed(path: Path) -> None:
    """Refuse an archive that unpacks to more bytes than its file has; PyTorch does not compress weights.

    Raises:
        FalseClaimError: it unpacks to more.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # loading the file reports what is wrong
    if unpacked > path.stat().st_size + _ROOM:
        raise FalseClaimError(
            f"{path}: refused, its {path.stat().st_size:,} bytes unpack to {unpacked:,}; save the weights uncompressed"
            " (torch.save) where you trust them"
        )


def require_held(path: Path, state: Mapping[str, Any]) -> int:
    """Refuse tensors that claim more numbers than are stored, and layer numbers far beyond the stored layers.

    Returns:
        How many numbers the file stores.

    Raises:
        FalseClaimError: the file claims more than it stores.
    """
    import torch

    tensors: dict[str, Tensor] = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    stored: dict[int, int] = {}
    claimed = 0
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta:
            raise FalseClaimError(f"{path}: refused, '{name}' is no plain tensor")
        storage = tensor.untyped_storage()
        size = tensor.numel() * tensor.element_size()
        if size > storage.nbytes():
            raise FalseClaimError(
                f"{path}: refused, '{name}' claims {tensor.numel():,} numbers and holds"
                f" {storage.nbytes() // tensor.element_size():,}; save it with contiguous tensors where you trust it"
            )
        claimed += size
        stored[storage.data_ptr()] = storage.nbytes()
    stored_bytes = sum(stored.values())
    if claimed > _SHARED * stored_bytes:
        raise FalseClaimError(
            f"{path}: refused, its tensors claim {claimed:,} bytes and share {stored_bytes:,}; save each by itself"
            " where you trust it"
        )
    _require_layers(path, tensors)
    return sum(tensor.numel() for tensor in tensors.values())


def _require_layers(path: Path, names: Mapping[str, object]) -> None:
    """Refuse huge layer numbers: spandrel builds as many layers as the largest number in a name."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for name in names:
        words = name.split(".")
        for position, word in enumerate(words):
            if re.fullmatch(r"[0-9]+", word):
                if len(word) > 9:
                    raise _unlike(path, name, word, 1)
                numbers[".".join(words[:position])].add(int(word))
    for prefix, indices in numbers.items():
        if max(indices) >= _GAP * (len(indices) + 1):
            raise _unlike(path, prefix, str(max(indices)), len(indices))


def _unlike(path: Path, name: str, number: str, count: int) -> FalseClaimError:
    return FalseClaimError(
        f"{path}: refused, '{name[:80]}' is numbered up to {number[:20]} and has {count} layers with weights; the file"
        " is damaged or was made to fill the memory"
    )


def _largest_table(path: Path, limit: int) -> AbstractContextManager[object]:
    """A context that refuses every tensor operation whose result would have more numbers than the limit."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Limited(TorchDispatchMode):  # type: ignore[no-untyped-call]  # it acts in this thread only
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            sizes = [argument.shape for argument in tree_leaves((args, kwargs)) if isinstance(argument, torch.Tensor)]
            if len(sizes) != 1:  # the result of an operation on a single tensor is seldom larger
                _require_fitting(
                    path, sizes or [argument for argument in args[:1] if isinstance(argument, list | tuple)], limit
                )
            return function(*args, **(kwargs or {}))

    return Limited()  # type: ignore[no-untyped-call]


def _require_fitting(path: Path, sizes: Sequence[Sequence[int]], limit: int) -> None:
    """Check the size of an elementwise operation on tensors of these sizes, or of a new tensor of this size."""
    from torch import broadcast_shapes

    try:
        numbers = prod(broadcast_shapes(*sizes))  # type: ignore[no-untyped-call]
    except (RuntimeError, TypeError):
        return  # not elementwise: the result is no larger than its inputs together
    if numbers > limit:
        raise FalseClaimError(
            f"{path}: refused, its shapes ask for a table of {numbers:,} numbers; the file is damaged or was made to"
            " fill the memory"
        )


@contextmanager
def bounded_building(path: Path, stored_numbers: int) -> Iterator[None]:
    """Stop building a network as soon as it has more numbers or layers than the file can fill.

    Args:
        path: the weight file, for errors.
        stored_numbers: how many numbers the file stores; see ``require_held``.

    Raises:
        FalseClaimError: the network is larger than the file allows.
    """
    from torch.nn.modules import module

    thread = threading.get_ident()
    numbers = layers = 0

    def count_parameter(_: Any, __: str, parameter: Any) -> None:
        nonlocal numbers
        if threading.get_ident() != thread or parameter is None:
            return
        numbers += parameter.numel()  # allocated, but not yet filled
        if numbers > _SHARED * stored_numbers + _SPARE:
            raise FalseClaimError(
                f"{path}: refused, its names and shapes ask for a network of {numbers:,} numbers or more, and it holds"
                f" {stored_numbers:,}; the file is damaged or was made to fill the memory"
            )

    def count_layer(_: Any, __: str, ___: Any) -> None:
        nonlocal layers
        if threading.get_ident() == thread:
            layers += 1
            if layers > stored_numbers + _SPARE:
                raise FalseClaimError(
                    f"{path}: refused, it asks for more than {layers:,} layers and holds {stored_numbers:,} numbers"
                )

    hooks = (
        module.register_module_parameter_registration_hook(count_parameter),
        module.register_module_module_registration_hook(count_layer),
    )
    try:
        with _largest_table(path, _LARGEST + stored_numbers):
            yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise FalseClaimError(
            f"{path}: refused, it holds {stored_numbers:,} numbers and asks for a layer of more than the memory of"
            " this machine"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
