"""Values that papers and repositories published: claims with a source, never measured by this product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...datasets.scales import Scale
from ...datasets.strict import Strict, read_yaml, validated
from ..errors import MethodError


class PublishedError(MethodError):
    """No published table has this id, or its file is incomplete."""


class PublishedSet(Strict):
    """The values of a published table on one dataset."""

    dataset: str
    """Id of the dataset's card; a dataset that is not public has another name."""
    part: str = ""
    """Which of several tables on the same dataset, such as ``ablation``."""
    scale: Scale = 4
    lq: str = "files"
    """Degradation that made LQ; ``files``: LQ images were given as files."""
    images: int | None = None
    """Number of images, if the source states it."""
    metrics: dict[str, int]
    """Ids of the product's metrics, or keys of ``elsewhere``, and how many decimals were printed."""
    rows: dict[str, Annotated[tuple[float | None, ...], Field(strict=False)]]
    """Method to its values in the order of ``metrics``; None: not printed."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> PublishedSet:
        for method, values in self.rows.items():
            if len(values) != len(self.metrics):
                raise ValueError(f"{method} has {len(values)} values for {len(self.metrics)} metrics")
        return self


class PublishedTable(Strict):
    """The values of one source."""

    source: str
    kind: Literal["print", "log", "quoted", "imported"]
    """``print``: the authors' table; ``log``: output of their program; ``quoted``: somebody else's copy of a table;
    ``imported``: a file of results that somebody wrote."""
    protocol: str
    """Id of the product's protocol that the source follows; ``S`` stands for the scale."""
    conventions: str = ""
    """What else is known about the measurement, besides the protocol."""
    elsewhere: dict[str, str] = Field(default_factory=dict)
    """Metrics that the product does not have, or that may not be the same metric, each with the reason."""
    sets: Annotated[tuple[PublishedSet, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _explains_what_it_has(self) -> PublishedTable:
        unused = set(self.elsewhere) - {metric for published_set in self.sets for metric in published_set.metrics}
        if unused:
            raise ValueError(f"elsewhere: no set has {', '.join(sorted(unused))}")
        return self


@dataclass(frozen=True)
class PublishedValue:
    """One published number."""

    table: str
    """Id of the table that it is from."""
    protocol: str
    dataset: str
    part: str
    scale: float
    lq: str
    images: int | None
    method: str
    metric: str
    value: float
    decimals: int
    """Number of printed decimals."""

    def contradicts(self, other: PublishedValue) -> bool:
        """Whether two sources disagree by more than the rounding of their printed decimals."""
        coarser = min(self.decimals, other.decimals)
        return abs(self.value - other.value) > 0.5 * 10.0**-coarser + 1e-9


FOLDER = "published"
"""Subfolder of a store that holds imported tables."""


@lru_cache(maxsize=1)
def published_tables() -> Mapping[str, PublishedTable]:
    """All tables of the package by id.

    Raises:
        PublishedError: a file is not a complete table.
    """
    return _tables(files(__package__))


def imported_tables(root: Path) -> Mapping[str, PublishedTable]:
    """Tables that were imported into a store, by id; empty if there are none.

    Args:
        root: folder of the store.

    Raises:
        PublishedError: a file is not a complete table.
    """
    folder = root / FOLDER
    return _tables(folder) if folder.is_dir() else {}


@lru_cache(maxsize=1)
def published_values() -> tuple[PublishedValue, ...]:
    """Every value of every published table of the package, in the order of the files."""
    return values_of(published_tables())


def values_of(tables: Mapping[str, PublishedTable]) -> tuple[PublishedValue, ...]:
    """Every value of these tables, in their order."""
    return tuple(
        PublishedValue(
            id,
            table.protocol.replace("xS", f"x{published_set.scale}"),
            published_set.dataset,
            published_set.part,
            published_set.scale,
            published_set.lq,
            published_set.images,
            method,
            metric,
            value,
            decimals,
        )
        for id, table in tables.items()
        for published_set in table.sets
        for method, values in published_set.rows.items()
        for (metric, decimals), value in zip(published_set.metrics.items(), values, strict=True)
        if value is not None
    )


def _tables(folder: Traversable) -> dict[str, PublishedTable]:
    tables = {}
    for file in sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name):
        id = file.name.removesuffix(".yaml")
        origin = f"published table '{id}'"
        content = read_yaml(file.read_text(encoding="utf-8"), origin, PublishedError)
        tables[id] = validated(PublishedTable, content, origin, PublishedError)
    return tables
