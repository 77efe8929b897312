"""Names of the shipped ASASR models, without importing the code that loads them."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

PREFIX = "asasr:"
SMALL_DIFFUSION = "small-diffusion"


def shipped_names() -> tuple[str, ...]:
    """Ids of the shipped models; ids of ASASR models begin with ``asasr:``."""
    return tuple(
        prefix + name.removesuffix(".yaml")
        for prefix, shelf in shelves()
        for name in sorted(item.name for item in shelf.iterdir())
        if name.endswith(".yaml")
    )


def shelves() -> tuple[tuple[str, Traversable], ...]:
    """Folders of shipped models, each with the prefix of its models' ids."""
    asasr = files(f"{__package__.rpartition('.')[0]}.asasr").joinpath("shipped")
    return (PREFIX, asasr), ("", files(__package__).joinpath("shipped"))
