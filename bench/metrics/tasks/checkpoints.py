"""Read tensors and plain values out of a PyTorch checkpoint without running any code that it names."""

from __future__ import annotations

import collections
import io
import pickle
import types
from pathlib import Path
from typing import IO, Any

from .engine import EngineError

_PLAIN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
}


class Unread:
    """Stands for an object of a class that is not read; it takes whatever it is given and does nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Unread:
        return self

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, _: object, __: object) -> None: ...

    def append(self, _: object) -> None:
        """Take an item."""

    def extend(self, _: object) -> None:
        """Take items."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The mapping in a ``.pth``, ``.pt`` or ``.safetensors`` file; only tensors and plain containers are made.

    Raises:
        EngineError: the file cannot be read so.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return {"state_dict": load_file(path)}
        module = types.ModuleType("plain_pickle")
        # All of them: files older than torch 1.6 begin with pickles that torch reads by ``load``, not by ``Unpickler``.
        module.__dict__.update(Unpickler=_Unpickler, load=_load, loads=_loads)
        content = torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, TypeError) as error:
        raise EngineError(f"{path}: cannot be read as a checkpoint ({error}); download it again") from None
    if not isinstance(content, dict):
        raise EngineError(f"{path}: holds no mapping of tensors")
    return content if "state_dict" in content else {"state_dict": content}


def _load(file: IO[bytes], **options: Any) -> Any:
    return _Unpickler(file, **options).load()


def _loads(content: bytes, **options: Any) -> Any:
    return _load(io.BytesIO(content), **options)


class _Unpickler(pickle.Unpickler):
    """Makes tensors, storages and plain containers; anything else becomes ``Unread``."""

    def find_class(self, module: str, name: str) -> Any:
        import torch

        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
            return getattr(torch._utils, name)
        if module == "torch" and (name.endswith("Storage") or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        if (module, name) == ("torch", "Size"):
            return torch.Size
        return Unread
