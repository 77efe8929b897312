"""Objects that a Python session has in hand: methods without a name by which somebody else could import them.

They are known for as long as a run of this process lasts, and are what their code and their state say. What cannot be
known of either belongs to no later run: its results are made anew each time.
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
"""Begins the id of a method or metric that is an object of this session."""

T = TypeVar("T")


class SessionObjects(Generic[T]):
    """Methods or metrics of a session that are known while a run of it lasts, by ``session:NAME``.

    Args:
        error: what is raised where there is none.
    """

    def __init__(self, error: type[Exception]) -> None:
        self._error = error
        self._known: dict[str, T] = {}

    @contextmanager
    def known(self, objects: Mapping[str, T]) -> Iterator[None]:
        """Let objects be found by their names in the block."""
        before = dict(self._known)
        self._known.update({f"{PREFIX}{name}": value for name, value in objects.items()})
        try:
            yield
        finally:
            self._known.clear()
            self._known.update(before)

    def find(self, id: str) -> T:
        """The object of an id; the error, where no run with it is going on."""
        if id not in self._known:
            raise self._error(
                f"'{id}' was an object in somebody's Python; give that object to evaluate, or its code as FILE.py:NAME"
            )
        return self._known[id]


SESSION_METHODS: SessionObjects[MethodEntry] = SessionObjects(MethodError)
"""Methods of the run that is going on."""


def entry_of(name: str, value: object) -> MethodEntry:
    """The method that an object is: one with a card, a module of torch, or a function of LQ (and the scale).

    Functions and modules get LQ ``[B, 3, h, w]`` in 0..1 and give SR ``[B, 3, scale * h, scale * w]`` in 0..1.

    Raises:
        MethodError: it is none of these.
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
        """Modules move; functions are where their author put them."""
        move = getattr(self.function, "to", None)
        return self if move is None else _Function(self.card, move(device))

    def restore(self, lq: Any, scale: int, seeds: Any) -> Any:
        """See ``Method``."""
        with _evaluating(self.function):
            return self.function(lq, scale) if _takes_scale(self.function) else self.function(lq)


@contextmanager
def _evaluating(value: Any) -> Iterator[None]:
    """A torch module as it is evaluated, without dropout; afterwards it trains on where it did."""
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
    """What an object computes: its code, and its state as far as it can be read.

    An object of which some part cannot be known, such as a function of a notebook, is another one in each call.
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
        except Exception as error:  # whatever its class does when it is pickled
            unknown = f"its state cannot be read ({type(error).__name__})"
    if not unknown:
        assert module is not None
        name = str(getattr(kind, "__qualname__", type(value).__name__))
        try:
            found = identity_of(Imported(kind, module, name), {"state": state}, value, _declared(value))
            return Identity(found.code, found.weights, "")
        except CodeError as error:
            unknown = str(error)
    return Identity(secrets.token_hex(16), "", f"identity incomplete: {unknown}; it is measured anew each time")


def _closes_over(kind: object) -> bool:
    return "<locals>" in str(getattr(kind, "__qualname__", "")) or "<lambda>" in str(getattr(kind, "__qualname__", ""))


def _declared(value: object) -> tuple[str, ...] | None:
    """Files that an object declares are read by it; the state of others says what they hold."""
    return None if getattr(value, "weight_files", None) is not None else ()


def _digest_of(value: object) -> str:
    """Digest of an object's state; equal ones are of equal state."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(value)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


class _Pickler(pickle.Pickler):
    """Tensors by their content: torch's own bytes hold addresses."""

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
