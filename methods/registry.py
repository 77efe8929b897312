"""Find a method by its reference, without loading it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..datasets.names import did_you_mean
from .entry import MethodEntry
from .errors import MissingWeightsError, UnknownMethodError
from .interface import AnyMethod
from .reference import MethodReference, parse_reference
from .sources import Source, sources


class Registry:
    """All available methods, from a list of sources.

    Args:
        sources: searched in this order.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def names(self) -> list[str]:
        """Ids of all methods, including those of third parties."""
        return [id for source in self._sources for id in source.ids()]

    def get(self, id: str) -> MethodEntry:
        """The method of this id, whether or not its weights are on this machine; see ``find``."""
        return self.find(MethodReference(id=id))

    def find(self, reference: MethodReference) -> MethodEntry:
        """The entry of the first source that knows the reference.

        Raises:
            UnknownMethodError: no source knows it; the message names the nearest id.
            MissingWeightsError: the weight file that the reference names is missing.
            MethodError: a folder or a third party's code cannot be used.
        """
        for source in self._sources:
            entry = source.entry(reference)
            if entry is not None:
                return entry
        id = reference.id or ""
        raise UnknownMethodError(
            f"unknown method '{id}'{did_you_mean(id, self.names(), 'asasr-bench list methods')}; also a weight file,"
            " predictions:DIR, recipe:NAME@CLONE, module:object, ./FILE.py:object"
        )


REGISTRY = Registry(sources())
"""The methods of this package and of installed packages that extend it."""


def resolve(reference: MethodReference | str | Mapping[str, Any]) -> MethodEntry:
    """Find what a reference of the command line or of a spec means.

    Raises:
        MethodReferenceError: the reference is malformed.
        UnknownMethodError: no method has this id.
        MissingWeightsError: a weight file is missing.
        MethodError: a folder or a third party's code cannot be used.
    """
    parsed = reference if isinstance(reference, MethodReference) else parse_reference(reference)
    entry = REGISTRY.find(parsed)
    if entry.missing:
        raise MissingWeightsError(parsed.name or entry.card.id, entry.missing)
    card = replace(entry.card, id=parsed.name or entry.card.id, family=parsed.family or entry.card.family)
    return replace(entry, card=card, origin=entry.origin or entry.card.id)


def resolve_and_load(reference: str | Mapping[str, Any], device: str = "cpu") -> AnyMethod:
    """Find and load a method.

    Args:
        reference: see ``parse_reference``.
        device: torch device, such as ``cpu`` or ``cuda:0``.

    Raises:
        MethodError: see ``resolve``.
    """
    return resolve(reference).load(device)
