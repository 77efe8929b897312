"""Give the images of a dataset their ground truth."""

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
    dataset: Dataset, kind: Kind, path: Path, *, classes: tuple[str, ...] = (), void: tuple[int, ...] = (VOID,),
    zero_is_void: bool = False,
) -> Dataset:  # fmt: skip
    """A dataset whose images have ground truth of one kind; truth belongs to an image by its stem.

    Args:
        path: see ``read_text_truth``, ``read_instances``; for labels a folder of label PNGs.
        classes, void, zero_is_void: of labels, see ``labels_source``.

    Raises:
        TruthError: it cannot be read, or an image has none.
    """
    found: Mapping[str, TruthSource]
    if not path.exists():
        raise TruthError(f"dataset '{dataset.name}': no {kind} truth {path}; check the path")
    if kind == "text":
        found = {stem: text_source(words) for stem, words in read_text_truth(path).items()}
    elif kind == "instances":
        found = read_instances(path)
    else:
        found = {
            stem: labels_source(file, classes=classes, void=void, zero_is_void=zero_is_void)
            for stem, file in image_files(path).items()
        }
    missing = [sample.image for sample in dataset.samples if sample.image not in found]
    if missing:
        raise TruthError(f"dataset '{dataset.name}': {path} has no {kind} truth of {listed(missing)}")
    samples = tuple(
        replace(sample, truths=(*(one for one in sample.truths if one.kind != kind), found[sample.image]))
        for sample in dataset.samples
    )
    return replace(dataset, samples=samples)


def parse_truth_option(text: str) -> tuple[str, Kind, Path, tuple[int, ...]]:
    """Dataset, kind, path and void labels of ``DATASET=KIND:PATH``; ``DATASET=labels:DIR,void=11``.

    Raises:
        TruthError: written otherwise.
    """
    dataset, equals, rest = text.partition("=")
    kind, colon, path = rest.partition(":")
    path, comma, number = path.partition(",void=")
    for known in KINDS:
        if equals and colon and dataset and path and kind == known and (number.isdecimal() or not comma):
            return dataset, known, Path(path), (int(number),) if comma else (VOID,)
    raise TruthError(
        f"truth '{text}': write DATASET=KIND:PATH with KIND one of {', '.join(KINDS)}; the label of void pixels may"
        " follow, as in camvid=labels:DIR,void=11"
    )
