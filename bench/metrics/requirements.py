"""Requirements of metrics: libraries, weight files and engines without which a metric cannot be measured."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Protocol

from ...datasets.fetch.digests import digest_of
from ...methods.weights.files import lacking, tensors_of, verified, weight_file


class Requirement(Protocol):
    """Something that may be missing on a machine, and that a metric's values may depend on."""

    def missing(self) -> str:
        """The reason why it cannot be used on this machine, with the remedy; '' if it can."""

    def weights(self) -> str:
        """Digests of its weight files, which every score key carries; '' without any."""


@dataclass(frozen=True)
class Library:
    """A module of an extra of this package."""

    module: str
    extra: str
    note: str = ""
    """Text that is added to the message if the module is missing."""

    def missing(self) -> str:
        """See ``Requirement``."""
        return not_installed(self.module, self.extra, self.note)

    def weights(self) -> str:
        """None."""
        return ""


@dataclass(frozen=True)
class WeightFiles:
    """Files of the manifest of weights, by their ids."""

    ids: tuple[str, ...]
    tensors: tuple[str, ...] = ()
    """Prefix of the tensors of each file that are used, whose digest then stands for the file's: the same network may
    come in several files. Empty: the files themselves count."""

    def missing(self) -> str:
        """See ``Requirement``."""
        return lacking([weight_file(id) for id in self.ids])

    def weights(self) -> str:
        """See ``Requirement``.

        Raises:
            WeightsError: a file is missing or is not the right one.
        """
        files = [verified(weight_file(id)) for id in self.ids]
        return " ".join(map(tensors_of, files, self.tensors) if self.tensors else map(digest_of, files))


def library_version(distribution: str) -> str:
    """Version of an installed distribution; '' where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def not_installed(module: str, extra: str, note: str = "") -> str:
    """The message if a module is missing; '' if it is installed."""
    if find_spec(module) is not None:
        return ""
    return f"{module} is not installed; install the extra: pip install 'asasr-bench[{extra}]'{note}"
