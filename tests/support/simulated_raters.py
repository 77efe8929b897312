"""People who do not exist: votes by planted strengths, with rates of error of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from asasr_bench.bench.user_study.ballots import Ballots, Vote, ballots
from asasr_bench.bench.user_study.key import StudyKey


def simulated(
    strengths: np.ndarray, *, raters: int, images: int, votes: int, rater_spread: float = 0.0,
    image_spread: float = 0.0, shown: int = 2, seed: int = 0,
) -> Ballots:  # fmt: skip
    """Votes of raters who choose by Luce's rule, with tastes and images that favour methods by chance.

    Args:
        strengths: of the methods, in log-odds.
        raters, images: how many.
        votes: of each rater.
        rater_spread, image_spread: standard deviation of what a rater, or an image, adds to each method.
        shown: methods in each trial.
        seed: of all chance.
    """
    rng, size = np.random.default_rng(seed), len(strengths)
    tastes, favours = rng.normal(0, rater_spread, (raters, size)), rng.normal(0, image_spread, (images, size))
    names = [f"m{number}" for number in range(size)]
    cast = []
    for rater in range(raters):
        for image in np.resize(rng.permutation(images), votes):
            options = rng.permutation(size)[:shown]
            liking = strengths[options] + tastes[rater, options] + favours[image, options] + rng.gumbel(size=shown)
            methods = tuple(names[option] for option in options)
            choice = methods[int(liking.argmax())]
            cast.append(Vote(str(rater), f"{image}-{sorted(methods)}", "D", str(image), methods, methods, choice, 3.0))
    return ballots(cast, names)


def vote_file(
    key: StudyKey, rater: str, strengths: Mapping[str, float], *, rng: np.random.Generator, lapse: float = 0.02,
    median: float = 4.0, place: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the page saves for a rater.

    Args:
        key: of the study.
        rater: random name.
        strengths: by method; catch trials are answered rightly but for lapses.
        rng: of all chance.
        lapse: share of answers by chance.
        median: seconds.
        place: the place on the screen that is always chosen; None: the rater looks.
    """
    votes = [trial for trial in key.trials if trial.expected is None]
    drawn = [votes[number] for number in rng.permutation(len(votes))[: key.design.per_rater]]
    answers = []
    for trial in (*drawn, *(trial for trial in key.trials if trial.expected is not None)):
        shown = [list(trial.options)[number] for number in rng.permutation(len(trial.options))]
        if place is not None:
            choice = shown[place]
        elif rng.random() < lapse:
            choice = shown[rng.integers(len(shown))]
        elif trial.expected is not None:
            choice = trial.expected
        else:
            choice = max(shown, key=lambda name: strengths[trial.options[name]] + rng.gumbel())
        time = float(1000 * median * np.exp(rng.normal(0, 0.4)))
        answers.append({"trial": trial.id, "shown": shown, "choice": choice, "ms": time, "zoom": 1})
    return {"format": "user study votes", "version": 1, "study": key.study, "rater": rater, "code": "",
            "started": "2026-05-01T10:00:00Z", "saved": "2026-05-01T10:10:00Z", "complete": True,
            "trials": len(answers), "screen": {"width": 390, "height": 800}, "answers": answers}  # fmt: skip
