"""A method that was found and not loaded yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..datasets.images import READING, file_digest
from .finished.predictions import Predictions
from .interface import AnyMethod, Interface, MethodCard


@dataclass(frozen=True)
class MethodEntry:
    """A method that was found but not loaded; making one imports no torch."""

    card: MethodCard
    interface: Interface
    load: Callable[[str], AnyMethod]
    """From a torch device to the method, ready to use."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What can change pixels beside code and weights; JSON-able."""
    weights_digest: str = ""
    """SHA-256 of the weight file; '' if there is none."""
    missing: str = ""
    """Why it cannot be loaded here and how to change that; '' if it can."""
    origin: str = ""
    """Id under which it is registered, whatever a spec calls it."""

    def identity_of_all(self) -> dict[str, object]:
        """What determines the pixels of all its images; names and paths do not."""
        return {
            "origin": self.origin or self.card.id,
            "version": self.card.version,
            "weights": self.weights_digest,
            "settings": dict(self.settings),
        }

    def identity(self, image: str, scale: int) -> dict[str, object]:
        """What determines its pixels, apart from LQ, scale and seed.

        Raises:
            MethodError: a finished image is missing.
        """
        identity = self.identity_of_all()
        if self.interface == Interface.FINISHED:
            method = self.load("cpu")
            assert isinstance(method, Predictions)
            identity["file"] = file_digest(method.image_path(image, scale))
            identity["reading"] = READING
        return identity
