"""What made the numbers of a board, in words: its runs, and what surrounded them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .board import Board, RunRecord


def provenance_lines(board: Board) -> Iterator[tuple[str, str]]:
    """Terms with their texts: every run that made something shown, then what all of them share.

    Runs of one command in the same surroundings, as when a run was stopped and went on, are told together.
    """
    runs = _together(board.provenance)
    shared = _shared([run.surroundings for run in runs])
    packages = _shared([run.packages for run in runs])
    for number, run in enumerate(runs, 1):
        surroundings = {key: text for key, text in run.surroundings.items() if key not in shared}
        versions = {name: version for name, version in run.packages.items() if name not in packages}
        if versions:
            surroundings["packages"] = _versions(versions)
        yield (
            f"run {number}" if len(runs) > 1 else "run",
            "; ".join([*_facts(run), *(f"{k} {v}" for k, v in surroundings.items())]),
        )
    yield from shared.items()
    if packages:
        yield "packages", _versions(packages)


def _facts(run: RunRecord) -> Iterator[str]:
    yield f"spec {run.spec}"
    yield run.command or "no command recorded"
    times = f" in {run.count} runs" if run.count > 1 else ""
    yield f"{run.started} to {run.finished}{times}" if run.finished else f"{run.started}, not finished{times}"
    yield f"{sum(run.outputs.values())} images restored, {sum(run.values.values())} values measured"


def _together(runs: Sequence[RunRecord]) -> list[RunRecord]:
    merged: dict[object, RunRecord] = {}
    for run in runs:
        key = run.spec, run.command, tuple(run.surroundings.items()), tuple(run.packages.items())
        first = merged.get(key)
        merged[key] = (
            run
            if first is None
            else replace(
                first,
                finished=run.finished,
                count=first.count + run.count,
                outputs=_sum(first.outputs, run.outputs),
                values=_sum(first.values, run.values),
            )
        )
    return list(merged.values())


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}


def _shared(mappings: Sequence[dict[str, str]]) -> dict[str, str]:
    """What all of them say in the same way."""
    if not mappings:
        return {}
    return {key: text for key, text in mappings[0].items() if all(mapping.get(key) == text for mapping in mappings)}


def _versions(packages: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())
