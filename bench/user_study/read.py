"""Read the votes of a study with its key, and compute and write its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.images import write_atomically
from ...reports.tables import csv_text
from ...reports.user_study.board import RatedMethod, RaterRow, StudyBoard
from ...reports.user_study.report import study_csv, study_html, study_markdown
from ..analysis.statistics import holm
from ..store.store import open_store
from .agreement import agreement
from .ballots import Ballots, Floats, Vote, ballots, estimate
from .bradley_terry import strengths
from .design import ExclusionRules
from .errors import VotesError
from .exclusion import kept_raters
from .key import StudyKey, read_key
from .metrics_and_votes import metric_rows
from .votes import Rater, read_votes


@dataclass(frozen=True)
class ReadStudy:
    """Results and votes of a study."""

    board: StudyBoard
    votes: tuple[Vote, ...]
    """Votes that count."""


def read_study(
    key_file: Path, files: Sequence[Path], *, store: Path | None = None, datasets: Sequence[str] | None = None
) -> ReadStudy:
    """Read the votes of a study and compute its results.

    Files that cannot be used are listed in ``board.problems``; the other files count.

    Args:
        key_file: ``key.json`` of the study.
        files: files of votes, or folders with such files.
        store: folder of the store from which the study was made, to compare its metrics with the votes; None: no
            comparison.
        datasets: names of the datasets whose images count; default: all.

    Raises:
        VotesError: the key is unusable, no votes count, or votes do not link all methods with each other.
        StoreError: the folder is not a store.
    """
    key = read_key(key_file)
    if unknown := set(datasets or ()) - {trial.dataset for trial in key.trials}:
        raise VotesError(f"{key_file}: has no trials of dataset '{min(unknown)}'")
    raters, problems = read_votes(list(_files(files)), key)
    counted_raters, excluded = kept_raters(raters, key.design.rules)

    def votes_of(raters: Sequence[Rater]) -> list[Vote]:
        return [vote for rater in raters for vote in rater.votes if datasets is None or vote.dataset in datasets]

    votes = votes_of(counted_raters)
    if not votes:
        left_out = [f"{rater.name} is left out: {', '.join(reasons)}" for rater, reasons in excluded]
        problems_text = "; ".join([*problems, *left_out])
        raise VotesError(f"{key_file}: no votes count ({problems_text or 'the files have none'})")
    board = _board(key, raters, excluded, votes, votes_of(raters), tuple(problems))
    if store is not None:
        with open_store(store) as opened:
            counted = ballots(votes, key.methods)
            values = {method.method: method.strength for method in board.methods}
            rows = metric_rows(opened, key, votes, counted, values)
        board = StudyBoard(**{**vars(board), "metrics": tuple(rows)})
    return ReadStudy(board, tuple(votes))


def write_study(read: ReadStudy, out: Path) -> list[Path]:
    """Write ``user-study.md``, ``user-study.html`` and CSV files, among them ``votes.csv`` with every vote."""
    board = read.board
    votes = pd.DataFrame(
        [
            {
                "rater": vote.rater,
                "dataset": vote.dataset,
                "image": vote.image,
                "shown": " | ".join(vote.shown),
                "choice": vote.choice or "",
                "seconds": vote.seconds,
            }
            for vote in read.votes
        ]
    )
    texts = {
        "user-study.md": study_markdown(board),
        "user-study.html": study_html(board),
        **study_csv(board),
        "votes.csv": csv_text(votes),
    }
    for name, text in texts.items():
        write_atomically(out / name, text.encode())
    return [out / name for name in texts]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.json"))
            if not inside:
                raise VotesError(f"{path}: has no .json files; give the files that raters sent")
            yield from inside
        else:
            yield path


def _board(
    key: StudyKey,
    raters: Sequence[Rater],
    left_out: Sequence[tuple[Rater, tuple[str, ...]]],
    votes: list[Vote],
    everyone: list[Vote],
    problems: tuple[str, ...],
) -> StudyBoard:
    counted = ballots(votes, key.methods)
    size = len(key.methods)

    def fitted(sums: Floats) -> Floats:
        strength_values = strengths(sums.reshape(*sums.shape[:-1], size, size))
        return np.concatenate(
            [
                strength_values,
                (strength_values[..., :, None] - strength_values[..., None, :]).reshape(
                    *strength_values.shape[:-1], -1
                ),
            ],
            -1,
        )

    def shares(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            part: Floats = sums[..., :size] / sums[..., size:]
        return part

    strength = estimate(counted, counted.wins.reshape(len(votes), -1), fitted)
    if np.isnan(strength.value).any():
        raise VotesError("the votes do not link all methods: some were never compared with the others; get more votes")
    share = estimate(counted, np.hstack([counted.chosen, counted.shown]), shares)
    order = np.argsort(-strength.value[:size], kind="stable")
    p = strength.p[size:].reshape(size, size)
    above = np.triu_indices(size, 1)
    adjusted = np.full((size, size), np.nan)
    adjusted[above] = holm(p[above])
    adjusted = np.fmax(adjusted, adjusted.T)
    with_all = strengths(ballots(everyone, key.methods).wins.sum(0))
    methods = tuple(
        RatedMethod(
            key.methods[at],
            share=float(share.value[at]),
            share_low=float(np.maximum(0, share.low[at])),
            share_high=float(np.minimum(1, share.high[at])),
            strength=float(strength.value[at]),
            low=float(strength.low[at]),
            high=float(strength.high[at]),
            p_next=float(adjusted[at, order[place + 1]]) if place + 1 < size else float("nan"),
            all_raters=float(with_all[at]),
        )
        for place, at in enumerate(order)
    )
    alpha, low, high = agreement(votes)
    reasons = {id(rater): reason for rater, reason in left_out}
    return StudyBoard(
        title=key.design.title,
        question=key.design.question,
        kind=key.design.kind,
        protocol=key.protocol,
        votes=len(votes),
        images=counted.images,
        ties=sum(vote.choice is None for vote in votes),
        methods=methods,
        wins=counted.wins.sum(0)[np.ix_(order, order)],
        raters=tuple(_row(rater, reasons.get(id(rater), ())) for rater in raters),
        rules=tuple(_rules(key.design.rules)),
        alpha=alpha,
        alpha_low=low,
        alpha_high=high,
        metrics=(),
        problems=problems,
        notes=tuple(_notes(counted)),
    )


def _row(rater: Rater, reasons: tuple[str, ...]) -> RaterRow:
    median = float(np.median(rater.seconds)) if rater.seconds else float("nan")
    return RaterRow(rater.name, len(rater.seconds), rater.catch_failed, rater.catch, median, rater.complete, reasons)


def _rules(rules: ExclusionRules) -> Iterator[str]:
    yield (
        f"A rater is left out with fewer than {rules.fewest_answers} answers, more than"
        f" {100 * rules.most_catch_failed:g} % of the catch trials failed, a median answer faster than"
        f" {rules.fastest_median:g} s, or more than {100 * rules.most_one_place:g} % of the answers for one place."
    )
    yield "These rules are in the key, which was written before the votes."


def _notes(counted: Ballots) -> Iterator[str]:
    if min(counted.raters, counted.images) < 5:
        yield "Intervals need five raters and five images."
