"""Values that papers and repositories published: claims with a source, never measurements of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...datasets.strict import Strict, read_yaml, validated
from ..errors import MethodError


class PublishedError(MethodError):
    """No published table of that id, or a table that is not whole."""


class PublishedSet(Strict):
    """One dataset of a table."""

    dataset: str
    """Id of the dataset's card where there is one; sets that nobody can get have names of their own."""
    part: str = ""
    """Which of several tables on the same set; such as ``ablation``."""
    scale: int = 4
    lq: str = "files"
    """How LQ was made; ``files``: it was given."""
    images: int | None = None
    """How many, where the source says it."""
    metrics: dict[str, int]
    """Ids of the product's metrics, or keys of ``elsewhere``, and how many decimals were printed."""
    rows: dict[str, Annotated[tuple[float | None, ...], Field(strict=False)]]
    """A method's values in the order of ``metrics``; None: not printed."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> PublishedSet:
        for method, values in self.rows.items():
            if len(values) != len(self.metrics):
                raise ValueError(f"{method} has {len(values)} values for {len(self.metrics)} metrics")
        return self


class PublishedTable(Strict):
    """What one source says."""

    source: str
    kind: Literal["print", "log", "quoted", "imported"]
    """``print``: the authors' table; ``log``: output of their program; ``quoted``: somebody else's copy of a table;
    ``imported``: a file of results that somebody wrote."""
    protocol: str
    """Ours (``S`` stands for the scale)."""
    conventions: str = ""
    """What is known of how it was measured beside the protocol."""
    elsewhere: dict[str, str] = Field(default_factory=dict)
    """Metrics of it that the product does not have, or of which it is not known that they are the same, and why."""
    sets: Annotated[tuple[PublishedSet, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _explains_what_it_has(self) -> PublishedTable:
        unused = set(self.elsewhere) - {metric for one in self.sets for metric in one.metrics}
        if unused:
            raise ValueError(f"elsewhere: no set has {', '.join(sorted(unused))}")
        return self


@dataclass(frozen=True)
class PublishedValue:
    """One number of one source."""

    table: str
    """Id of its table."""
    protocol: str
    dataset: str
    part: str
    scale: int
    lq: str
    images: int | None
    method: str
    metric: str
    value: float
    decimals: int
    """How many were printed."""

    def contradicts(self, other: PublishedValue) -> bool:
        """Whether another source's number cannot be this one rounded."""
        coarser = min(self.decimals, other.decimals)
        return abs(self.value - other.value) > 0.5 * 10.0**-coarser + 1e-9


FOLDER = "published"
"""Of a store's folder: tables that were imported beside its results."""


@lru_cache(maxsize=1)
def published_tables() -> Mapping[str, PublishedTable]:
    """All tables of the package by id.

    Raises:
        PublishedError: a file that is no whole table.
    """
    return _tables(files(__package__))


def imported_tables(root: Path) -> Mapping[str, PublishedTable]:
    """Tables that were imported into a store's folder, by id; none where nothing was.

    Raises:
        PublishedError: a file that is no whole table.
    """
    folder = root / FOLDER
    return _tables(folder) if folder.is_dir() else {}


@lru_cache(maxsize=1)
def published_values() -> tuple[PublishedValue, ...]:
    """Every value of every table of the package, in their order."""
    return values_of(published_tables())


def values_of(tables: Mapping[str, PublishedTable]) -> tuple[PublishedValue, ...]:
    """Every value of tables, in their order."""
    return tuple(
        PublishedValue(
            id, table.protocol.replace("xS", f"x{one.scale}"), one.dataset, one.part, one.scale, one.lq, one.images,
            method, metric, value, decimals,
        )
        for id, table in tables.items()
        for one in table.sets
        for method, values in one.rows.items()
        for (metric, decimals), value in zip(one.metrics.items(), values, strict=True)
        if value is not None
    )  # fmt: skip


def _tables(folder: Traversable) -> dict[str, PublishedTable]:
    tables = {}
    for file in sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name):
        id = file.name.removesuffix(".yaml")
        origin = f"published table '{id}'"
        content = read_yaml(file.read_text(encoding="utf-8"), origin, PublishedError)
        tables[id] = validated(PublishedTable, content, origin, PublishedError)
    return tables
