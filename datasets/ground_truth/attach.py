"""Attach ground truth to the images of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..dataset import Dataset, image_files, listed
from .instances import read_instances
from .kinds import VOID, Kind, TruthError, TruthSource, labels_source, text_source
from .text import read_text_truth

KINDS: tuple[Kind, ...] = ("text", "instances", "labels")


def with_truth(
    dataset: Dataset,
    kind: Kind,
    path: Path,
    *,
    classes: tuple[str, ...] = (),
    void: tuple[int, ...] = (VOID,),
    zero_is_void: bool = False,
) -> Dataset:
    """The dataset with ground truth of one kind attached to its images; truth is matched to an image by its stem.

    Args:
        dataset: the dataset.
        kind: text, instances or labels.
        path: see ``read_text_truth`` and ``read_instances``; for labels a folder of label PNGs.
        classes: names of the classes of labels; see ``labels_source``.
        void: labels that are no class; see ``labels_source``.
        zero_is_void: see ``labels_source``.

    Raises:
        TruthError: the truth cannot be read, or is missing for an image.
    """
    truth_by_image: Mapping[str, TruthSource]
    if not path.exists():
        raise TruthError(f"dataset '{dataset.name}': no {kind} truth {path}; check the path")
    if kind == "text":
        truth_by_image = {stem: text_source(words) for stem, words in read_text_truth(path).items()}
    elif kind == "instances":
        truth_by_image = read_instances(path)
    else:
        truth_by_image = {
            stem: labels_source(file, classes=classes, void=void, zero_is_void=zero_is_void)
            for stem, file in image_files(path).items()
        }
    missing = [sample.image for sample in dataset.samples if sample.image not in truth_by_image]
    if missing:
        raise TruthError(f"dataset '{dataset.name}': {path} has no {kind} truth of {listed(missing)}")
    samples = tuple(
        replace(
            sample, truths=(*(truth for truth in sample.truths if truth.kind != kind), truth_by_image[sample.image])
        )
        for sample in dataset.samples
    )
    return replace(dataset, samples=samples)


def parse_truth_option(text: str) -> tuple[str, Kind, Path, tuple[int, ...]]:
    """Dataset, kind, path and void labels of ``DATASET=KIND:PATH`` or ``DATASET=labels:DIR,void=11``.

    Raises:
        TruthError: the option has another form.
    """
    dataset, equals, specification = text.partition("=")
    kind, colon, path = specification.partition(":")
    path, comma, number = path.partition(",void=")
    for truth_kind in KINDS:
        if equals and colon and dataset and path and kind == truth_kind and (number.isdecimal() or not comma):
            return dataset, truth_kind, Path(path), (int(number),) if comma else (VOID,)
    raise TruthError(
        f"truth '{text}': write DATASET=KIND:PATH with KIND one of {', '.join(KINDS)}; the label of void pixels may"
        " follow, as in camvid=labels:DIR,void=11"
    )
