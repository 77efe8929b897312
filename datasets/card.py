"""Dataset cards: what is known of a published set, where its files belong, and how to get them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .dataset import Dataset, DatasetError, DatasetMissingError, folder_dataset
from .ground_truth.attach import KINDS, with_truth
from .ground_truth.kinds import VOID
from .names import leaves_folder, name_problem, suggestion
from .yaml_text import YamlError, read_yaml


def _inside(place: str) -> str:
    if leaves_folder(place):
        raise ValueError(f"'{place}' leads out of the set's folder")
    return place


def _web_address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"'{url}' is no web address")
    return url


def _folder_name(id: str) -> str:
    problem = name_problem(id, file=True)
    if problem:
        raise ValueError(f"'{id}' {problem}")
    return id


Place = Annotated[str, AfterValidator(_inside)]
"""A path inside the set's own folder."""


class Source(BaseModel):
    """Where a set's files are: an archive, or the base address of a list of files."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, AfterValidator(_web_address)]
    list: bool = False
    """``url`` is the base of the files in ``cards/ID.files``, one ``SHA256 ADDRESS PLACE`` a line; ``-``: unknown."""
    file: Place | None = None
    """Name of the archive where the address does not end in it."""
    sha256: str | None = None
    """None: nobody published it; the first download is noted and later ones must equal it."""
    unpack: dict[str, Place] = {}
    """Folders of the archive, and the set's folders that take their images."""


class DatasetCard(BaseModel):
    """One published or built-in set of images."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, AfterValidator(_folder_name)]
    title: str
    kind: Literal["paired", "hq", "lq-only"]
    """Both sides given; HR alone, from which LQ is made; LQ alone."""
    count: int
    """Images in it."""
    licence: str
    homepage: str = ""
    split: str = "test"
    """What the set is for, as its authors split it."""
    scales: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """Scales it exists for; empty: any."""
    hr: Place | None = None
    """Folder of HR images inside the set's own folder."""
    lq: Place | None = None
    """Folder of LQ images; ``{scale}`` is filled in."""
    lq_rule: str | None = None
    """How LQ is made where only HR is given."""
    text: Place | None = None
    """Transcriptions inside the set's folder; see ``read_text_truth``."""
    instances: Place | None = None
    """COCO instances file."""
    labels: Place | None = None
    """Folder of label maps."""
    classes: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Names of the classes of label maps."""
    void: Annotated[tuple[int, ...], Field(strict=False)] = (VOID,)
    """Labels that are no class."""
    zero_is_void: bool = False
    """Label 0 is no class, and class n is stored as n + 1."""
    builder: str | None = None
    """``module:function`` of this package that makes the set; nothing to download."""
    sources: Annotated[tuple[Source, ...], Field(strict=False)] = ()
    """What ``data fetch`` gets."""
    terms: str = ""
    """What a user must agree to before."""
    get: str = ""
    """How to get it by hand."""
    overlaps: str = ""
    """Training sets that share images with it."""
    notes: str = ""


def data_root() -> Path:
    """Where sets are kept: ``ASASR_BENCH_DATA``, else the user's cache folder."""
    chosen = os.environ.get("ASASR_BENCH_DATA")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asasr-bench" / "data"


def card_ids() -> tuple[str, ...]:
    """Ids of all cards."""
    names = (entry.name for entry in _cards().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_card(id: str) -> DatasetCard:
    """The card of this id.

    Raises:
        DatasetError: no card has it.
    """
    if id not in card_ids():
        hint = suggestion(id, card_ids(), "asasr-bench list datasets")
        raise DatasetError(f"unknown dataset '{id}'{hint}; a folder is given as NAME=HR_DIR")
    return parse_card(_cards().joinpath(f"{id}.yaml").read_text(encoding="utf-8"), f"card '{id}'")


def parse_card(text: str, origin: str) -> DatasetCard:
    """A card from its YAML; ``origin`` names it in errors.

    Raises:
        DatasetError: not YAML, or a key or value that a card cannot have, such as a path that leads out of the set's
            folder.
    """
    try:
        return DatasetCard.model_validate(read_yaml(text, origin))
    except YamlError as error:
        raise DatasetError(str(error)) from None
    except ValidationError as error:
        raise DatasetError(f"{origin}: {'; '.join(map(_explain, error.errors()))}") from None


def _explain(problem: Any) -> str:
    key = ".".join(map(str, problem["loc"]))
    return f"'{key}': {problem['msg'].removeprefix('Value error, ')}" if key else str(problem["msg"])


def listed_files(id: str) -> list[tuple[str | None, str, str]]:
    """Digest (None: unknown), address below the source's, and place in the set, of each file in a card's list."""
    rows = [line.split() for line in _cards().joinpath(f"{id}.files").read_text(encoding="utf-8").splitlines()]
    return [(None if digest == "-" else digest, address, place) for digest, address, place in rows]


def open_dataset(id: str, *, scale: int, lq_rule: str | None = None, root: Path | None = None) -> Dataset:
    """The dataset of a card; built-in ones are made at first use.

    ``lq_rule`` replaces the card's where LQ is made from HR.

    Raises:
        DatasetMissingError: its files are not on disk; the message says how to get them.
        DatasetError: no such card, a scale it does not exist for, or files that do not fit together.
    """
    card = load_card(id)
    if card.scales and scale not in card.scales:
        raise DatasetError(f"dataset '{id}' exists for scale {', '.join(map(str, card.scales))}, not {scale}")
    folder = (root or data_root()) / id
    if card.builder is not None and not folder.is_dir():
        _build(card.builder, folder)
    hr = None if card.hr is None else folder / card.hr
    lq = None if card.lq is None else folder / card.lq.replace("{scale}", str(scale))
    for needed in (hr, lq):
        if needed is not None and not needed.is_dir():
            command = f"Get it with 'asasr-bench data fetch {id}'. " if card.sources else ""
            by_hand = f"{card.get.strip()} " if card.get else ""
            raise DatasetMissingError(
                f"dataset '{id}' is not here: no folder {needed}. {command}{by_hand}"
                f"Or give your copy as --dataset {id}={'HR_DIR' if card.hr else 'LQ_DIR,'}"
            )
    made = folder_dataset(id, hr=hr, lq=lq, scale=scale, lq_rule=None if lq else lq_rule or card.lq_rule)
    if len(made.samples) != card.count:
        raise DatasetError(f"dataset '{id}': {folder} has {len(made.samples)} images, its card says {card.count}")
    return _with_truth(replace(made, card=card), card, folder)


def _with_truth(dataset: Dataset, card: DatasetCard, folder: Path) -> Dataset:
    for kind in KINDS:
        place: str | None = getattr(card, kind)
        if place is not None:
            dataset = with_truth(
                dataset, kind, folder / place, classes=card.classes, void=card.void, zero_is_void=card.zero_is_void
            )
    return dataset


def _cards() -> Traversable:
    return files(__package__).joinpath("cards")


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
