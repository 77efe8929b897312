"""Engines of other people: an object with the methods of a reader, segmenter or detector, installed or in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ....datasets.names import name_problem
from ....methods.errors import MissingWeightsError
from ....methods.user_code.objects import CodeError, Identity, constructed, identity_of, import_object
from ....methods.user_code.references import installed_objects, object_name
from .engine import AnyEngine, Detector, EngineEntry, EngineError, Segmenter, TextReader

ENTRY_POINT_GROUP = "asasr_bench.engines"
_INTERFACES: dict[type, str] = {
    TextReader: "a reader of text has read(images, *, one_word)",
    Segmenter: "a segmenter has 'classes' and segment(images)",
    Detector: "a detector has detect(images)",
}


def installed_engines() -> dict[str, str]:
    """Places of entry points by the engine's name."""
    return installed_objects(ENTRY_POINT_GROUP)


def user_engine(text: str, arguments: Mapping[str, Any], interface: type, name: str = "") -> EngineEntry:
    """The entry of an installed engine, or of ``FILE.py:object``, ``module:object``.

    Args:
        text: its name as an entry point, or its place.
        arguments: what its class is called with.
        interface: ``TextReader``, ``Segmenter`` or ``Detector``, which it must be.
        name: by which ids call it; '': that of its entry point, its attribute ``name``, or the object's own.

    Raises:
        EngineError: it cannot be imported or constructed, is no such engine, or its name cannot be one.
    """
    place = installed_engines().get(text)
    try:
        imported = import_object(place or text)
        value = imported.value
        ready = not isinstance(value, type) and isinstance(value, interface)
        engine = constructed(imported, arguments, ready=ready)
        if not isinstance(engine, interface):
            raise EngineError(f"'{imported.attribute}' is no engine for this measure: {_INTERFACES[interface]}")
        try:
            identity, absent = identity_of(imported, arguments, None if engine is value else engine), ""
        except MissingWeightsError as error:
            identity, absent = Identity("", "", ""), str(error)
    except CodeError as error:
        raise EngineError(f"engine '{text}': {error}") from error
    engine_name = name or (text if place else getattr(engine, "name", "") or object_name(text))
    problem = name_problem(engine_name) if isinstance(engine_name, str) else "is no text"
    if problem or set(engine_name) & set(":/"):
        raise EngineError(
            f"engine '{text}': its name {engine_name!r} {problem or 'has a colon or a slash'}; give it another"
        )

    def load(device: str) -> AnyEngine:
        move = getattr(engine, "to", None)
        return cast(AnyEngine, engine if move is None else move(device))

    return EngineEntry(
        engine_name,
        str(getattr(engine, "title", engine_name)),
        identity.code,
        load,
        missing=lambda: absent,
        weights=lambda: identity.weights,
        note=identity.incomplete,
        kept=not identity.incomplete,
    )


def absent_engine(name: str) -> EngineEntry:
    """An engine that is known by name alone: what it found is in a store, and it finds nothing more."""

    def load(device: str) -> AnyEngine:
        raise EngineError(f"engine '{name}' is known from a store alone; its code is not imported to read it")

    return EngineEntry(name, name, "", load, missing=lambda: f"engine '{name}' is not one of this installation")
