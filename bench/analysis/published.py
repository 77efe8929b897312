"""Put what others published beside what was measured: same pictures, LQ and protocol, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType

import pandas as pd

from ...datasets.card import card_ids, listed_files, load_card
from ...datasets.lq import LQ_FILES, rule_version
from ...methods.published.values import (
    PublishedTable,
    PublishedValue,
    published_tables,
    published_values,
    values_of,
)
from ...reports.board import PUBLISHED_COLUMNS, Board
from ..store.keys import input_key

_KINDS = {
    "print": "",
    "log": "",
    "quoted": ", not checked against the paper",
    "imported": ", a claim of whoever wrote that file",
}
Pixels = tuple[str, str | None]
"""Digests of an image's LQ and HR pixels."""
InputOf = Callable[[str], Pixels | None]
"""From an input key to what a store has of it; see ``Store.input_of``."""


@dataclass(frozen=True)
class _Set:
    """A dataset under a protocol, as a store has it."""

    dataset: str
    protocol: str
    scales: frozenset[int]
    rules: frozenset[str]
    """How LQ was made."""
    images: dict[str, frozenset[Pixels]]


def with_published(
    board: Board,
    outputs: pd.DataFrame,
    input_of: InputOf,
    imported: Mapping[str, PublishedTable] = MappingProxyType({}),
) -> Board:
    """The board with the published values that may stand beside its own, and why others may not.

    A set matches by the name of its card, protocol, scale, origin of LQ and number of images, and its pictures are
    those of the card's files by their digests; cards without digests match by name and number, and the source says so.

    Args:
        outputs: the store's outputs under the board's names of datasets.
        input_of: the store's.
        imported: tables of others that were imported beside the store, by id.
    """
    claimed = (*published_values(), *values_of(imported))
    rows: list[tuple[object, ...]] = []
    notes: list[str] = []
    unchecked: dict[str, list[str]] = {}
    for one in _sets(outputs):
        candidates = [
            value
            for value in claimed
            if value.protocol == one.protocol and one.dataset in (value.dataset, f"{value.dataset} x{value.scale}")
        ]
        problems = {claim: _problem(one, claim, input_of) for claim in dict.fromkeys(map(_claim, candidates))}
        found = [value for value in candidates if not problems[_claim(value)]]
        if candidates and not found:
            notes.append(f"{one.dataset} ({one.protocol}): {next(iter(problems.values()))}")
        if found and not _is_listed(found[0].dataset):
            for table in dict.fromkeys(value.table for value in found):
                unchecked.setdefault(table, []).append(one.dataset)
        rows += [
            (one.dataset, one.protocol, value.method, value.metric, value.value, value.table, _disputed(value, found))
            for value in found
        ]
    if not rows and not notes:
        notes.append(_nothing(board))
    sources = {
        id: f"{table.source}{_KINDS[table.kind]}"
        + (
            f"; {', '.join(unchecked[id])}: same name and number of images, pictures not compared"
            if id in unchecked
            else ""
        )
        for id, table in {**published_tables(), **imported}.items()
    }
    published = pd.DataFrame(rows, columns=PUBLISHED_COLUMNS)
    return replace(board, published=published, sources=sources, unpublished=tuple(notes))


@dataclass(frozen=True)
class _Claim:
    """What a published table says of the images it was measured on."""

    dataset: str
    scale: float
    lq: str
    images: int | None


def _claim(value: PublishedValue) -> _Claim:
    return _Claim(value.dataset, value.scale, value.lq, value.images)


def _sets(outputs: pd.DataFrame) -> Iterator[_Set]:
    for (protocol, dataset), part in outputs.groupby(["protocol", "dataset"], sort=False):
        images: dict[str, set[Pixels]] = {}
        for image, lq, reference in zip(part["image"], part["lq"], part["reference"], strict=True):
            pixels = images.setdefault(str(image), set())
            if isinstance(lq, str) and lq:
                pixels.add((lq, reference if isinstance(reference, str) else None))
        yield _Set(
            str(dataset),
            str(protocol),
            frozenset(part["scale"]),
            frozenset(part["lq_rule"]),
            {image: frozenset(pixels) for image, pixels in images.items()},
        )


def _problem(one: _Set, claim: _Claim, input_of: InputOf) -> str:
    """Why values may not stand beside a set; '' if they may."""
    if one.scales != {claim.scale}:
        return f"yours is of scale {', '.join(map(str, sorted(one.scales)))}, the published table of {claim.scale}"
    if one.rules != {claim.lq}:
        return f"your LQ are made by {', '.join(sorted(one.rules))}, those of the published table by {claim.lq}"
    if _is_listed(claim.dataset):
        known = _pixels_of_card(claim, input_of)
        others = sorted(image for image, pixels in one.images.items() if not pixels or not pixels <= known)
        if others:
            which = f"'{others[0]}' is" if len(others) == 1 else f"'{others[0]}' and {len(others) - 1} more are"
            return (
                f"of your {len(one.images)} images {which} not from the files of {claim.dataset} whose digests its card"
                f" has; get those with 'asasr-bench data fetch {claim.dataset}', or give the set"
                " another name"
            )
    if claim.images not in (None, len(one.images)):
        return f"yours has {len(one.images)} images, the published table {claim.images}"
    return ""


def _is_listed(dataset: str) -> bool:
    """Whether a card tells the digests of all files of the set."""
    if dataset not in card_ids():
        return False
    card = load_card(dataset)
    if not any(source.list for source in card.sources):
        return False
    return all(digest is not None for digest, _, _ in listed_files(dataset))


def _pixels_of_card(claim: _Claim, input_of: InputOf) -> set[Pixels]:
    """What the store has of the card's files: input keys are made of digests of files."""
    card = load_card(claim.dataset)
    sides: list[dict[str, str]] = []
    for folder in (card.hr, card.lq if claim.lq == LQ_FILES else None):
        wanted = None if folder is None else PurePath(folder.replace("{scale}", str(claim.scale)))
        places = ((digest, PurePath(place)) for digest, _, place in listed_files(claim.dataset))
        sides.append(
            {
                place.stem.removesuffix(f"x{claim.scale}"): digest
                for digest, place in places
                if digest is not None and place.parent == wanted
            }
        )
    hr, lq = sides
    found: set[Pixels] = set()
    for stem in {**hr, **lq}:
        for on_luma in (False, True):
            key = input_key(
                hr_file=hr.get(stem),
                lq_file=lq.get(stem),
                lq_rule=claim.lq,
                rule_version=rule_version(claim.lq),
                scale=claim.scale,
                on_luma=on_luma,
            )
            pixels = input_of(key)
            if pixels is not None:
                found.add(pixels)
    return found


def _disputed(value: PublishedValue, others: list[PublishedValue]) -> bool:
    """Whether another source contradicts it."""
    return any(
        other.method == value.method and other.metric == value.metric and value.contradicts(other) for other in others
    )


def _nothing(board: Board) -> str:
    """That no dataset has published values under its protocol, and which would."""
    protocols = set(board.scores["protocol"])
    known = {f"{value.dataset} ({value.protocol})" for value in published_values() if value.protocol in protocols}
    sets = ", ".join(sorted(known)) or "none under its protocols"
    return f"these datasets: nobody's values of them are known under these protocols; there are some of {sets}"
