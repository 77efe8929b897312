"""From a store to votes to a report: what raters see, who is left out, which files are refused, what is told."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.store.store import open_store
from asasr_bench.bench.user_study.design import StudyDesign, load_design, shipped_designs
from asasr_bench.bench.user_study.errors import StudyError, VotesError
from asasr_bench.bench.user_study.key import StudyKey, read_key
from asasr_bench.bench.user_study.make import make_study
from asasr_bench.bench.user_study.read import read_study, write_study
from asasr_bench.bench.user_study.trials import Picture, questions_of
from simulated_raters import vote_file

METHODS = ("bicubic", "net-2", "net-4")
PLANTED = {"bicubic": -0.8, "net-2": 0.9, "net-4": -0.1}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Path]) -> Path:
    return make_store(tmp_path_factory.mktemp("study") / "s", images=8)


@pytest.fixture(scope="module")
def study(root: Path) -> Path:
    """A study of pairs."""
    make_study(root, root.parent / "study", load_design("pairs", {"per_rater": 20}))
    return root.parent / "study"


def key_of(study: Path) -> StudyKey:
    return read_key(study / "key.json")


def answered(study: Path, folder: Path, raters: int = 12, **careless: dict[str, Any]) -> Path:
    """A folder of votes: so many raters who look, and others by name."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    key = key_of(study)
    for name, how in {**{f"good{number}": {} for number in range(raters)}, **careless}.items():
        (folder / f"{name}.json").write_text(json.dumps(vote_file(key, name, PLANTED, rng=rng, **how)))
    return folder


def test_the_page_names_no_method_image_or_dataset(study: Path) -> None:
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", (study / "page.html").read_text())
    for name in (*METHODS, "image0", "image7", "asasr", "psnr", "blurred", '"D"'):
        assert name not in text, name
    key = key_of(study)
    page = json.loads(re.search(r'id="data">(.*?)</script>', (study / "page.html").read_text(), re.DOTALL)[1])  # type: ignore[index]
    assert {trial["id"] for group in page["groups"] for trial in group["trials"]} == {trial.id for trial in key.trials}
    assert [group["draw"] for group in page["groups"]] == [20, 8]
    shown = {name for trial in key.trials for name in trial.options}
    assert set(page["images"]) == shown
    assert list(page["images"]) == sorted(shown)  # no order that would tell what belongs together


def test_neutral_names_are_of_one_image_alone_and_places_are_balanced(study: Path) -> None:
    votes = [trial for trial in key_of(study).trials if trial.expected is None]
    owners: dict[str, set[tuple[str, str]]] = {}
    for trial in votes:
        for name, method in trial.options.items():
            owners.setdefault(name, set()).add((trial.image, method))
    assert all(len(places) == 1 for places in owners.values())
    assert len(votes) == 8 * 3
    first = Counter(next(iter(trial.options.values())) for trial in votes)
    assert max(first.values()) < 16


def test_equal_stores_give_equal_pages_and_a_folder_keeps_its_key(root: Path, study: Path, tmp_path: Path) -> None:
    design = load_design("pairs", {"per_rater": 20})
    make_study(root, tmp_path / "again", design)
    for name in ("page.html", "key.json"):
        assert (tmp_path / "again" / name).read_bytes() == (study / name).read_bytes()
    with pytest.raises(StudyError, match="a study was made here"):
        make_study(root, tmp_path / "again", design)
    make_study(root, tmp_path / "other", load_design("pairs", {"per_rater": 20, "seed": 1}))
    assert key_of(tmp_path / "other").study != key_of(study).study


def test_fewer_trials_are_balanced_over_pairs_and_images() -> None:
    design = StudyDesign(name="d", kind="pairs", trials=40)
    images = [Picture("D", str(number), ("lq",), None, {}) for number in range(10)]
    result = questions_of(images, "ABCDE", design, np.random.default_rng(0))
    pairs = Counter(tuple(sorted(methods)) for _, methods in result)
    assert set(pairs) == set(combinations("ABCDE", 2))
    assert max(pairs.values()) - min(pairs.values()) <= 1
    assert set(Counter(picture.image for picture, _ in result).values()) == {4}
    assert len({(picture.image, *sorted(methods)) for picture, methods in result}) == 40


def test_the_papers_study_is_a_design_and_crops_are_the_same_part(root: Path, tmp_path: Path) -> None:
    paper = load_design("asasr-top1")
    assert (paper.kind, paper.images, paper.raters, paper.per_rater) == ("best-of", 64, 50, None)
    assert {"asasr-top1", "best-of", "pairs"} <= set(shipped_designs())
    made = make_study(
        root, tmp_path / "s", load_design("asasr-top1", {"images": 5, "crop": 16, "catch": 3}), beside=True
    )
    assert (made.trials, made.per_rater, made.images) == (5, 8, 5)
    from asasr_bench.datasets.images import read_image

    key = key_of(tmp_path / "s")
    page = json.loads(re.search(r'id="data">(.*?)</script>', made.page.read_text(), re.DOTALL)[1])  # type: ignore[index]
    trials = {one["id"]: one for group in page["groups"] for one in group["trials"]}
    with open_store(root) as store:
        outputs = store.outputs().set_index(["image", "method"])
        for trial in key.trials:
            assert len(trial.options) == 3
            beside = read_image(tmp_path / "s" / page["images"][trials[trial.id]["beside"]])
            assert beside.shape == (4, 4, 3)
            if trial.expected is not None:
                continue
            for name, method in trial.options.items():
                part = read_image(tmp_path / "s" / page["images"][name])
                row = outputs.loc[(trial.image, method)]
                whole, lq = store.objects.get(row["sr"]), store.objects.get(row["lq"])
                places = [
                    (y, x)
                    for y in range(0, 33, 4)
                    for x in range(0, 33, 4)
                    if np.array_equal(whole[y : y + 16, x : x + 16], part)
                ]
                assert len(places) == 1
                y, x = places[0]
                np.testing.assert_array_equal(lq[y // 4 : y // 4 + 4, x // 4 : x // 4 + 4], beside)


@pytest.mark.parametrize(
    ("overrides", "arguments", "told"),
    [
        ({"question": "Is Net-2 better?"}, {}, "names 'net-2'"),
        ({"images": 9}, {}, "asks for 9"),
        ({"crop": 64}, {}, "smaller than"),
        ({"crop": 18}, {}, "no multiple"),
        ({}, {"methods": ["nobody"]}, "has no outputs of 'nobody'"),
        ({}, {"methods": ["bicubic"]}, "two methods or more"),
        ({}, {"protocol": "classic-x4"}, "one protocol"),
        ({}, {"datasets": ["E"]}, "two methods or more"),
    ],
)
def test_what_a_store_does_not_have_is_refused(
    root: Path, tmp_path: Path, overrides: dict[str, Any], arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(StudyError, match=told):
        make_study(root, tmp_path / "s", load_design("pairs", overrides), **arguments)
    assert not (tmp_path / "s").exists()


def test_unknown_designs_and_keys_are_refused() -> None:
    with pytest.raises(StudyError, match="did you mean 'pairs'"):
        load_design("pair")
    with pytest.raises(StudyError, match="did you mean 'images'"):
        load_design("pairs", {"image": 3})


def test_votes_give_the_planted_order_and_careless_raters_are_left_out(study: Path, root: Path, tmp_path: Path) -> None:
    files = answered(
        study,
        tmp_path / "votes",
        guesses={"lapse": 1.0},
        hurries={"median": 0.3},
        left={"place": 0},
    )
    board = read_study(study / "key.json", [files], store=root).board
    assert board.problems == ()
    assert [method.method for method in board.methods] == ["net-2", "net-4", "bicubic"]
    assert board.methods[0].low > 0 > board.methods[2].high
    assert board.methods[0].p_next < 0.05
    why = {rater.name[:5]: " ".join(rater.left_out) for rater in board.raters if rater.left_out}
    assert set(why) == {"guess", "hurri", "left"} or set(why) == {"guess", "hurri", "left "}
    assert "catch trials" in why["guess"]
    assert "less than 1 s" in why["hurri"]
    assert "place 1" in why[max(why, key=lambda name: name.startswith("left"))]
    assert board.votes == 12 * 20
    assert board.wins.sum() == board.votes
    assert 0 < board.alpha < 1
    assert board.alpha_low <= board.alpha <= board.alpha_high
    assert abs(board.methods[0].all_raters) < abs(board.methods[0].strength)
    shares = [method.share for method in board.methods]
    assert shares == sorted(shares, reverse=True)


def test_raters_with_names_that_begin_alike_are_judged_one_by_one(study: Path, tmp_path: Path) -> None:
    files = answered(study, tmp_path / "votes", raters=6, good0a={"lapse": 1.0, "median": 0.2})
    board = read_study(study / "key.json", [files]).board
    assert [rater.name for rater in board.raters if rater.left_out] == ["good0a"]
    assert board.votes == 6 * 20


def test_metrics_are_compared_with_the_votes(study: Path, root: Path, tmp_path: Path) -> None:
    """Against a count by hand: the share of votes whose chosen output has the better value."""
    read = read_study(study / "key.json", [answered(study, tmp_path / "votes")], store=root)
    with open_store(root) as store:
        scores = store.scores().set_index(["metric", "image", "method"])["value"]
    rows = {metric.metric: metric for metric in read.board.metrics}
    assert set(rows) == {"psnr_y", "ssim_y", "lsd", "hf_ratio"}
    for metric, better in (("psnr_y", 1), ("lsd", -1)):
        right = []
        for vote in read.votes:
            (other,) = set(vote.methods) - {vote.choice}
            chosen, lost = (scores[metric, vote.image, name] for name in (vote.choice, other))
            right.append(better * chosen > better * lost)
        assert rows[metric].predicted == pytest.approx(np.mean(right))
        assert rows[metric].low < rows[metric].predicted < rows[metric].high
    means = {name: scores["psnr_y"].xs(name, level="method").mean() for name in METHODS}
    assert sorted(means, key=means.get, reverse=True) == ["bicubic", "net-2", "net-4"]  # each blurs more
    assert rows["psnr_y"].srcc == pytest.approx(-0.5)  # ranks 3, 1, 2 of the votes against 1, 2, 3
    assert rows["psnr_y"].kendall == pytest.approx(-1 / 3)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "list": (lambda file: [file], "no file of votes"),
    "foreign": (lambda file: {"format": "something else"}, "no file of votes"),
    "study": (lambda file: {**file, "study": "0" * 16}, "another study"),
    "version": (lambda file: {**file, "version": 2}, "version"),
    "key": (lambda file: {**file, "mark": 1}, "mark"),
    "rater": (lambda file: {**file, "rater": "\x1b[2J"}, "cannot be printed"),
    "trial": (
        lambda file: {**file, "answers": [{**file["answers"][0], "trial": "no"}]},
        "trial that the study has not",
    ),
    "twice": (lambda file: {**file, "answers": file["answers"][:1] * 2}, "trial twice"),
    "images": (
        lambda file: {**file, "answers": [{**file["answers"][0], "shown": ["a", "b"]}]},
        "images that the trial",
    ),
    "choice": (lambda file: {**file, "answers": [{**file["answers"][0], "choice": "a"}]}, "was not shown"),
    "none": (lambda file: {**file, "answers": [{**file["answers"][0], "choice": None}]}, "without a choice"),
    "time": (lambda file: {**file, "answers": [{**file["answers"][0], "ms": -1}]}, "ms"),
    "text": (lambda file: {**file, "answers": "all"}, "answers"),
}


def test_files_that_cannot_be_used_get_a_line_each_and_the_others_count(study: Path, tmp_path: Path) -> None:
    files = answered(study, tmp_path / "votes", raters=6)
    good = json.loads((files / "good0.json").read_text())
    for name, (change, _) in WRONG.items():
        (files / f"wrong-{name}.json").write_text(json.dumps(change(good)))
    (files / "wrong-cut.json").write_text(json.dumps(good)[:100])
    (files / "wrong-bytes.json").write_bytes(b"\xff\xfe\x00")
    (files / "wrong-deep.json").write_text("[" * 100_000)
    board = read_study(study / "key.json", [files, files / "absent.json"]).board
    assert board.votes == 6 * 20
    message = {line.split(": ")[0].rpartition("/")[2]: line for line in board.problems}
    assert len(board.problems) == len(message) == len(WRONG) + 4
    for name, (_, cause) in WRONG.items():
        assert cause in message[f"wrong-{name}.json"]
    assert "no JSON" in message["wrong-cut.json"]
    assert "cannot be read" in message["absent.json"]
    assert all("\n" not in line for line in board.problems)


def test_of_two_files_of_a_rater_the_longer_counts(study: Path, tmp_path: Path) -> None:
    files = answered(study, tmp_path / "votes", raters=5)
    whole = json.loads((files / "good0.json").read_text())
    (files / "a-part.json").write_text(json.dumps({**whole, "answers": whole["answers"][:12], "complete": False}))
    board = read_study(study / "key.json", [files]).board
    assert board.votes == 5 * 20
    (line,) = board.problems
    assert line.startswith(str(files / "a-part.json"))


def test_keys_are_checked(study: Path, tmp_path: Path) -> None:
    files = [answered(study, tmp_path / "votes", raters=1)]
    key = json.loads((study / "key.json").read_text())
    (trial, *_) = (one for one in key["trials"] if one["expected"] is None)
    trial["options"] = dict(zip(trial["options"], reversed(trial["options"].values()), strict=True))
    (tmp_path / "swapped.json").write_text(json.dumps(key))
    with pytest.raises(VotesError, match="not those that it was made with"):
        read_study(tmp_path / "swapped.json", files)
    with pytest.raises(VotesError, match="is no key"):
        read_study(next(files[0].glob("*.json")), files)
    with pytest.raises(VotesError, match="no trials of dataset 'E'"):
        read_study(study / "key.json", files, datasets=["E"])
    with pytest.raises(VotesError, match="no votes count"):
        read_study(study / "key.json", [answered(study, tmp_path / "hurried", raters=0, one={"median": 0.1})])
    (tmp_path / "empty").mkdir()
    with pytest.raises(VotesError, match=r"no \.json files"):
        read_study(study / "key.json", [tmp_path / "empty"])


def test_the_commands_from_store_to_report(root: Path, tmp_path: Path, session) -> None:
    result = session("user-study", "make", root, "--out", "s", "--set", "per_rater=20", "--set", "catch=6")
    assert (result.status, "each rater answers 26" in result.out) == (0, True)
    files = answered(tmp_path / "s", tmp_path / "votes", raters=6, left={"place": 1})
    result = session("user-study", "read", "s/key.json", files, "--store", root, "--out", "report")
    assert result.status == 0
    assert "net-2" in result.out
    assert "answers were place 2" in result.out
    html, text = (tmp_path / "report" / f"user-study.{kind}" for kind in ("html", "md"))
    for name in METHODS:
        assert name in html.read_text()
        assert name in text.read_text()
    assert "PSNR-Y" in text.read_text()
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        "user-study.md",
        "user-study.html",
        "methods.csv",
        "wins.csv",
        "metrics.csv",
        "raters.csv",
        "votes.csv",
    }
    assert len((tmp_path / "report" / "votes.csv").read_text().splitlines()) == 6 * 20 + 1
    (files / "bad.json").write_text("{}")
    result = session("user-study", "read", "s/key.json", files)
    assert (result.status, result.err.count("\n")) == (3, 1)
    assert session("user-study", "make", root, "--out", "t", "--design", "pair").status == 2


def test_names_of_methods_cannot_break_the_report(make_store: Callable[..., Path], tmp_path: Path) -> None:
    hostile = ("<script>alert(1)</script>", "a|b*c", "=1+1")
    make_study(make_store(tmp_path / "s", images=5, methods=hostile), tmp_path / "study", load_design("pairs"))
    rng = np.random.default_rng(0)
    strengths = dict.fromkeys(hostile, 0.0)
    for number in range(5):
        file = vote_file(key_of(tmp_path / "study"), f"r{number}", strengths, rng=rng)
        (tmp_path / f"votes{number}.json").write_text(json.dumps(file))
    read = read_study(tmp_path / "study" / "key.json", sorted(tmp_path.glob("votes*.json")))
    write_study(read, tmp_path / "out")
    assert "<script>" not in (tmp_path / "out" / "user-study.html").read_text()
    assert "&lt;script>" in (tmp_path / "out" / "user-study.md").read_text()
    assert "'=1+1" in (tmp_path / "out" / "methods.csv").read_text()
