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
    """All methods that can be had, from a list of sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def names(self) -> list[str]:
        """Ids of all methods, third parties' included."""
        return [id for source in self._sources for id in source.ids()]

    def get(self, id: str) -> MethodEntry:
        """The method of this id, whether or not its weights are here; see ``find``."""
        return self.find(MethodReference(id=id))

    def find(self, reference: MethodReference) -> MethodEntry:
        """What the first source that knows a reference says of it.

        Raises:
            UnknownMethodError: none does; the message names the nearest id.
            MissingWeightsError: the weight file that the reference names is not there.
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
"""The methods that come with the package or join it."""


def resolve(reference: MethodReference | str | Mapping[str, Any]) -> MethodEntry:
    """Find what a reference of the command line or of a spec means.

    Raises:
        MethodReferenceError: it says nothing sensible.
        UnknownMethodError: no method has the id.
        MissingWeightsError: the weight file is not there.
        MethodError: a folder or a third party's code cannot be used.
    """
    wanted = reference if isinstance(reference, MethodReference) else parse_reference(reference)
    entry = REGISTRY.find(wanted)
    if entry.missing:
        raise MissingWeightsError(wanted.name or entry.card.id, entry.missing)
    card = replace(entry.card, id=wanted.name or entry.card.id, family=wanted.family or entry.card.family)
    return replace(entry, card=card, origin=entry.origin or entry.card.id)


def load_method(reference: str | Mapping[str, Any], device: str = "cpu") -> AnyMethod:
    """Find and load a method."""
    return resolve(reference).load(device)
