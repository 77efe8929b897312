"""Tables hold what is true of the images, methods and metrics as they are: nothing of former ones is mixed in."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.drift.baseline import write_baseline
from asasr_bench.bench.execute.prepare_inputs import StoppedError
from asasr_bench.bench.execute.run import Summary, run
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.plan.declare import identity_of
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.spec import parse_spec
from asasr_bench.bench.store.metric_cards import card_of
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.networks.published import compact_gan_file
from asasr_bench.methods.registry import resolve
from skimage import data

Run = Callable[..., Summary]
IMAGES = 4
NETWORK = """
import numpy as np
from asasr_bench.methods.interface import MethodCard

class Net:
    card = MethodCard("net", "regression", "Enlarges by repeating pixels")
    weight_files = ()

    def restore_pixels(self, lq, scale):
        return (np.repeat(np.repeat(lq, scale, 0), scale, 1) * GAIN).astype(lq.dtype)
"""


@pytest.fixture
def again(tmp_path: Path) -> Run:
    """Run these methods on these datasets into one store."""
    _images(tmp_path / "hr", data.astronaut())
    for gain in (1.0, 0.8):
        (tmp_path / f"gain{10 * gain:.0f}.py").write_text(NETWORK.replace("GAIN", str(gain)))

    def go(methods: list[str], dataset: str = "hr", metrics: tuple[str, ...] = ("psnr_y",), **more: Any) -> Summary:
        folders = ",".join(str(tmp_path / name) for name in dataset.split(","))
        methods = [name.replace("=", f"={tmp_path}/") if "=" in name else name for name in methods]
        content = {
            "name": "s",
            "protocol": "asasr",
            "datasets": [f"S={folders}"],
            "methods": methods,
            "metrics": list(metrics),
            "device": "cpu",
        }
        return run(parse_spec(json.dumps(content), origin="s"), tmp_path / "store", **more)

    return go


def _images(folder: Path, picture: np.ndarray, scale: int = 1) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(IMAGES):
        part = picture[64 * number :, 64 * number :][:64, :64]
        write_png(folder / f"{number}.png", np.ascontiguousarray(part[::scale, ::scale]))


def _means(root: Path) -> tuple[dict[str, tuple[float, int]], list[str]]:
    """Method to mean and number of images in the table, and what is said of the rest."""
    with open_store(root) as store:
        scores = load_board(store, title="").scores
        message = [str(one) for one in store.left_out()]
    return {row.method: (row.value, row.n) for row in scores.itertuples()}, message


def test_other_hr_files_leave_the_former_results_out(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    _images(tmp_path / "hr", data.coffee())
    again(["lanczos"])
    means, said = _means(tmp_path / "store")
    assert set(means) == {"lanczos"}
    assert said == [
        "4 of 4 images of bicubic on S (asasr) have another LQ or HR than the set has now: left out; run"
        " the method on it again"
    ]
    again(["bicubic"])
    means, said = _means(tmp_path / "store")
    assert (set(means), said) == ({"bicubic", "lanczos"}, [])


def test_other_lq_files_leave_the_former_results_out(again: Run, tmp_path: Path) -> None:
    _images(tmp_path / "lqa", data.astronaut(), 4)
    _images(tmp_path / "lqb", 255 - data.astronaut(), 4)
    again(["bicubic"], "lqa,hr")
    again(["lanczos"], "lqb,hr")
    assert set(_means(tmp_path / "store")[0]) == {"lanczos"}


def test_another_rule_of_lq_leaves_the_former_results_out(again: Run, tmp_path: Path) -> None:
    _images(tmp_path / "lq", data.astronaut(), 4)
    again(["bicubic"])
    again(["lanczos"], "lq,hr")
    assert set(_means(tmp_path / "store")[0]) == {"lanczos"}


def test_an_image_that_left_the_set_leaves_the_table(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    (tmp_path / "hr" / "0.png").unlink()
    again(["bicubic"])
    means, said = _means(tmp_path / "store")
    assert means["bicubic"][1] == IMAGES - 1
    assert said == ["1 of 4 images of bicubic on S (asasr) are no longer in the set: left out"]


def test_a_set_pointed_elsewhere_has_the_images_there_alone(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    for path in (tmp_path / "hr").iterdir():
        path.rename(path.with_name(f"other{path.name}"))
    again(["bicubic"])
    assert _means(tmp_path / "store")[0]["bicubic"][1] == IMAGES


def test_the_same_images_taken_in_another_way_stay(again: Run, tmp_path: Path) -> None:
    """Interpolation takes the Y plane of classic protocols, networks take RGB: both are of the same HR."""
    for method in ("bicubic", f"Net={tmp_path}/gain10.py:Net"):
        content = {
            "name": "s",
            "protocol": "classic-x4",
            "datasets": [f"S={tmp_path / 'hr'}"],
            "device": "cpu",
            "methods": [method],
            "metrics": ["psnr_y"],
        }
        run(parse_spec(json.dumps(content), origin="s"), tmp_path / "store")
    means, said = _means(tmp_path / "store")
    assert (set(means), said) == ({"bicubic", "Net"}, [])


def _stopped(go: Run, *arguments: Any) -> None:
    calls = iter(range(100))
    with pytest.raises(StoppedError):
        go(*arguments, stop=lambda: next(calls) >= 2)


def test_a_run_stopped_after_a_method_changed_mixes_no_two_of_them(
    again: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A6 of the drills: 13 images of new weights and 27 of old ones gave a mean of neither network."""
    root = tmp_path / "store"
    again(["Net=gain10.py:Net"])
    former = _means(root)[0]["Net"][0]
    _stopped(again, ["Net=gain8.py:Net"])
    means, said = _means(root)
    left = IMAGES - means["Net"][1]
    assert 0 < left < IMAGES
    assert said == [
        f"{left} of 4 images of Net on S (asasr) are of former weights, code or settings: left out; run again"
    ]
    with open_store(root) as store:
        assert store.counts()["asasr", "S", "Net"] == {"done": IMAGES - left}
    kept = write_baseline(root, tmp_path / "baseline.json")
    assert len([place for place in kept.outputs if place[4] == "Net"]) == IMAGES - left
    again(["Net=gain8.py:Net"])
    means, said = _means(root)
    assert (means["Net"][1], said) == (IMAGES, [])
    assert means["Net"][0] < former - 1


def test_a_method_that_changed_is_out_of_date_on_the_sets_of_other_runs(again: Run, tmp_path: Path) -> None:
    again(["Net=gain10.py:Net"])
    shutil.copytree(tmp_path / "hr", tmp_path / "more")
    content = {
        "name": "s",
        "protocol": "asasr",
        "datasets": [f"More={tmp_path / 'more'}"],
        "metrics": ["psnr_y"],
        "methods": [f"Net={tmp_path}/gain8.py:Net"],
        "device": "cpu",
    }
    run(parse_spec(json.dumps(content), origin="s"), tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        assert set(store.scores()["dataset"]) == {"More"}
        assert [one.dataset for one in store.left_out()] == ["S"]


def test_metrics_that_a_later_run_does_not_ask_for_do_not_outlive_their_pixels(again: Run, tmp_path: Path) -> None:
    again(["Net=gain10.py:Net"], metrics=("psnr_y", "ssim_y"))
    again(["Net=gain8.py:Net"], metrics=("psnr_y",))
    with open_store(tmp_path / "store") as store:
        assert set(store.scores()["metric"]) == {"psnr_y"}


def test_values_of_a_former_version_of_a_metric_are_left_out(again: Run, tmp_path: Path) -> None:
    again(["bicubic"], metrics=("psnr_y", "ssim_y"))
    with open_store(tmp_path / "store", write=True) as store:
        store.add_metrics([replace(card_of(get_metric("ssim_y")), version="999")])
        assert set(store.scores()["metric"]) == {"psnr_y"}
        assert [(one.metric, one.count) for one in store.left_out()] == [("ssim_y", IMAGES)]
    again(["bicubic"], metrics=("psnr_y", "ssim_y"))
    assert _means(tmp_path / "store")[1] == []


def test_a_flipped_bit_is_noticed_and_measured_again(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    with closing(sqlite3.connect(tmp_path / "store" / "store.sqlite")) as database, database:
        key, value = database.execute("SELECT key, value FROM scores ORDER BY key").fetchone()
        bits = np.array([value]).view(np.int64) ^ (1 << 50)
        database.execute("UPDATE scores SET value = ? WHERE key = ?", (float(bits.view(np.float64)[0]), key))
    with open_store(tmp_path / "store") as store:
        scores = store.scores()
        assert list(scores["status"]).count("failed") == 1
        assert "damaged" in next(store.failed_cells()).message
        assert np.isnan(scores.loc[scores["status"] == "failed", "value"]).all()
    assert (again(["bicubic"]).measured, again(["bicubic"]).measured) == (1, 0)
    with open_store(tmp_path / "store") as store:
        assert value in set(store.scores()["value"])


def test_a_report_says_what_it_leaves_out(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    _images(tmp_path / "hr", data.coffee())
    again(["lanczos"])
    for path in write_reports(tmp_path / "store", tmp_path / "report", ("md", "html", "tex", "csv")):
        text = " ".join(path.read_text().split())
        assert path.suffix == ".csv" or "4 of 4 images of bicubic have another LQ or HR" in text
        assert path.suffix != ".csv" or "bicubic," not in text


def test_a_report_of_nothing_but_former_results_says_so(again: Run, tmp_path: Path) -> None:
    again(["bicubic"])
    _images(tmp_path / "hr", data.coffee())
    _stopped(again, ["bicubic"])
    with closing(sqlite3.connect(tmp_path / "store" / "store.sqlite")) as database, database:
        database.execute("UPDATE outputs SET wanted = 'another'")
    for path in write_reports(tmp_path / "store", tmp_path / "report", ("md", "html", "tex", "csv")):
        text = " ".join(path.read_text().split())
        assert path.suffix in (".csv", ".tex") or "are of former weights, code or settings" in text


def test_a_weight_file_is_the_same_method_under_any_path(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copyfile(compact_gan_file(), tmp_path / folder / f"{folder}.safetensors")
    identities = {identity_of(resolve(str(tmp_path / folder / f"{folder}.safetensors"))) for folder in ("a", "b")}
    assert len(identities) == 1
