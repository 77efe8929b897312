"""A method that is known but not loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..datasets.images import READING, file_digest
from .finished.predictions import Predictions
from .interface import AnyMethod, Interface, MethodCard


@dataclass(frozen=True)
class MethodEntry:
    """A method that is known but not loaded. Creating an entry does not import torch."""

    card: MethodCard
    interface: Interface
    load: Callable[[str], AnyMethod]
    """Loads the method onto a torch device."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Everything besides code and weights that can change pixels; serialisable as JSON."""
    weights_digest: str = ""
    """SHA-256 of the weight file; '' if the method has none."""
    missing: str = ""
    """Why the method cannot be loaded on this machine, and the remedy; '' if it can be loaded."""
    origin: str = ""
    """Id under which the method is registered, independent of its name in a spec."""

    def identity_of_all(self) -> dict[str, object]:
        """What determines the pixels of every image that the method restores; names and paths are no part of it."""
        return {
            "origin": self.origin or self.card.id,
            "version": self.card.version,
            "weights": self.weights_digest,
            "settings": dict(self.settings),
        }

    def identity(self, image: str, scale: float) -> dict[str, object]:
        """What determines the pixels of one restored image, apart from LQ, scale and seed.

        Args:
            image: name of the image.
            scale: size of SR relative to LQ.

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
