"""Read the results of a store: what tables, figures and runs ask of its database."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import printable
from ...datasets.scales import parse_scale
from ..metrics.card import MetricCard
from .current import DAMAGED, left_out
from .images import StoreError
from .open_database import DATABASE
from .provenance import Provenance
from .records import (
    FailedCell,
    LeftOut,
    Place,
    PlaceState,
    Problem,
    StoredCell,
    StoredMethod,
    StoredOutput,
    StoredRun,
    StoredSpec,
)
from .stored_values import DamagedRowError, from_text, metric_card, payload

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "protocol, scale, dataset, image, method, seed"
_PLACES = f"SELECT id, {_PLACE} FROM current_outputs ORDER BY {_PLACE}"
_REASON = "CASE WHEN o.message = '' THEN c.message ELSE o.message END"
_CELLS = "SELECT output, metric, value, status, message, damaged FROM judged_cells WHERE NOT former"
"""The rows behind ``current_cells``, which would compute the checksum of a cell once for each column."""


class StoreReader:
    """Results of an open store; outputs and cells that are out of date are left out unless a method says otherwise."""

    def __init__(self, root: Path, connection: sqlite3.Connection) -> None:
        self.root = root
        self._connection = connection

    def input_of(self, key: str) -> tuple[str, str | None] | None:
        """Digests of LQ and reference behind an input key."""
        return self._row("SELECT lq, reference FROM inputs WHERE key = ?", (key,))

    def restoration_of(self, key: str) -> str | None:
        """Digest of the SR pixels behind a restoration key."""
        row = self._row("SELECT sr FROM restorations WHERE key = ?", (key,))
        return None if row is None else row[0]

    def has_score(self, key: str) -> bool:
        """Whether the store has a score, and neither the score nor its payload is damaged."""
        return (
            self._row(
                "SELECT 1 FROM scores s LEFT JOIN payloads p ON p.key = s.key WHERE s.key = ?"
                " AND s.checksum = score_checksum(s.key, s.value)"
                " AND (p.key IS NULL OR p.checksum = payload_checksum(p.key, p.dtype, p.shape, p.content))",
                (key,),
            )
            is not None
        )

    def state_of(self, place: Place) -> PlaceState | None:
        """State of an output, whether it is out of date or not; None if the store has no such output."""
        row = self._row(
            "SELECT id, restoration, status, lq, reference FROM outputs WHERE protocol = ? AND scale = ?"
            " AND dataset = ? AND image = ? AND method = ? AND seed = ?",
            place,
        )
        if row is None:
            return None
        number, restoration, status, lq, reference = row
        cells = self.query("SELECT metric, score, status FROM cells WHERE output = ?", (number,))
        return PlaceState(restoration, status, lq, reference, {metric: (score, word) for metric, score, word in cells})

    def outputs_of(self, method: str) -> Iterator[StoredOutput]:
        """Every output under a method's name, out of date or not, without its cells."""
        rows = self.query(
            f"SELECT {_PLACE}, lq, reference, restoration, r.sr, r.run, status, message FROM outputs o"
            " LEFT JOIN restorations r ON r.key = o.restoration WHERE method = ?",
            (method,),
        )
        for row in rows:
            yield StoredOutput(Place(*row[:6]), *row[6:])

    def scores(self) -> pd.DataFrame:
        """Every cell: protocol, scale, dataset, image, method, seed, metric, value (NaN if none), status, message."""
        import pandas as pd

        places = self._frame(_PLACES)
        columns: list[Any] = list(zip(*self.query(_CELLS), strict=True)) or [()] * 6
        # Texts repeat thousands of times: places are read once for each output, and other texts become codes.
        at = pd.Index(places.pop("id")).get_indexer(np.asarray(columns[0], dtype=np.int64))
        current = at >= 0
        at, columns = at[current], [np.asarray(column, dtype=object)[current] for column in columns]
        damaged = np.asarray(columns.pop(), dtype=bool)
        for column, replacement in zip(columns[2:], (None, "failed", DAMAGED), strict=True):
            column[damaged] = replacement
        codes, texts = pd.factorize(np.asarray(columns[1], dtype=object), sort=True)
        order = np.lexsort((codes, at))
        frame = places.take(at[order]).reset_index(drop=True)
        frame["metric"] = texts[codes[order]]
        frame["value"] = np.asarray(columns[2], dtype=np.float64)[order]
        for name, column in (("status", columns[3]), ("message", columns[4])):
            codes, texts = pd.factorize(np.asarray(column, dtype=object))
            frame[name] = texts[codes[order]]
        return frame

    def payloads(self, metric: str, images: Collection[str] | None = None) -> Iterator[tuple[Place, NDArray[Any]]]:
        """Payloads of a metric by place.

        Args:
            metric: id of the metric.
            images: names of images; None: all images.
        """
        rows = self.query(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, p.dtype, p.shape, p.content"
            " FROM current_outputs o"
            " JOIN current_cells c ON c.output = o.id JOIN payloads p ON p.key = c.score"
            " WHERE c.metric = ? AND c.status = 'done'"
            + ("" if images is None else " AND o.image IN (SELECT value FROM json_each(?))")
            + " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed",
            (metric,) if images is None else (metric, json.dumps(list(images))),
        )
        for *place, dtype, shape, content in rows:
            with self._reading(f"what {metric} stored for {place[3]} of {place[4]}", "; run again to measure it again"):
                array = payload(dtype, shape, content)
            yield Place(*place), array

    def counts(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """Number of cells of each status, by protocol, dataset and method."""
        counts: dict[tuple[str, str, str], dict[str, int]] = {}
        for protocol, dataset, method, status, count in self.query(
            "SELECT o.protocol, o.dataset, o.method, c.status, count(*)"
            " FROM current_outputs o JOIN current_cells c ON c.output = o.id"
            " GROUP BY o.protocol, o.dataset, o.method, c.status ORDER BY o.protocol, o.dataset, o.method"
        ):
            counts.setdefault((protocol, dataset, method), {})[status] = count
        return counts

    def problems(self) -> list[Problem]:
        """Reasons why cells have no value, the most frequent first."""
        return [
            Problem(*row)
            for row in self.query(
                f"SELECT c.status, o.dataset, o.method, {_REASON} AS reason, count(*) AS cells"
                " FROM current_outputs o JOIN current_cells c ON c.output = o.id WHERE c.status != 'done'"
                " GROUP BY c.status, o.dataset, o.method, reason ORDER BY c.status, cells DESC, o.dataset, o.method"
            )
        ]

    def failed_cells(self) -> Iterator[FailedCell]:
        """Every failed cell with its error, and with the traceback if a user's code raised it."""
        for row in self.query(
            f"SELECT o.protocol, o.dataset, o.image, o.method, o.seed, c.metric, {_REASON},"
            " CASE WHEN c.detail = '' THEN o.detail ELSE c.detail END"
            " FROM current_outputs o JOIN current_cells c ON c.output = o.id WHERE c.status = 'failed'"
            " ORDER BY o.protocol, o.dataset, o.image, o.method, o.seed, c.metric"
        ):
            yield FailedCell(*row)

    def outputs(self) -> pd.DataFrame:
        """Every output: LQ rule, digests of LQ, reference and SR pixels, seconds, peak memory, device."""
        return self._frame(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, o.status, o.message, o.lq_rule, o.lq,"
            " o.reference, r.sr, o.restoration, r.seconds, r.memory, r.device"
            " FROM current_outputs o LEFT JOIN restorations r ON r.key = o.restoration"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed"
        )

    def ledger(self) -> Iterator[StoredOutput]:
        """Every output with its cells and their keys, as a stream in the order of places and metrics."""
        rows = self.query(
            "SELECT o.id, c.metric, c.score, c.value, c.run, c.status, c.message, o.protocol, o.scale, o.dataset,"
            " o.image, o.method, o.seed, o.lq, o.reference, o.restoration, r.sr, r.run, o.status, o.message"
            " FROM current_outputs o LEFT JOIN current_cells c ON c.output = o.id"
            " LEFT JOIN restorations r ON r.key = o.restoration"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, c.metric"
        )
        for _, group in groupby(rows, itemgetter(0)):
            whole = list(group)
            lq, reference, restoration, sr, run, status, message = whole[0][13:]
            cells = tuple(StoredCell(*row[1:7]) for row in whole if row[1] is not None)
            place = Place._make(whole[0][7:13])
            yield StoredOutput(place, lq, reference, restoration, sr, run, status, message, cells)

    def work(self) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]]:
        """Number of outputs that each run restored, by run and protocol, and number of cells that each run measured."""
        restored = (
            "SELECT r.run, o.protocol, count(*) FROM current_outputs o JOIN restorations r ON r.key = o.restoration"
            " WHERE o.status = 'done' GROUP BY r.run, o.protocol"
        )
        measured = (
            "SELECT c.run, o.protocol, count(*) FROM current_outputs o JOIN current_cells c ON c.output = o.id"
            " WHERE c.status = 'done' GROUP BY c.run, o.protocol"
        )
        work: tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]] = {}, {}
        for counts, query in zip(work, (restored, measured), strict=True):
            for run, protocol, count in self.query(query):
                counts.setdefault(run, {})[protocol] = count
        return work

    def set_sizes(self) -> dict[tuple[str, float, str], int]:
        """Number of images by protocol, scale and dataset, as the latest run planned them."""
        rows = self.query(
            "SELECT protocol, scale, dataset, count(DISTINCT image) FROM sets GROUP BY protocol, scale, dataset"
        )
        return {(protocol, scale, dataset): count for protocol, scale, dataset, count in rows}

    def left_out(self) -> list[LeftOut]:
        """Results that readers leave out because they are out of date."""
        try:
            return list(left_out(self._connection))
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    def metrics(self) -> dict[str, MetricCard]:
        """Cards of metrics by id; the code of a metric is not needed."""
        cards = {}
        for id, version, card in self.query("SELECT id, version, card FROM metrics ORDER BY id"):
            with self._reading(f"the card of metric '{id}'"):
                cards[str(id)] = metric_card(id, version, card)
        return cards

    def methods(self) -> dict[str, StoredMethod]:
        """Methods by name."""
        methods = {}
        for name, card, weights, identity in self.query("SELECT name, card, weights, identity FROM methods"):
            with self._reading(f"the card of method '{name}'"):
                methods[str(name)] = from_text(StoredMethod, card, name=name, weights=weights, identity=identity)
        return dict(sorted(methods.items()))

    def runs(self) -> list[StoredRun]:
        """Every run, oldest first."""
        runs = []
        rows = self.query("SELECT id, started, finished, spec, provenance FROM runs ORDER BY id")
        for id, started, finished, spec, provenance in rows:
            with self._reading(f"what is recorded of run {id}"):
                runs.append(
                    StoredRun(id, started, finished, from_text(StoredSpec, spec), from_text(Provenance, provenance))
                )
        return runs

    @contextlib.contextmanager
    def _reading(self, subject: str, remedy: str = "") -> Iterator[None]:
        try:
            yield
        except DamagedRowError as error:
            raise StoreError(
                f"{self.root / DATABASE}: {printable(subject)} {error}: the store is damaged{remedy}"
            ) from None

    def _row(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return next(self.query(query, values), None)

    def query(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of the database; ``current_outputs`` and ``current_cells`` have only what is up to date.

        Raises:
            StoreError: the database cannot be read.
        """
        try:
            # "yield from" would close the cursor where the store may be closed already, which is an error of SQLite's.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    def _frame(self, query: str) -> pd.DataFrame:
        import pandas as pd

        try:
            frame = pd.read_sql_query(query, self._connection)
        except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error
        if "scale" in frame and pd.api.types.is_float_dtype(frame["scale"]):  # so that 4 beside 1.5 does not become 4.0
            frame["scale"] = pd.Series(map(parse_scale, frame["scale"]), frame.index, dtype=object)
        return frame
