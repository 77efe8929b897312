"""Objects of the running Python process as methods: they have no name under which another process could import them.

They are registered during a run, and identified by their code and state. If either cannot be read completely, no later
run reuses their results: they are computed anew each time.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import pickle
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from ..entry import MethodEntry
from ..errors import MethodError
from ..interface import AnyMethod, Interface, MethodCard, interface_of
from .objects import CodeError, Identity, Imported, identity_of

PREFIX = "session:"
"""Prefix of the id of a method or metric that is an object of this Python process."""

T = TypeVar("T")


class SessionObjects(Generic[T]):
    """Registry of methods or metrics that are Python objects, by ``session:NAME``, for the duration of a run.

    Args:
        error: type of the error for an unknown id.
    """

    def __init__(self, error: type[Exception]) -> None:
        self._error = error
        self._known: dict[str, T] = {}

    @contextmanager
    def registered(self, objects: Mapping[str, T]) -> Iterator[None]:
        """Register objects under their names inside the block."""
        before = dict(self._known)
        self._known.update({f"{PREFIX}{name}": value for name, value in objects.items()})
        try:
            yield
        finally:
            self._known.clear()
            self._known.update(before)

    def find(self, id: str) -> T:
        """The object of this id; raises the registry's error if the current run does not have it."""
        if id not in self._known:
            raise self._error(
                f"'{id}' was an object in somebody's Python; give that object to evaluate, or its code as FILE.py:NAME"
            )
        return self._known[id]


SESSION_METHODS: SessionObjects[MethodEntry] = SessionObjects(MethodError)
"""Methods of the current run."""


def entry_of(name: str, value: object) -> MethodEntry:
    """The method of an object: an object with a card, a torch module, or a function of LQ (and the scale).

    Functions and modules map LQ ``[B, 3, h, w]`` in [0, 1] to SR ``[B, 3, scale * h, scale * w]`` in [0, 1].

    Raises:
        MethodError: the object is none of these.
    """
    interface, identity = interface_of(value), object_identity(value)
    if interface is None or not isinstance(getattr(value, "card", None), MethodCard):
        if not callable(value) or isinstance(value, type):
            hint = "; make an instance of it first" if isinstance(value, type) else ""
            raise MethodError(
                f"method '{name}' is a {type(value).__name__}: expected a reference, a function of LQ, a torch module,"
                f" or an object with a MethodCard named 'card' and 'restore'{hint}"
            )
        method: Any = _Function(MethodCard(name, "network", "An object of a Python session"), value)
        interface = Interface.TENSOR
    else:
        method = value

    def load(device: str) -> AnyMethod:
        move = getattr(method, "to", None)
        return cast(AnyMethod, method if move is None else move(device))

    card = MethodCard(**{**vars(method.card), "id": name, "incomplete": identity.incomplete})
    return MethodEntry(card, interface, load, {"code": identity.code}, identity.weights, origin="session")


@dataclass(frozen=True)
class _Function:
    """A function or module as a method."""

    card: MethodCard
    function: Callable[..., Any]

    def to(self, device: str) -> _Function:
        """Move a torch module to the device; a plain function is used as it is."""
        move = getattr(self.function, "to", None)
        return self if move is None else _Function(self.card, move(device))

    def restore(self, lq: Any, scale: float, seeds: Any) -> Any:
        """See ``Method``."""
        with _evaluating(self.function):
            return self.function(lq, scale) if _takes_scale(self.function) else self.function(lq)


@contextmanager
def _evaluating(value: Any) -> Iterator[None]:
    """Switch a torch module to evaluation inside the block, and restore its training mode afterwards."""
    modules = list(value.modules()) if hasattr(value, "modules") and hasattr(value, "training") else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _takes_scale(function: Callable[..., Any]) -> bool:
    forward = getattr(function, "forward", function)
    try:
        required = [
            parameter
            for parameter in inspect.signature(forward).parameters.values()
            if parameter.default is parameter.empty and parameter.kind in (0, 1)
        ]
    except (TypeError, ValueError):
        return False
    return len(required) > 1


def object_identity(value: object) -> Identity:
    """Identify what an object computes by its code and its state.

    An object that cannot be read completely, such as a function of a notebook, gets a new identity in every call.
    """
    kind = value if inspect.isroutine(value) or isinstance(value, type) else type(value)
    module = sys.modules.get(getattr(kind, "__module__", None) or "")
    unknown = ""
    state = ""
    if module is None or not isinstance(getattr(module, "__file__", None), str):
        unknown = "its code is in no file"
    elif _closes_over(kind):
        unknown = "it is defined inside a function"
    elif kind is not value:
        try:
            with _evaluating(value):
                state = _digest_of(value)
        except Exception as error:  # pickling runs code of the object's class
            unknown = f"its state cannot be read ({type(error).__name__})"
    if not unknown:
        assert module is not None
        name = str(getattr(kind, "__qualname__", type(value).__name__))
        try:
            identity = identity_of(Imported(kind, module, name), {"state": state}, value, _declared(value))
            return Identity(identity.code, identity.weights, "")
        except CodeError as error:
            unknown = str(error)
    return Identity(secrets.token_hex(16), "", f"identity incomplete: {unknown}; it is measured anew each time")


def _closes_over(kind: object) -> bool:
    return "<locals>" in str(getattr(kind, "__qualname__", "")) or "<lambda>" in str(getattr(kind, "__qualname__", ""))


def _declared(value: object) -> tuple[str, ...] | None:
    """None where the object declares its files; else no files, because its state contains what it has read."""
    return None if getattr(value, "weight_files", None) is not None else ()


def _digest_of(value: object) -> str:
    """SHA-256 of an object's pickled state."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(value)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


class _Pickler(pickle.Pickler):
    """Pickles tensors by their content, because torch's own format contains addresses."""

    def persistent_id(self, value: Any) -> Any:
        """See ``pickle.Pickler``."""
        if type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
            array = value.detach().cpu().contiguous()
            content = hashlib.sha256(array.view(-1).view(_torch().uint8).numpy().tobytes() if array.numel() else b"")
            return str(value.dtype), tuple(value.shape), content.hexdigest()
        return None


def _torch() -> Any:
    import torch

    return torch
