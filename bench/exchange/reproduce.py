"""The commands that made results, and whether the same commands give the same pixels and values on this machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ...datasets.images import write_atomically
from ...datasets.strict import validated
from ...reports.drift import CellDrift
from ..analysis.leaderboard import load_board
from ..drift.check import compare
from ..drift.snapshot import WHOLE, Snapshot, take_snapshot
from ..execute.run import run
from ..spec import Spec, SpecError
from ..store.open_database import DATABASE
from ..store.provenance import Provenance, provenance
from ..store.store import open_store
from .document import Document, ExchangeError, Run
from .from_store import document_of
from .import_results import read_document
from .spec_paths import with_absolute_paths
from .to_store import write_store

_SHOWN = 12
"""Hex digits of a digest that are told."""


@dataclass(frozen=True)
class Step:
    """One run that made results, as it can be made again."""

    started: str
    command: str
    """As it was given."""
    spec: dict[str, Any]
    surroundings: tuple[str, ...]
    """What differs between then and this machine, in words."""

    def script(self, number: int, store: str) -> tuple[str, str, str]:
        """Name and text of the spec's file, and the command that takes it."""
        name = f"run-{number}.yaml"
        text = yaml.safe_dump(self.spec, sort_keys=False, allow_unicode=True, width=1000)
        return name, text, shlex.join(["asasr-bench", "run", name, "--store", store])


@dataclass(frozen=True)
class Reproduction:
    """Comparison of results with those of the same commands on this machine."""

    compared: int
    """Number of values that both have."""
    digests: tuple[str, ...]
    """LQ, HR and SR pixels that differ, in words."""
    values: tuple[CellDrift, ...]
    """Values that differ by more than half a unit of the last printed digit, or are missing."""

    @property
    def reproduced(self) -> bool:
        """Whether every digest and every value is the same."""
        return not self.digests and not self.values


def read_results(place: Path) -> Document:
    """The results in a store, in the folder of its report, or in a file of ``export``.

    Raises:
        ExchangeError: ``place`` is none of these.
        StoreError: the store cannot be read.
    """
    root = _store_of(place)
    if root is None:
        if place.suffix == ".html" or (place.is_dir() and (place / "leaderboard.csv").exists()):
            raise ExchangeError(f"{place}: this report has no store beside it; give the store, or an export of it")
        return read_document(place)
    with open_store(root) as store:
        document = document_of(store, load_board(store, title=root.name))
        rows = store.query("SELECT id, spec, provenance FROM runs")
        exact = {id: (json.loads(spec), json.loads(provenance_text)) for id, spec, provenance_text in rows}
    # Unlike an export, a reproduction on this machine needs the paths of its folders.
    runs = [
        run.model_copy(update=dict(zip(("spec", "provenance"), exact[run.id], strict=True))) for run in document.runs
    ]
    return document.model_copy(update={"runs": tuple(runs)})


def steps(document: Document) -> list[Step]:
    """The runs that made the results of a document, oldest first."""
    used = {output.restoration.run for output in document.outputs if output.restoration is not None}
    used |= {cell.run for output in document.outputs for cell in output.cells if cell.run is not None}
    this_machine = provenance("", 0)
    return [_step(run, this_machine) for run in document.runs if run.id in used]


def write_steps(plan: Sequence[Step], out: Path, store: str) -> list[Path]:
    """Write the spec of each step, and ``reproduce.sh`` with the commands; returns the files."""
    paths, lines = [], ["#!/bin/sh", "set -e", 'cd "$(dirname "$0")"']
    for number, step in enumerate(plan, 1):
        name, text, command = step.script(number, store)
        write_atomically(out / name, text.encode())
        paths.append(out / name)
        lines.append(command)
    write_atomically(out / "reproduce.sh", ("\n".join(lines) + "\n").encode())
    return [*paths, out / "reproduce.sh"]


def run_again(document: Document, plan: Sequence[Step], root: Path, tell: Callable[[str], None]) -> Reproduction:
    """Run every step into a new store, and compare the store with the document.

    Args:
        document: the results to reproduce.
        plan: the steps of the document.
        root: folder of the new store.
        tell: called with a message before each step.

    Raises:
        ExchangeError: the folder has a store already, or a step cannot be run with this version.
        Other errors of ``run``.
    """
    if (root / DATABASE).exists():
        raise ExchangeError(f"{root}: has a store already; results are reproduced in a new folder")
    for number, step in enumerate(plan, 1):
        tell(f"run {number} of {len(plan)}: {step.spec.get('name', '')}")
        fields = {key: value for key, value in step.spec.items() if key in Spec.model_fields}
        try:
            spec = validated(Spec, fields, f"run {number}", SpecError)
        except SpecError as error:
            raise ExchangeError(f"{error}; the run was made by another version of this program") from None
        run(spec, root)
    return compare_with(document, root)


def compare_with(document: Document, root: Path) -> Reproduction:
    """Compare the digests and values of a store with those of a document."""
    with TemporaryDirectory(prefix="asasr-bench-") as folder:
        before_root = Path(folder, "before")
        write_store(document, before_root, "the results")
        before, after = (_snapshot(store_root) for store_root in (before_root, root))
    report = compare(before, after, {}, names=("before", "now"))
    return Reproduction(report.compared, tuple(_digests(before, after)), report.cells)


def _snapshot(root: Path) -> Snapshot:
    with open_store(root) as store:
        return take_snapshot(store)


def _digests(before: Snapshot, after: Snapshot) -> Iterator[str]:
    for place, old in before.outputs.items():
        if place.image == WHOLE:
            continue
        new = after.outputs.get(place)
        if new is None:
            yield f"{place.dataset}/{place.image}, {place.method}: not restored here"
            continue
        for pixels, first, second in (
            ("LQ", old.lq, new.lq),
            ("HR", old.reference, new.reference),
            ("SR", old.sr, new.sr),
        ):
            if first != second:
                shown = f"{first[:_SHOWN] or 'none'}, here {second[:_SHOWN] or 'none'}"
                yield f"{place.dataset}/{place.image}, {place.method}: {pixels} pixels {shown}"


def _step(run: Run, this_machine: Provenance) -> Step:
    spec = {key: value for key, value in run.spec.items() if key != "conventions" and value is not None}
    then = run.provenance
    folder = Path(str(then.get("folder", "")))
    if folder.is_absolute():  # exports know no folders
        spec = with_absolute_paths(spec, folder)
    differences = []
    packages = then.get("packages")
    for name, version in packages.items() if isinstance(packages, dict) else ():
        now = this_machine.packages.get(name, "not installed")
        if now != version:
            differences.append(f"{name} {version}, here {now}")
    for subject, value, now in (
        ("Python", then.get("python"), this_machine.python),
        ("processor", then.get("processor"), this_machine.processor),
        ("code", then.get("git"), this_machine.git),
    ):
        if value and value != now:
            differences.append(f"{subject} {value}, here {now or 'not known'}")
    return Step(run.started, str(then.get("command", "")), spec, tuple(differences))


def _store_of(place: Path) -> Path | None:
    """The folder of the store to which a path belongs: the folder itself, its report, or a file of the report."""
    for folder in (place, place.parent, place.parent.parent) if place.suffix in ("", ".html", ".csv", ".md") else ():
        if (folder / DATABASE).is_file():
            return folder.resolve()
    return None
