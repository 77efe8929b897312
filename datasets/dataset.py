"""Datasets: images with HR, LQ or both. Files are paired by name, never by order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DatasetError
from .ground_truth.kinds import TruthSource
from .images import SUFFIXES
from .lq import LQ_FILES, MATLAB_BICUBIC, parse_lq_rule
from .names import name_problem, printable

if TYPE_CHECKING:
    from .card import DatasetCard

_NAMES_SHOWN = 10


@dataclass(frozen=True)
class Sample:
    """One image."""

    image: str
    """Stem of the HR file; of the LQ file in an LQ-only set."""
    hr: Path | None
    lq: Path | None
    truths: tuple[TruthSource, ...] = ()
    """Ground truth, each kind at most once."""

    def __post_init__(self) -> None:
        problem = name_problem(self.image, file=True)
        if problem:
            raise DatasetError(f"{str(self.hr or self.lq)!r}: the image's name {problem}; rename the file")


@dataclass(frozen=True)
class Dataset:
    """Images under one name."""

    name: str
    samples: tuple[Sample, ...]
    """Sorted by image."""
    lq_rule: str
    """How LQ is made; see ``lq.py``."""
    card: DatasetCard | None = None

    def __post_init__(self) -> None:
        problem = name_problem(self.name)
        if problem:
            raise DatasetError(f"dataset '{printable(self.name)}': its name {problem}; give it another, as NAME=FOLDER")


def folder_dataset(
    name: str, *, hr: Path | None = None, lq: Path | None = None, scale: float, lq_rule: str | None = None
) -> Dataset:
    """A dataset from one folder or a pair of folders.

    An LQ file has the stem of its HR file, or that stem and ``x{scale}`` (``babyx4.png``), throughout the folder.

    Args:
        name: name of the dataset.
        hr: folder of HR images; None: the dataset has none.
        lq: folder of LQ images; None: LQ is made from HR.
        scale: size of HR relative to LQ.
        lq_rule: how LQ is made; None: MATLAB's bicubic.

    Raises:
        DatasetError: a folder is missing or has no images, or an image has no partner.
        LqRuleError: see ``parse_lq_rule``.
    """
    if hr is None and lq is None:
        raise DatasetError(f"dataset '{name}': give a folder with HR images, with LQ images, or both")
    if lq is not None and lq_rule not in (None, LQ_FILES):
        raise DatasetError(f"dataset '{name}': LQ images are given, so LQ rule '{lq_rule}' does not apply")
    hr_files = None if hr is None else image_files(hr)
    lq_files = None if lq is None else image_files(lq)
    if hr_files is None:
        assert lq_files is not None
        samples = [Sample(stem, None, path) for stem, path in lq_files.items()]
    elif lq_files is None:
        samples = [Sample(stem, path, None) for stem, path in hr_files.items()]
    else:
        assert hr is not None
        assert lq is not None
        suffix = _suffix(lq_files, hr_files, f"x{scale}")
        partners = {stem.removesuffix(suffix) if suffix else stem: path for stem, path in lq_files.items()}
        _require_partners(name, hr, hr_files, lq, partners)
        samples = [Sample(stem, path, partners[stem]) for stem, path in hr_files.items()]
    rule = LQ_FILES if lq is not None else parse_lq_rule(lq_rule or MATLAB_BICUBIC, scale)
    return Dataset(name, tuple(sorted(samples, key=lambda sample: sample.image)), rule)


def dataset_of_pairs(
    name: str, pairs: Iterable[object], *, folder: Path, scale: float, lq_rule: str | None = None
) -> Dataset:
    """A dataset from pairs of image files, ``(HR, LQ)``; the stem of HR, else of LQ, names an image.

    Args:
        name: of the dataset.
        pairs: paths; LQ is None in all pairs if it is made from HR, HR is None in all pairs if there is none.
        folder: where relative paths start.
        scale: size of HR relative to LQ.
        lq_rule: how LQ is made; MATLAB's bicubic unless given.

    Raises:
        DatasetError: an item is no pair of files, a file is missing, or two images have the same name.
        LqRuleError: see ``parse_lq_rule``.
    """
    samples = [_sample_of_pair(name, pair, folder) for pair in pairs]
    if not samples:
        raise DatasetError(f"dataset '{name}': its code gives no images")
    sides_present = {(sample.hr is not None, sample.lq is not None) for sample in samples}
    if len(sides_present) > 1:
        raise DatasetError(
            f"dataset '{name}': some images have HR or LQ and others have not; make two datasets of them"
        )
    repeated = [image for image, count in Counter(sample.image for sample in samples).items() if count > 1]
    if repeated:
        raise DatasetError(
            f"dataset '{name}': several images are called {listed(repeated)}; give each a name of its own"
        )
    _, has_lq = sides_present.pop()
    if has_lq and lq_rule not in (None, LQ_FILES):
        raise DatasetError(f"dataset '{name}': LQ images are given, so LQ rule '{lq_rule}' does not apply")
    rule = LQ_FILES if has_lq else parse_lq_rule(lq_rule or MATLAB_BICUBIC, scale)
    return Dataset(name, tuple(sorted(samples, key=lambda sample: sample.image)), rule)


def _sample_of_pair(name: str, pair: object, folder: Path) -> Sample:
    if not isinstance(pair, tuple | list) or len(pair) != 2 or all(side is None for side in pair):
        raise DatasetError(
            f"dataset '{name}': its code gives {pair!r}, no pair (HR, LQ) of paths with at most one None"
        )
    if not all(side is None or isinstance(side, str | Path) for side in pair):
        raise DatasetError(f"dataset '{name}': its code gives {pair!r}; HR and LQ are paths")
    hr, lq = (None if side is None else folder / side for side in pair)
    for path in (hr, lq):
        if path is not None and not path.is_file():
            raise DatasetError(f"dataset '{name}': no image {path}; its code names it")
    naming_file = hr or lq
    assert naming_file is not None
    return Sample(naming_file.stem, hr, lq)


def image_files(folder: Path) -> dict[str, Path]:
    """Stem to image file of one folder; hidden files and sub-folders do not count.

    Raises:
        DatasetError: the folder is missing or empty, two files have one stem, or an image's name belongs to something
            that is no file: a set must not shrink silently.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; check the path")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        if not path.is_file():
            raise DatasetError(f"{path}: {_no_file_reason(path)}; remove it, or put the image in its place")
        if path.stem in files:
            raise DatasetError(f"{folder}: {files[path.stem].name} and {path.name} have one name; keep one of them")
        files[path.stem] = path
    if not files:
        raise DatasetError(f"{folder}: no images here (known: {', '.join(sorted(SUFFIXES))})")
    return files


def _no_file_reason(path: Path) -> str:
    """Why a path with the name of an image is no file."""
    if path.is_symlink() and not path.exists():
        return f"is a link to {path.readlink()}, which leads to no file"
    return "is a folder" if path.is_dir() else "is no ordinary file (a pipe, socket or device)"


def _suffix(lq: Mapping[str, Path], hr: Mapping[str, Path], suffix: str) -> str:
    """The suffix of a whole LQ folder: none if any stem is that of an HR file, else ``suffix``."""
    return "" if any(stem in hr for stem in lq) else suffix


def _require_partners(name: str, hr: Path, hr_stems: Iterable[str], lq: Path, lq_stems: Iterable[str]) -> None:
    without_lq, without_hr = sorted(set(hr_stems) - set(lq_stems)), sorted(set(lq_stems) - set(hr_stems))
    problems = []
    if without_lq:
        problems.append(f"in {hr} without partner: {listed(without_lq)}")
    if without_hr:
        problems.append(f"in {lq} without partner: {listed(without_hr)}")
    if problems:
        raise DatasetError(f"dataset '{name}': images are paired by file name; {'; '.join(problems)}")


def listed(names: Iterable[str]) -> str:
    """The first ten names and a count of the others."""
    names = list(names)
    remaining = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {remaining} more" if remaining > 0 else "")
