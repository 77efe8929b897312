"""What a weight file claims against what it holds: a small file must not make a network of any size."""

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
"""Bytes by which an archive may be larger than its file: TorchScript compresses its source code."""
_SHARED = 4
"""Tensors may share numbers, and networks may be built with more than a file holds, up to so many times."""
_SPARE = 10**6
"""Numbers of a network that no file need hold: positional tables, masks."""
_LARGEST = 2**25
"""Numbers of the largest table that building a network may compute beside its weights: indices of positions in windows
of 64x64 pixels."""
_GAP = 16
"""Layers without numbers between two that have some, at most: activations, dropout, identities."""


class FalseClaimError(MethodError):
    """A weight file that claims more than it holds; nothing was built of it."""


def require_uncompressed(path: Path) -> None:
    """Refuse an archive that unpacks to more than its file; PyTorch compresses no numbers.

    Raises:
        FalseClaimError: it does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # loading it will say what is wrong
    if unpacked > path.stat().st_size + _ROOM:
        raise FalseClaimError(
            f"{path}: refused, its {path.stat().st_size:,} bytes unpack to {unpacked:,}; save the weights uncompressed"
            " (torch.save) where you trust them"
        )


def require_held(path: Path, state: Mapping[str, Any]) -> int:
    """Refuse tensors of more numbers than are stored, and numbered layers that are not there.

    Returns:
        Numbers that the file holds.

    Raises:
        FalseClaimError: the file claims more than it holds.
    """
    import torch

    tensors: dict[str, Tensor] = {name: each for name, each in state.items() if isinstance(each, torch.Tensor)}
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
    held = sum(stored.values())
    if claimed > _SHARED * held:
        raise FalseClaimError(
            f"{path}: refused, its tensors claim {claimed:,} bytes and share {held:,}; save each by itself where you"
            " trust it"
        )
    _require_layers(path, tensors)
    return sum(tensor.numel() for tensor in tensors.values())


def _require_layers(path: Path, names: Mapping[str, object]) -> None:
    """Builders make as many layers as the largest number in a name says."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for name in names:
        parts = name.split(".")
        for place, part in enumerate(parts):
            if re.fullmatch(r"[0-9]+", part):
                if len(part) > 9:
                    raise _unlike(path, name, part, 1)
                numbers[".".join(parts[:place])].add(int(part))
    for prefix, found in numbers.items():
        if max(found) >= _GAP * (len(found) + 1):
            raise _unlike(path, prefix, str(max(found)), len(found))


def _unlike(path: Path, name: str, number: str, count: int) -> FalseClaimError:
    return FalseClaimError(
        f"{path}: refused, '{name[:80]}' is numbered up to {number[:20]} and has {count} layers with weights; the file"
        " is damaged or was made to fill the memory"
    )


def _largest_table(path: Path, limit: int) -> AbstractContextManager[object]:
    """Refuses every operation whose result has more numbers than the limit, before it is computed."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Limited(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of this thread alone
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            sizes = [each.shape for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
            if len(sizes) != 1:  # of one tensor alone the result is seldom larger
                _require_fitting(path, sizes or [each for each in args[:1] if isinstance(each, list | tuple)], limit)
            return function(*args, **(kwargs or {}))

    return Limited()  # type: ignore[no-untyped-call]


def _require_fitting(path: Path, sizes: Sequence[Sequence[int]], limit: int) -> None:
    """Of an operation by elements on tensors of these sizes, or of a new tensor of this size."""
    from torch import broadcast_shapes

    try:
        numbers = prod(broadcast_shapes(*sizes))  # type: ignore[no-untyped-call]
    except (RuntimeError, TypeError):
        return  # no operation by elements: its result is no larger than what it joins
    if numbers > limit:
        raise FalseClaimError(
            f"{path}: refused, its shapes ask for a table of {numbers:,} numbers; the file is damaged or was made to"
            " fill the memory"
        )


@contextmanager
def bounded_building(path: Path, held: int) -> Iterator[None]:
    """Stop the building of a network as soon as it has more numbers or layers than a file that holds so many can fill.

    Raises:
        FalseClaimError: it has.
    """
    from torch.nn.modules import module

    thread = threading.get_ident()
    numbers = layers = 0

    def count_parameter(_: Any, __: str, parameter: Any) -> None:
        nonlocal numbers
        if threading.get_ident() != thread or parameter is None:
            return
        numbers += parameter.numel()  # allocated by now, but not yet filled
        if numbers > _SHARED * held + _SPARE:
            raise FalseClaimError(
                f"{path}: refused, its names and shapes ask for a network of {numbers:,} numbers or more, and it holds"
                f" {held:,}; the file is damaged or was made to fill the memory"
            )

    def count_layer(_: Any, __: str, ___: Any) -> None:
        nonlocal layers
        if threading.get_ident() == thread:
            layers += 1
            if layers > held + _SPARE:
                raise FalseClaimError(
                    f"{path}: refused, it asks for more than {layers:,} layers and holds {held:,} numbers"
                )

    hooks = (
        module.register_module_parameter_registration_hook(count_parameter),
        module.register_module_module_registration_hook(count_layer),
    )
    try:
        with _largest_table(path, _LARGEST + held):
            yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise FalseClaimError(
            f"{path}: refused, it holds {held:,} numbers and asks for a layer of more than the memory of this machine"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
