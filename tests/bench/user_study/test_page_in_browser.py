"""The blind page in a real browser, from making to report: answers, stopping and going on, zoom, phones, two raters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from asasr_bench.bench.user_study.design import load_design
from asasr_bench.bench.user_study.key import StudyKey, read_key
from asasr_bench.bench.user_study.make import make_study
from asasr_bench.bench.user_study.read import read_study, write_study

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

RANKS = {"net-2": 0, "net-4": 1, "bicubic": 2, "output": 0, "blurred": 1}
PAUSE = 300
"""Milliseconds: an answer within 250 of the last is a key that was held down."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("study")
    make_store(root / "s", images=6)
    rules = {"fastest_median": 0.1, "fewest_answers": 5, "most_one_place": 1.0}  # of 9 answers chance may give 8
    design = {"per_rater": 6, "catch": 3, "tie": True, "rules": rules, "show": "lq"}
    make_study(root / "s", root / "study", load_design("pairs", design))
    return root / "study"


@pytest.fixture
def key(study: Path) -> StudyKey:
    return read_key(study / "key.json")


def opened(browser: playwright.Browser, study: Path, errors: list[str], phone: bool = False) -> playwright.Page:
    """The page for somebody new; console errors and requests of other addresses are noted."""
    size = {"width": 390, "height": 800} if phone else {"width": 1280, "height": 800}
    tab = browser.new_context(viewport=size, has_touch=phone, accept_downloads=True).new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
    tab.goto((study / "page.html").as_uri())
    return tab


def asked(tab: playwright.Page) -> tuple[str, list[str]]:
    """The trial on the screen and its versions, once they can be chosen."""
    tab.wait_for_selector(".choose:not([disabled])")
    tab.wait_for_timeout(PAUSE)
    trial, shown = tab.evaluate("[order[place].id, shown]")
    return str(trial), list(shown)


def answer_all(tab: playwright.Page, key: StudyKey, most: int = 100) -> dict[str, str]:
    """Answer as the key says, by buttons and keys in turn, until the end or so many; the choice of each trial."""
    options = {trial.id: trial.options for trial in key.trials}
    given: dict[str, str] = {}
    while len(given) < most and tab.locator("#ask").is_visible():
        trial, shown = asked(tab)
        best = min(shown, key=lambda name: RANKS[options[trial][name]])
        if len(given) % 2:
            tab.keyboard.press(str(shown.index(best) + 1))
        else:
            tab.locator(".choose").nth(shown.index(best)).click()
        given[trial] = best
    return given


def saved(tab: playwright.Page, folder: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Save the file").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_from_making_to_report(browser: playwright.Browser, study: Path, key: StudyKey, tmp_path: Path) -> None:
    """A rater stops, closes the page, goes on, and sends the file; the report has just these votes."""
    errors: list[str] = []
    tab = opened(browser, study, errors)
    assert "9 questions" in tab.locator("#start").inner_text()
    tab.get_by_label("Your code").fill("R-17")
    tab.get_by_role("button", name="Start").click()
    given = answer_all(tab, key, most=4)
    tab.get_by_role("button", name="Stop").click()
    assert "4 of 9 questions" in tab.locator("#summary").inner_text()
    part = saved(tab, tmp_path)
    tab.reload()
    tab.get_by_role("button", name="Go on", exact=True).click()
    given |= answer_all(tab, key)
    assert "9 of 9 questions" in tab.locator("#summary").inner_text()
    whole = saved(tab, tmp_path / "whole")
    assert len(json.loads(part.read_text())["answers"]) == 4
    file = json.loads(whole.read_text())
    assert (file["complete"], file["trials"], file["code"]) == (True, 9, "R-17")
    assert {one["trial"]: one["choice"] for one in file["answers"]} == given
    assert all(PAUSE <= one["ms"] < 60_000 for one in file["answers"])

    read = read_study(study / "key.json", [part, whole], store=study.parent / "s")
    (rater,) = read.board.raters
    assert (rater.name, rater.answers, rater.catch_failed, rater.catch, rater.left_out) == ("R-17", 9, 0, 3, ())
    assert (read.board.votes, len(read.board.problems)) == (6, 1)
    assert all(RANKS[str(vote.choice)] == min(RANKS[name] for name in vote.methods) for vote in read.votes)
    write_study(read, tmp_path / "report")
    tab.goto((tmp_path / "report" / "user-study.html").as_uri())
    assert tab.locator("tbody th").first.inner_text() == read.board.methods[0].method
    assert tab.locator("svg circle").count() == 3
    assert errors == []


def test_each_rater_has_another_order_and_other_sides(browser: playwright.Browser, study: Path, key: StudyKey) -> None:
    errors: list[str] = []
    plans = []
    for _ in range(4):
        tab = opened(browser, study, errors)
        tab.get_by_role("button", name="Start").click()
        plans.append({one["id"]: one["options"] for one in tab.evaluate("order")})
    catch = {trial.id for trial in key.trials if trial.expected is not None}
    assert all(len(plan) == 9 and catch <= set(plan) for plan in plans)
    assert len({tuple(plan) for plan in plans}) == 4
    assert len({frozenset(plan) for plan in plans}) > 1  # the trials themselves are drawn anew
    sides = [[plan[trial][0] for plan in plans] for trial in catch]
    assert any(len(set(names)) > 1 for names in sides)
    assert errors == []


def test_a_phone_shows_all_versions_zooms_them_together_and_goes_back(
    browser: playwright.Browser, study: Path, key: StudyKey, tmp_path: Path
) -> None:
    errors: list[str] = []
    tab = opened(browser, study, errors, phone=True)
    tab.get_by_role("button", name="Start").tap()
    first, shown = asked(tab)
    assert tab.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
    )
    boxes = [tab.locator(".view").nth(number).bounding_box() for number in range(3)]  # with the picture beside them
    assert all(box and box["x"] >= 0 and box["y"] + box["height"] <= 800 and box["width"] > 100 for box in boxes)
    tab.locator(".view").first.dblclick(position={"x": 20, "y": 20})
    assert tab.locator("#scale").inner_text() == "4×"
    styles = [tab.locator(".view img").nth(number).get_attribute("style") for number in range(3)]
    assert styles[0] == styles[1] == styles[2]
    assert "scale(4)" in str(styles[0])
    tab.get_by_role("button", name="No difference").tap()
    second, _ = asked(tab)
    assert second != first
    assert tab.locator("#scale").inner_text() == "1×"
    tab.get_by_role("button", name="Back").tap()
    assert asked(tab) == (first, shown)
    tab.locator(".choose").nth(1).tap()
    assert asked(tab)[0] == second
    tab.get_by_role("button", name="Stop").tap()
    tab.get_by_role("button", name="Copy instead").tap()
    file = json.loads(tab.locator("#text").input_value())
    assert [(one["trial"], one["choice"]) for one in file["answers"]] == [(first, shown[1])]

    elsewhere = opened(browser, study, errors)  # another device, which knows nothing of the first
    (tmp_path / "mine.json").write_text(json.dumps(file))
    (tmp_path / "foreign.json").write_text(json.dumps({**file, "study": "0"}))
    elsewhere.locator("#open").set_input_files(tmp_path / "foreign.json")
    elsewhere.get_by_text("it is of another study").wait_for()
    elsewhere.locator("#open").set_input_files(tmp_path / "mine.json")
    assert asked(elsewhere)[0] == second
    assert errors == []


def test_time_in_which_the_page_is_hidden_and_held_keys_do_not_count(browser: playwright.Browser, study: Path) -> None:
    errors: list[str] = []
    tab = opened(browser, study, errors)
    tab.get_by_role("button", name="Start").click()
    trial, shown = asked(tab)
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange'))"
    )
    tab.evaluate(hide % "true")
    tab.wait_for_timeout(1500)
    tab.evaluate(hide % "false")
    tab.keyboard.press("1")
    tab.wait_for_selector(".choose:not([disabled])")
    tab.keyboard.press("1")  # at once: a key held down
    assert tab.evaluate("Object.keys(state.answers).length") == 1
    assert tab.evaluate(f"state.answers['{trial}'].ms") < 1400
    assert tab.evaluate(f"state.answers['{trial}'].choice") == shown[0]
    assert errors == []
