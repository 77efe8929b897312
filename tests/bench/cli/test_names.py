"""``list``, ``show``, ``doctor``, ``score`` and JSON: whatever has a name is told, and what has none gets near ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import create_metric, list_methods, list_metrics
from asasr_bench.bench.cli.options.named import all_names
from asasr_bench.datasets.images import write_png


def told(session: Any, *arguments: object) -> Any:
    answer = session(*arguments)
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


@pytest.mark.parametrize(
    "what",
    [
        "methods",
        "metrics",
        "datasets",
        "figures",
        "protocols",
        "degradations",
        "published",
        "specs",
        "studies",
        "engines",
        "configurations",
    ],
)
def test_every_list_is_json_too(session: Any, what: str) -> None:
    content = told(session, "list", what, "--json")
    rows = content["metrics"] if what == "metrics" else content
    assert rows
    assert len({frozenset(row) for row in rows}) == 1
    names = [next(iter(row.values())) for row in rows]
    assert names[0] in session("list", what).out


def test_methods_say_whether_they_are_ready(session: Any) -> None:
    states = {row["method"]: row["state"] for row in told(session, "list", "methods", "--json")}
    assert states["bicubic"] == "ready"
    assert [name for name, state in states.items() if state == "ready"] == [
        name for name in states if name in list_methods(ready=True)
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("psnr_y", "metric"),
        ("Set5", "dataset"),
        ("bicubic", "method"),
        ("rapidocr", "engine"),
        ("camvid", "engine"),
        ("seesr-x4", "degradation"),
        ("ssr-amg", "study"),
        ("small", "configuration"),
        ("crops", "figure"),
        ("lpips-alex", "weights"),
        ("osediff-table-1", "published"),
        ("classic-x3", "protocol"),
        ("demo", "spec"),
        ("miou:camvid", "metric"),
    ],
)
def test_everything_that_has_a_name_is_shown(session: Any, name: str, kind: str) -> None:
    facts = told(session, "show", name, "--json")
    assert kind in facts
    assert facts[kind]
    assert kind in session("show", name).out


def test_parts_of_a_configuration_are_named_as_options_name_them(session: Any) -> None:
    assert "prior.steps" in session("show", "small").out


@pytest.mark.parametrize(
    ("name", "near"),
    [("psnr_yy", "'psnr_y'"), ("Set6", "'Set5'"), ("rapidocrr", "'rapidocr'"), ("seesr-x5", "'seesr-x4'")],
)
def test_a_name_that_nothing_has_gets_three_near_ones(session: Any, name: str, near: str) -> None:
    answer = session("show", name)
    assert answer.status == 2
    assert near in answer.err
    assert len(answer.err) < 200


def test_doctor_begins_with_a_verdict(session: Any) -> None:
    content = told(session, "doctor", "--json")
    verdict = content["verdict"][0]
    assert f"{len(list_metrics(ready=True))} of {len(list_metrics())} metrics" in verdict
    assert f"{len(list_methods(ready=True))} of {len(list_methods())} methods" in verdict
    assert {"what", "state", "remedy"} == set(content["items"][0])
    assert session("doctor").out.startswith(verdict)


@pytest.fixture
def photos(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(4):
        hr = np.ascontiguousarray(photo[32 * number :][:96, :96])
        write_png(tmp_path / "hr" / f"photo{number}.png", hr)
        write_png(tmp_path / "sr" / f"photo{number}.png", hr // 2)
    return tmp_path


def test_score_without_hr_and_of_single_files(session: Any, photos: Path) -> None:
    """The same numbers as the metric gives."""
    content = told(session, "score", "--sr", photos / "sr", "--metrics", "piqe", "--json")
    files = sorted((photos / "sr").iterdir())
    assert [row["value"] for row in content["values"]] == create_metric("piqe")(files).tolist()
    assert content["hr"] is None
    content = told(
        session, "score", "--sr", files[1], "--hr", photos / "hr" / files[1].name, "--metrics", "psnr_y", "--json"
    )
    assert content["means"][0]["mean"] == create_metric("psnr_y")(files[1], photos / "hr" / files[1].name)
    answer = session("score", "--sr", photos / "sr", "--metrics", "psnr_y")
    assert (
        answer.err
        == "error: psnr_y compares with HR, which is not given; add --hr, or score what needs none, such as piqe\n"
    )
    answer = session("score", "--sr", files[0], "--hr", photos / "hr")
    assert f"{photos / 'hr'}: is no file" in answer.err


def test_a_score_of_a_part_says_so(session: Any, photos: Path) -> None:
    arguments = ["score", "--sr", photos / "sr", "--hr", photos / "hr", "--metrics", "psnr_y"]
    assert "3 of 4 images" in " ".join(session(*arguments, "--limit", 3).out.split())
    content = told(session, *arguments, "--images", "photo[12]", "--json")
    assert (content["images"], content["of_images"]) == (2, 4)
    assert [row["image"] for row in content["values"]] == ["photo1", "photo2"]


def test_stores_speak_json(session: Any, store: Path) -> None:
    content = told(session, "status", store, "--json")
    assert content["runs"][0]["spec"] == "test"
    assert {row["method"]: row["done"] for row in content["cells"]} == dict.fromkeys(("bicubic", "net-2", "net-4"), 24)
    assert told(session, "status", store, "--failed", "--json") == []
    content = told(session, "compare", "bicubic", "net-4", "--store", store, "--metric", "psnr_y", "--json")
    (row,) = content["comparisons"]
    assert row["result"]["n"] == 6
    assert f"{row['result']['difference']:+.2f}" in session("compare", "bicubic", "net-4", "--store", store).out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("show psnr_", ["psnr_y", "psnr_rgb"]),
        ("run classic-x4-", ["classic-x4-float"]),
        ("list stud", ["studies"]),
        ("report STORE --method net", ["net-2", "net-4"]),
        ("drop STORE --metric ls", ["lsd"]),
        ("drop nowhere --metric ls", []),
    ],
)
def test_the_shell_completes_names(store: Path, words: str, offered: list[str]) -> None:
    line = "asasr-bench " + words.replace("STORE", str(store))
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_ASASR_BENCH_COMPLETE": "complete_bash"}
    variables = {**os.environ, **asked}
    code = "import sys; sys.argv = ['asasr-bench']; from asasr_bench.bench.cli.main import main; main()"
    answer = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    assert answer.stderr == ""
    assert sorted(answer.stdout.split()) == sorted(offered)


def test_every_name_is_offered_once() -> None:
    names = all_names()
    assert len(names) == len(set(names))
    assert {"psnr_y", "Set5", "bicubic", "ssr-amg"} <= set(names)
