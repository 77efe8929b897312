"""Dataset cards: what is known of a published set, where its files belong, and how to get them."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from .errors import DatasetError
from .ground_truth.kinds import VOID
from .names import did_you_mean, leaves_folder, name_problem
from .scales import Scale
from .strict import Strict, read_file, read_yaml, validated
from .user_folders import user_folder


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


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression ({error})") from None
    return text


Place = Annotated[str, AfterValidator(_inside)]
"""A path inside the set's own folder."""


class Source(Strict):
    """Where a set's files are: an archive, or the base address of a list of files."""

    url: Annotated[str, AfterValidator(_web_address)]
    list: bool = False
    """``url`` is the base of the files in ``ID.files`` beside the card, a line ``SHA256 ADDRESS PLACE`` for each; a
    SHA-256 of ``-``: unknown."""
    file: Place | None = None
    """Name of the archive where the address does not end in it."""
    sha256: str | None = None
    """None: nobody published it; the first download is noted and later ones must equal it."""
    unpack: dict[str, Place] = Field(default_factory=dict)
    """Folders of the archive, and the set's folders that take their images."""


class DatasetCard(Strict):
    """One published or built-in set of images."""

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
    scales: Annotated[tuple[Scale, ...], Field(strict=False)] = ()
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
    clusters: Annotated[str, AfterValidator(_expression)] | None = None
    """Where images are no independent samples, such as frames of one film: a regular expression, matched from the
    beginning of their names, whose first group (or all of it) names their cluster. '': all are one cluster."""
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
    _home: Path | None = PrivateAttr(None)

    @property
    def home(self) -> Path | None:
        """Folder of the card's file; None of a card of this package."""
        return self._home


def data_root() -> Path:
    """Where sets are kept: ``ASASR_BENCH_DATA``, else the user's cache folder."""
    return user_folder("data", "ASASR_BENCH_DATA")


def card_ids() -> tuple[str, ...]:
    """Ids of all cards."""
    names = (entry.name for entry in _cards().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def is_card_file(text: str) -> bool:
    """Whether a text names a card by its file."""
    return text.endswith((".yaml", ".yml"))


def load_card(id: str) -> DatasetCard:
    """The card of this id, or of this path: ``cards/Mine.yaml``.

    Raises:
        DatasetError: no card has it; or the file cannot be read, or describes a set that is shipped.
    """
    if is_card_file(id):
        return _card_of_file(Path(id))
    if id not in card_ids():
        hint = did_you_mean(id, card_ids(), "asasr-bench list datasets")
        raise DatasetError(f"unknown dataset '{id}'{hint}; a folder is given as NAME=HR_DIR")
    return parse_card(_cards().joinpath(f"{id}.yaml").read_text(encoding="utf-8"), f"card '{id}'")


def _card_of_file(path: Path) -> DatasetCard:
    """Somebody's card; its list of files is beside it."""
    card = parse_card(read_file(path, DatasetError), str(path))
    if card.id in card_ids():
        raise DatasetError(f"{path}: asasr-bench has a card '{card.id}' itself; give this one another id")
    if card.builder is not None:
        raise DatasetError(f"{path}: 'builder' is for sets of asasr-bench; give code as FILE.py:NAME instead of a card")
    card._home = path.absolute().parent
    return card


def parse_card(text: str, origin: str) -> DatasetCard:
    """A card from its YAML; ``origin`` names it in errors.

    Raises:
        DatasetError: not YAML, or a key or value that a card cannot have, such as a path that leads out of the set's
            folder.
    """
    return validated(DatasetCard, read_yaml(text, origin, DatasetError), origin, DatasetError)


def listed_files(id: str, home: Path | None = None) -> list[tuple[str | None, str, str]]:
    """Digest (None: unknown), address below the source's, and place in the set, of each file in a card's list.

    Args:
        id: the card's; the list is ``ID.files``.
        home: folder of a card that is not this package's.

    Raises:
        DatasetError: there is no such list, or it has other lines.
    """
    if home is None:
        text = _cards().joinpath(f"{id}.files").read_text(encoding="utf-8")
    else:
        text = read_file(home / f"{id}.files", DatasetError)
    rows = [line.split() for line in text.splitlines()]
    if any(len(row) != 3 for row in rows):
        raise DatasetError(f"{id}.files: each line is SHA256 (or -), address and place, with blanks between")
    return [(None if digest == "-" else digest, address, place) for digest, address, place in rows]


def _cards() -> Traversable:
    return files(__package__).joinpath("cards")
