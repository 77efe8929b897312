"""Show published values of others beside measured ones, if images, LQ and protocol are the same."""

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
"""Returns the digests of an input that the store has under an input key; see ``Store.input_of``."""


@dataclass(frozen=True)
class _Set:
    """A dataset of a store under one protocol."""

    dataset: str
    protocol: str
    scales: frozenset[int]
    rules: frozenset[str]
    """Rules by which LQ images were made."""
    images: dict[str, frozenset[Pixels]]


def with_published(
    board: Board,
    outputs: pd.DataFrame,
    input_of: InputOf,
    imported: Mapping[str, PublishedTable] = MappingProxyType({}),
) -> Board:
    """The board with the published values that are comparable with its own, and the reasons why others are not.

    A published set matches a stored one if card, protocol, scale, LQ rule and number of images are the same, and the
    images have the digests of the card's files. A card without digests matches by name and number, and the source says
    so.

    Args:
        board: measured values.
        outputs: outputs of the store with the board's names of datasets.
        input_of: ``Store.input_of`` of the store.
        imported: tables of others that were imported into the store's folder, by id.
    """
    claimed = (*published_values(), *values_of(imported))
    rows: list[tuple[object, ...]] = []
    notes: list[str] = []
    unchecked: dict[str, list[str]] = {}
    for stored_set in _sets(outputs):
        candidates = [
            value
            for value in claimed
            if value.protocol == stored_set.protocol
            and stored_set.dataset in (value.dataset, f"{value.dataset} x{value.scale}")
        ]
        problems = {claim: _problem(stored_set, claim, input_of) for claim in dict.fromkeys(map(_claim, candidates))}
        shown = [value for value in candidates if not problems[_claim(value)]]
        if candidates and not shown:
            shown_set = f"{stored_set.dataset} ({stored_set.protocol})"
            notes.append(f"no published values beside {shown_set}: {next(iter(problems.values()))}")
        if shown and not _is_listed(shown[0].dataset):
            for table in dict.fromkeys(value.table for value in shown):
                unchecked.setdefault(table, []).append(stored_set.dataset)
        rows += [
            (
                stored_set.dataset,
                stored_set.protocol,
                value.method,
                value.metric,
                value.value,
                value.table,
                _disputed(value, shown),
            )
            for value in shown
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
    """The images on which a published table was measured, as the table states them."""

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


def _problem(stored_set: _Set, claim: _Claim, input_of: InputOf) -> str:
    """The reason why published values are not comparable with those of a set; '' if they are."""
    if stored_set.scales != {claim.scale}:
        scales = ", ".join(map(str, sorted(stored_set.scales)))
        return f"your images are of scale {scales}, those of the published table of {claim.scale}"
    if stored_set.rules != {claim.lq}:
        rules = ", ".join(sorted(stored_set.rules))
        return f"your LQ images are made by {rules}, those of the published table by {claim.lq}"
    if _is_listed(claim.dataset):
        known = _pixels_of_card(claim, input_of)
        other_images = sorted(image for image, pixels in stored_set.images.items() if not pixels or not pixels <= known)
        if other_images:
            subject = (
                f"'{other_images[0]}' is"
                if len(other_images) == 1
                else f"'{other_images[0]}' and {len(other_images) - 1} more are"
            )
            return (
                f"of your {len(stored_set.images)} images {subject} not from the files of {claim.dataset} whose digests"
                f" its card has; get those with 'asasr-bench data fetch {claim.dataset}', or give the set another name"
            )
    if claim.images not in (None, len(stored_set.images)):
        return f"your set has {len(stored_set.images)} images, that of the published table {claim.images}"
    return ""


def _is_listed(dataset: str) -> bool:
    """Whether a card has the digests of all files of the set."""
    if dataset not in card_ids():
        return False
    card = load_card(dataset)
    if not any(source.list for source in card.sources):
        return False
    return all(digest is not None for digest, _, _ in listed_files(dataset))


def _pixels_of_card(claim: _Claim, input_of: InputOf) -> set[Pixels]:
    """Digests of the pixels that the store has from the card's files; input keys contain the digests of files."""
    card = load_card(claim.dataset)
    sides: list[dict[str, str]] = []
    for folder in (card.hr, card.lq if claim.lq == LQ_FILES else None):
        card_folder = None if folder is None else PurePath(folder.replace("{scale}", str(claim.scale)))
        places = ((digest, PurePath(place)) for digest, _, place in listed_files(claim.dataset))
        sides.append(
            {
                place.stem.removesuffix(f"x{claim.scale}"): digest
                for digest, place in places
                if digest is not None and place.parent == card_folder
            }
        )
    hr, lq = sides
    known_pixels: set[Pixels] = set()
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
                known_pixels.add(pixels)
    return known_pixels


def _disputed(value: PublishedValue, values: list[PublishedValue]) -> bool:
    """Whether another published value contradicts this one."""
    return any(
        published.method == value.method and published.metric == value.metric and value.contradicts(published)
        for published in values
    )


def _nothing(board: Board) -> str:
    """The note that no dataset has published values under its protocol, with the datasets that have some."""
    protocols = set(board.scores["protocol"])
    known = {f"{value.dataset} ({value.protocol})" for value in published_values() if value.protocol in protocols}
    sets = ", ".join(sorted(known)) or "none under its protocols"
    return f"no published values are known for these datasets under these protocols; there are some for {sets}"
