"""Methods that are objects of other people's code: a method, an entry, or something to call that returns either."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import isfunction
from typing import Any, cast, get_args

from ..entry import MethodEntry
from ..errors import MethodError
from ..interface import OWN_FAMILIES, AnyMethod, Family, MethodCard, interface_of
from .loaded_code import ChangedCodeError
from .objects import CodeError, Identity, Imported, constructed, identity_of


@dataclass(frozen=True)
class _Held:
    source: object
    identity: Identity
    method: object
    entry: MethodEntry


_HELD: dict[tuple[str, str, str], _Held] = {}
"""The method that was made last: jobs come method by method, and making one may read gigabytes."""
_WEIGHTS: dict[int, tuple[weakref.ref[Any], str]] = {}
"""By ``id``: a method, and the digest of its weight files when it was seen first."""


def object_entry(imported: Imported, arguments: Mapping[str, Any] | None = None) -> MethodEntry:
    """The method that an object is or makes; made again whenever its code, arguments or weight files changed.

    Raises:
        MethodError: it is no method, cannot be made, or is older than its code or weight files.
        MissingWeightsError: a file that it declares is not there.
    """
    arguments = dict(arguments or {})
    key = (imported.module.__name__, imported.attribute, json.dumps(arguments, sort_keys=True))
    held = _HELD.get(key)
    if held is not None and held.source is imported.value:
        identity = identity_of(imported, arguments, held.method)
        if identity == held.identity:
            return held.entry
    method = _make(imported, arguments)
    identity = _identity(imported, arguments, method)
    _require_own_weights(imported, method, identity)
    entry = _entry(imported, method, identity)
    _HELD.clear()
    _HELD[key] = _Held(imported.value, identity, method, entry)
    return entry


def _identity(imported: Imported, arguments: Mapping[str, Any], method: object) -> Identity:
    if isinstance(method, MethodEntry) and method.weights_digest:
        identity = identity_of(imported, arguments, weight_files=())
        return replace(identity, weights=method.weights_digest)
    return identity_of(imported, arguments, method)


def _make(imported: Imported, arguments: Mapping[str, Any]) -> object:
    value = imported.value
    is_method = interface_of(value) is not None or isinstance(value, MethodEntry)
    ready = not isinstance(value, type) and (is_method or not callable(value))
    try:
        return constructed(imported, arguments, ready=ready)
    except CodeError as error:
        if not isfunction(value) or arguments:
            raise
        raise CodeError(
            f"{error}; a function of LQ is a method from Python (evaluate(methods={{'Mine': {imported.attribute}}})),"
            " on the command line it is 'restore' of a class: 'asasr-bench init method NAME' writes one"
        ) from error


def _require_own_weights(imported: Imported, method: object, identity: Identity) -> None:
    """A method that lives as long as its module has the weights of then, whatever its files hold now."""
    reference, weights = _WEIGHTS.get(id(method), (None, ""))
    if reference is not None and reference() is method and weights != identity.weights:
        raise ChangedCodeError(
            f"weight files of '{imported.attribute}' were changed after it was made: restart Python, or reload"
            f" '{imported.module.__name__}' (importlib.reload); a class or a function that makes it anew needs neither"
        )
    try:
        _WEIGHTS[id(method)] = weakref.ref(method), identity.weights
    except TypeError:
        return  # of a kind that nothing can refer to weakly


def _entry(imported: Imported, method: Any, identity: Identity) -> MethodEntry:
    interface = interface_of(method)
    if isinstance(method, MethodEntry):
        entry = method
    elif interface is None or not isinstance(getattr(method, "card", None), MethodCard):
        raise MethodError(f"'{imported.attribute}' is no method: it needs a MethodCard named 'card' and 'restore'")
    else:

        def load(device: str) -> AnyMethod:
            move = getattr(method, "to", None)
            return cast(AnyMethod, method if move is None else move(device))

        entry = MethodEntry(method.card, interface, load)
    families = [family for family in get_args(Family) if family not in OWN_FAMILIES]
    if entry.card.family not in families:
        known = ", ".join(families)
        raise MethodError(f"'{imported.attribute}': its card has the family '{entry.card.family}' (known: {known})")
    card = replace(entry.card, incomplete=identity.incomplete)
    settings = {**entry.settings, "code": identity.code}
    return replace(entry, card=card, settings=settings, weights_digest=identity.weights, origin="object")
