"""Methods from objects in user code: a method, a ``MethodEntry``, or a class or function that returns either."""

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
class _CachedMethod:
    source: object
    identity: Identity
    method: object
    entry: MethodEntry


_CACHE: dict[tuple[str, str, str], _CachedMethod] = {}
"""The method that was constructed last: jobs arrive method by method, and constructing one may read gigabytes."""
_WEIGHTS: dict[int, tuple[weakref.ref[Any], str]] = {}
"""By ``id()``: a method, and the digest of its weight files when it was first checked."""


def object_entry(imported: Imported, arguments: Mapping[str, Any] | None = None) -> MethodEntry:
    """The method that an imported object is or returns; constructed anew when code, arguments or weight files changed.

    Args:
        imported: the object.
        arguments: keyword arguments, if it is a class or a function.

    Raises:
        MethodError: the object is no method, cannot be constructed, or its files changed after it was loaded.
        MissingWeightsError: a file that it declares is missing.
    """
    arguments = dict(arguments or {})
    key = (imported.module.__name__, imported.attribute, json.dumps(arguments, sort_keys=True))
    cached = _CACHE.get(key)
    if cached is not None and cached.source is imported.value:
        identity = identity_of(imported, arguments, cached.method)
        if identity == cached.identity:
            return cached.entry
    method = _make(imported, arguments)
    identity = _identity(imported, arguments, method)
    _require_own_weights(imported, method, identity)
    entry = _entry(imported, method, identity)
    _CACHE.clear()
    _CACHE[key] = _CachedMethod(imported.value, identity, method, entry)
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
        kind = "torch module" if hasattr(value, "forward") else "function of LQ" if isfunction(value) else ""
        if not kind or isinstance(value, type) or arguments:
            raise
        raise CodeError(
            f"{error}; a {kind} is a method from Python (evaluate(methods={{'Mine': {imported.attribute}}})),"
            " on the command line it is 'restore' of a class: 'asasr-bench init method NAME' writes one"
        ) from error


def _require_own_weights(imported: Imported, method: object, identity: Identity) -> None:
    """Refuse a module-level method whose weight files changed after it was constructed."""
    reference, weights = _WEIGHTS.get(id(method), (None, ""))
    if reference is not None and reference() is method and weights != identity.weights:
        raise ChangedCodeError(
            f"weight files of '{imported.attribute}' were changed after it was made: restart Python, or reload"
            f" '{imported.module.__name__}' (importlib.reload); a class or a function that makes it anew needs neither"
        )
    try:
        _WEIGHTS[id(method)] = weakref.ref(method), identity.weights
    except TypeError:
        return  # objects of this type cannot be referenced weakly


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
        family_list = ", ".join(families)
        raise MethodError(
            f"'{imported.attribute}': its card has the family '{entry.card.family}' (known: {family_list})"
        )
    card = replace(entry.card, incomplete=identity.incomplete)
    settings = {**entry.settings, "code": identity.code}
    return replace(entry, card=card, settings=settings, weights_digest=identity.weights, origin="object")
