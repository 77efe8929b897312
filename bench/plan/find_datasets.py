"""Find the dataset of a reference in a spec or on the command line: a folder, a card, or a user's own code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...datasets.card import card_ids
from ...datasets.dataset import Dataset, dataset_of_pairs, folder_dataset
from ...datasets.errors import DatasetError
from ...datasets.find import open_dataset, parse_dataset_option
from ...datasets.ground_truth.attach import KINDS, with_truth
from ...methods.user_code.objects import CodeError, Imported, constructed, import_object
from ...methods.user_code.references import (
    ObjectReference,
    anchored_object,
    installed_objects,
    is_object,
    object_name,
    parse_object,
)
from ..spec import DatasetEntry

ENTRY_POINT_GROUP = "asasr_bench.datasets"


def installed_datasets() -> dict[str, str]:
    """Entry points of other packages by the dataset's name, without names of this package's cards."""
    return installed_objects(ENTRY_POINT_GROUP, card_ids())


def find_dataset(reference: str | DatasetEntry, scale: float, lq_rule: str | None = None) -> Dataset:
    """The dataset of a reference.

    Args:
        reference: a mapping of a spec, or a text: as in ``parse_dataset_option``, the name of an entry point,
            ``FILE.py:object`` or ``module:object``, each of them also after ``NAME=``.
        scale: scale factor of HR to LQ.
        lq_rule: rule by which LQ is made from HR, instead of the dataset's rule.

    Raises:
        DatasetError: files or code of the dataset cannot be used.
    """
    if isinstance(reference, DatasetEntry):
        return _of_entry(reference, scale, lq_rule)
    name, equals, place = reference.rpartition("=")
    if not equals and place in installed_datasets():
        return _of_code(ObjectReference(place, name=place), scale, lq_rule)
    if ":" in place and is_object(place) and not Path(place).is_dir():  # a folder may have such a name
        return _of_code(ObjectReference(place, name=name), scale, lq_rule)
    return parse_dataset_option(reference, scale, lq_rule)


def _of_entry(entry: DatasetEntry, scale: float, lq_rule: str | None) -> Dataset:
    rule = entry.lq_rule or lq_rule
    if entry.object is not None:
        mapping = {"object": entry.object, "args": entry.args, "name": entry.name}
        dataset = _of_code(parse_object(mapping, "dataset", DatasetError), scale, rule)
    else:
        hr, lq = (Path(folder) if folder else None for folder in (entry.hr, entry.lq))
        dataset = folder_dataset(entry.name, hr=hr, lq=lq, scale=scale, lq_rule=None if lq else rule)
    for kind in KINDS:
        path: str | None = getattr(entry, kind)
        if path is not None:
            dataset = with_truth(dataset, kind, Path(path), void=entry.void, zero_is_void=entry.zero_is_void)
    return dataset


def _of_code(reference: ObjectReference, scale: float, lq_rule: str | None) -> Dataset:
    """The dataset that an object is or returns. Keys of results contain digests of its files, not of its code."""
    subject, name = f"dataset '{reference.text}'", reference.name or object_name(reference.text)
    if name in card_ids():
        raise DatasetError(f"{subject}: asasr-bench has a card '{name}' itself; give it another name (NAME=...)")
    place = installed_datasets().get(reference.text) or anchored_object(reference.text, Path.cwd())
    try:
        imported = import_object(place)
        files = _files(imported, reference.args, scale)
        folder = Path(imported.module.__file__ or "").absolute().parent
        if isinstance(files, str | Path):
            return open_dataset(str(folder / files), scale=scale, lq_rule=lq_rule)
        if not isinstance(files, Iterable):
            raise CodeError(f"it returns {type(files).__name__}; expected pairs (HR, LQ) of paths, or a card's path")
        return dataset_of_pairs(name, _pairs_of(files), folder=folder, scale=scale, lq_rule=lq_rule)
    except CodeError as error:
        raise DatasetError(f"{subject}: {error}") from error


def _files(imported: Imported, arguments: dict[str, Any], scale: float) -> object:
    """The value of an object, or of its call with the arguments and, if it has such a parameter, the scale."""
    ready = not callable(imported.value)
    with suppress(TypeError, ValueError):  # some callables have no signature
        if "scale" in inspect.signature(imported.value).parameters:
            arguments = {"scale": scale, **arguments}
    return constructed(imported, arguments, ready=ready)


def _pairs_of(files: Iterable[object]) -> Iterable[object]:
    """Pairs from a user's iterable, whose errors are reported as errors of the code."""
    try:
        yield from files
    except DatasetError:
        raise
    except Exception as error:
        raise CodeError(f"its images cannot be listed ({type(error).__name__}: {error})") from error
