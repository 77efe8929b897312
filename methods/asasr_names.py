"""Which ASASR models are shipped, and how their ids begin; known without the code that loads one."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

PREFIX = "asasr:"
SMALL_DIFFUSION = "small-diffusion"


def shipped_names() -> tuple[str, ...]:
    """Ids of the shipped models; those of ASASR have the prefix."""
    return tuple(
        prefix + name.removesuffix(".yaml")
        for prefix, shelf in shelves()
        for name in sorted(item.name for item in shelf.iterdir())
        if name.endswith(".yaml")
    )


def shelves() -> tuple[tuple[str, Traversable], ...]:
    """Folders of shipped models, by what their ids begin with."""
    asasr = files(f"{__package__.rpartition('.')[0]}.asasr").joinpath("shipped")
    return (PREFIX, asasr), ("", files(__package__).joinpath("shipped"))
