"""From what a user names, folders or the id of a card, to a dataset."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from .card import DatasetCard, data_root, load_card
from .dataset import Dataset, folder_dataset
from .errors import DatasetError, DatasetMissingError
from .ground_truth.attach import KINDS, with_truth


def parse_dataset_option(text: str, scale: float, lq_rule: str | None = None) -> Dataset:
    """A dataset as the command line names it.

    ``NAME=HR_DIR``, ``NAME=LQ_DIR,HR_DIR``, ``NAME=LQ_DIR,`` (no HR), a card's id or its path. ``lq_rule`` says how LQ
    is made where there is HR alone, instead of what the card says or MATLAB's bicubic.
    """
    name, equals, folders = text.partition("=")
    if not equals:
        return open_dataset(name, scale=scale, lq_rule=lq_rule)
    if not name or not folders.strip(","):
        raise DatasetError(f"dataset '{text}': write NAME=HR_DIR, NAME=LQ_DIR,HR_DIR or NAME=LQ_DIR,")
    first, comma, second = folders.partition(",")
    if not comma:
        return folder_dataset(name, hr=Path(first), scale=scale, lq_rule=lq_rule)
    return folder_dataset(name, lq=Path(first) if first else None, hr=Path(second) if second else None, scale=scale)


def open_dataset(id: str, *, scale: float, lq_rule: str | None = None, root: Path | None = None) -> Dataset:
    """The dataset of a card, by its id or path; built-in ones are made at first use.

    The images of a card that is a file are beside it, else where ``data fetch`` puts them. ``lq_rule`` replaces the
    card's where LQ is made from HR.

    Raises:
        DatasetMissingError: its files are not on disk; the message says how to get them.
        DatasetError: no such card, a scale it does not exist for, or files that do not fit together.
    """
    card = load_card(id)
    place, id = id, card.id
    if card.scales and scale not in card.scales:
        raise DatasetError(f"dataset '{id}' exists for scale {', '.join(map(str, card.scales))}, not {scale}")
    folder = (root or data_root()) / id
    if card.builder is not None and not folder.is_dir():
        _build(card.builder, folder)
    sides = [side.replace("{scale}", str(scale)) for side in (card.hr, card.lq) if side is not None]
    if card.home is not None and all((card.home / side).is_dir() for side in sides):
        folder = card.home
    hr = None if card.hr is None else folder / card.hr
    lq = None if card.lq is None else folder / card.lq.replace("{scale}", str(scale))
    for needed in (hr, lq):
        if needed is not None and not needed.is_dir():
            command = f"Get it with 'asasr-bench data fetch {place}'. " if card.sources else ""
            by_hand = f"{card.get.strip()} " if card.get else ""
            raise DatasetMissingError(
                f"dataset '{id}' is not here: no folder {needed}. {command}{by_hand}"
                f"Or give your copy as --dataset {id}={'HR_DIR' if card.hr else 'LQ_DIR,'}"
            )
    dataset = folder_dataset(id, hr=hr, lq=lq, scale=scale, lq_rule=None if lq else lq_rule or card.lq_rule)
    if len(dataset.samples) != card.count:
        raise DatasetError(f"dataset '{id}': {folder} has {len(dataset.samples)} images, its card says {card.count}")
    return _with_truth(replace(dataset, card=card), card, folder)


def _with_truth(dataset: Dataset, card: DatasetCard, folder: Path) -> Dataset:
    for kind in KINDS:
        place: str | None = getattr(card, kind)
        if place is not None:
            dataset = with_truth(
                dataset, kind, folder / place, classes=card.classes, void=card.void, zero_is_void=card.zero_is_void
            )
    return dataset


def _build(builder: str, folder: Path) -> None:
    """Make a built-in set in a folder beside its own, then give it its name: it is there whole or not at all."""
    module, _, function = builder.partition(":")
    build = getattr(import_module(f".{module}", __package__), function)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        build(temporary)
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process may have been quicker
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
