"""Make a user study from a store: a blind page for raters, and a key that stays with the experimenter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.images import as_rgb, to_uint8, write_atomically
from ...datasets.scales import crop_problem, hr_unit, lq_unit, parse_scale
from ...reports.user_study.page import PageTrial, StudyPage, image_file, to_study_page
from ..analysis.leaderboard import methods_of
from ..publish.gallery import choose_lq
from ..store.store import Store, open_store
from .blur import Pixels, blurred, lost
from .design import StudyDesign
from .errors import StudyError
from .key import StudyKey, Trial, study_id
from .trials import Picture, drawn, pictures, questions_of

PAGE, KEY, IMAGES = "page.html", "key.json", "images"
_HEAVY = 80 << 20
"""Size of a page in bytes above which phones open it slowly."""


@dataclass(frozen=True)
class MadeStudy:
    """Files of a study that was made, and its size."""

    page: Path
    """Page for raters."""
    key: Path
    """Key for the experimenter alone."""
    trials: int
    per_rater: int
    """Number of trials that each rater answers, catch trials included."""
    images: int


@dataclass
class _Draft:
    """A study that is being made: images that are shown, under neutral names that are drawn at random."""

    store: Store
    design: StudyDesign
    scale: float
    rng: np.random.Generator
    shown: dict[str, Pixels] = field(default_factory=dict)
    """Pixels by neutral name."""
    names: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Neutral name by dataset, image and role: ``of METHOD``, ``lq`` or ``hr``."""
    corners: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def new_name(self) -> str:
        name = self.rng.bytes(6).hex()
        return name if name not in self.shown else self.new_name()

    def show(self, picture: Picture, role: str, pixels: Callable[[], Pixels]) -> str:
        """The neutral name of an image that is shown; an output of the same image always has the same name."""
        place = picture.dataset, picture.image, role
        if place not in self.names:
            name = self.new_name()
            self.names[place], self.shown[name] = name, pixels()
        return self.names[place]

    def part(self, picture: Picture, digest: str, *, of_lq: bool = False) -> Pixels:
        """The shown part of a stored image, RGB; of LQ the part that it was made from."""
        pixels = as_rgb(to_uint8(self.store.objects.get(digest)))
        if self.design.crop is None:
            return pixels
        unit = lq_unit(self.scale) if of_lq else hr_unit(self.scale)  # so that LQ and SR are the same to the pixel
        side = self.design.crop // hr_unit(self.scale) * unit
        height, width = pixels.shape[:2]
        if side > min(height, width):
            raise StudyError(
                f"{picture.dataset}/{picture.image}: is {width}x{height}, smaller than the shown part of {side}; set a"
                " smaller crop"
            )
        across, down = self.corners.setdefault((picture.dataset, picture.image), tuple(self.rng.random(2)))
        top, left = (
            int(share * ((size - side) // unit + 1)) * unit for share, size in ((down, height), (across, width))
        )
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])

    def lq(self, picture: Picture) -> Pixels:
        """The shown part of LQ, in colour if a method was given LQ in colour."""
        digest = picture.lq[0]
        if len(picture.lq) > 1:
            digest = choose_lq({digest: self.store.objects.get(digest) for digest in picture.lq})
        return self.part(picture, digest, of_lq=True)


def make_study(
    root: Path,
    out: Path,
    design: StudyDesign,
    *,
    methods: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    protocol: str | None = None,
    beside: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> MadeStudy:
    """Write ``page.html`` for raters and ``key.json`` for the experimenter.

    The same store and design give the same bytes.

    Args:
        root: folder of the store.
        out: folder for both files.
        design: design of the study.
        methods: names of the methods to judge; default: all methods except HR itself.
        datasets: names of the datasets whose images are shown; default: all.
        protocol: name of the protocol; needed if the store has several.
        beside: write images as files into ``images/`` beside the page instead of into the page.
        tell: called with a message for the experimenter, such as that the page is large.

    Raises:
        StudyError: the store lacks images for the design, or texts of the design name a method.
        StoreError: the folder is not a store.
    """
    if (out / KEY).exists():
        raise StudyError(f"{out / KEY}: a study was made here; votes need its key, so give another --out")
    with open_store(root) as store:
        outputs = store.outputs()
        scale, protocol = _place(outputs, protocol, root)
        outputs = outputs[(outputs["protocol"] == protocol) & (outputs["scale"] == scale)]
        outputs = outputs[outputs["dataset"].isin(list(datasets))] if datasets else outputs
        judged = _judged(store, outputs, methods, root)
        _refuse_names(design, judged)
        if design.crop is not None and (problem := crop_problem(design.crop, scale)):
            raise StudyError(problem)
        rng = np.random.default_rng(design.seed)
        images = drawn(pictures(outputs, judged, root), design, rng, root)
        if design.show == "hr" and any(picture.hr is None for picture in images):
            raise StudyError(f"{root}: the design shows HR, which these images have not; set show=lq or show=nothing")
        draft = _Draft(store, design, scale, rng)
        votes = list(_votes(draft, questions_of(images, judged, design, rng)))
        catch = list(_catch(draft, images, 2 if design.kind == "pairs" else len(judged)))
    trials = tuple(trial for trial, _ in (*votes, *catch))
    order = rng.permutation(len(trials))
    key = StudyKey(
        study=study_id(trials), design=design, protocol=protocol, scale=scale, methods=tuple(judged), trials=trials
    )
    per_rater = min(design.per_rater or len(votes), len(votes))
    places = {trial.id: number for number, trial in enumerate(trials)}
    groups = [
        (count, [page for _, page in sorted(part, key=lambda pair: order[places[pair[0].id]])])
        for count, part in ((per_rater, votes), (len(catch), catch))
        if part
    ]
    _write(out, key, draft, groups, beside, tell)
    return MadeStudy(out / PAGE, out / KEY, len(votes), per_rater + len(catch), len(images))


def _place(outputs: pd.DataFrame, protocol: str | None, root: Path) -> tuple[float, str]:
    places = outputs[["protocol", "scale"]].drop_duplicates()
    known = ", ".join(f"{name} x{scale}" for name, scale in places.itertuples(index=False, name=None)) or "no outputs"
    if protocol is not None:
        places = places[places["protocol"] == protocol]
    if len(places) != 1:
        raise StudyError(f"{root}: one protocol at one scale is judged, and it has {known}; use --protocol")
    return parse_scale(places["scale"].iloc[0]), str(places["protocol"].iloc[0])


def _judged(store: Store, outputs: pd.DataFrame, methods: Sequence[str] | None, root: Path) -> list[str]:
    table = methods_of(store, outputs)
    known = [str(name) for name in table["method"][table["family"] != "reference"]]
    for name in methods or ():
        if name not in known:
            raise StudyError(f"{root}: has no outputs of '{name}' (it has: {', '.join(known) or 'none'})")
    judged = list(dict.fromkeys(methods or known))
    if len(judged) < 2:
        raise StudyError(f"{root}: a study compares two methods or more (it has: {', '.join(known) or 'none'})")
    return judged


def _refuse_names(design: StudyDesign, methods: Sequence[str]) -> None:
    """Raise if a text of the design names a method, since raters must not know which methods they judge."""
    for key in ("title", "question", "instructions"):
        for name in methods:
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", getattr(design, key), re.IGNORECASE):
                raise StudyError(
                    f"the {key} of the design names '{name}', which raters must not know; say it otherwise"
                )


def _votes(draft: _Draft, questions: Sequence[tuple[Picture, tuple[str, ...]]]) -> Iterator[tuple[Trial, PageTrial]]:
    for picture, methods in questions:
        options = {
            draft.show(picture, f"of {name}", partial(draft.part, picture, picture.restored[name])): name
            for name in methods
        }
        sizes = {draft.shown[name].shape for name in options}
        if len(sizes) > 1:
            sizes_text = ", ".join(sorted(f"{width}x{height}" for height, width, _ in sizes))
            raise StudyError(f"{picture.dataset}/{picture.image}: outputs have different sizes ({sizes_text})")
        yield _trial(draft, picture, options, None)


def _trial(draft: _Draft, picture: Picture, options: dict[str, str], expected: str | None) -> tuple[Trial, PageTrial]:
    """A trial with its part of the page."""
    beside = None
    if draft.design.show == "lq":
        beside = draft.show(picture, "lq", partial(draft.lq, picture))
    elif draft.design.show == "hr" and picture.hr is not None:
        beside = draft.show(picture, "hr", partial(draft.part, picture, picture.hr))
    name = draft.rng.bytes(6).hex()
    height, width = draft.shown[next(iter(options))].shape[:2]
    trial = Trial(id=name, dataset=picture.dataset, image=picture.image, options=options, expected=expected)
    return trial, PageTrial(name, tuple(options), beside, width, height)


def _catch(draft: _Draft, images: Sequence[Picture], shown: int) -> Iterator[tuple[Trial, PageTrial]]:
    """Catch trials: HR (or the sharpest output) and blurred versions of it, on images that blurring changes most."""
    if not draft.design.catch:
        return
    clear = []
    for picture in images:
        digests = [*picture.restored.values()] if picture.hr is None else [picture.hr]
        clear.append((picture, max((draft.part(picture, digest) for digest in digests), key=lost)))
    clear.sort(key=lambda pair: -lost(pair[1]))
    for number in range(draft.design.catch):
        picture, pixels = clear[number % len(clear)]
        start = (number // len(clear)) * shown  # an image that is used again is blurred by other factors
        names = [draft.new_name()]
        draft.shown[names[0]] = pixels
        for version in range(shown - 1):
            names.append(draft.new_name())
            draft.shown[names[-1]] = blurred(pixels, start + version)
        order = [names[place] for place in draft.rng.permutation(len(names))]
        options = {name: "output" if name == names[0] else "blurred" for name in order}
        yield _trial(draft, picture, options, names[0])


def _write(
    out: Path,
    key: StudyKey,
    draft: _Draft,
    groups: list[tuple[int, list[PageTrial]]],
    beside: bool,
    tell: Callable[[str], None],
) -> None:
    used = {name for _, part in groups for trial in part for name in (*trial.options, trial.beside) if name}
    names = sorted(used)  # the order of drawing would reveal which images belong together
    files = {name: image_file(draft.shown[name]) for name in names}
    design = key.design
    page = StudyPage(key.study, design.title, design.question, design.instructions, design.tie, groups)
    text = to_study_page(page, files, folder=IMAGES if beside else None)
    out.mkdir(parents=True, exist_ok=True)
    if beside:
        for name, content in files.items():
            write_atomically(out / IMAGES / f"{name}.png", content)
    elif len(text) > _HEAVY:
        tell(
            f"the page has {len(text) >> 20} MiB, which phones open slowly: show parts (--set crop=256), fewer"
            " images (--set images=32), or keep images beside the page (--beside)"
        )
    write_atomically(out / PAGE, text.encode())
    write_atomically(out / KEY, (key.model_dump_json(indent=1) + "\n").encode())
