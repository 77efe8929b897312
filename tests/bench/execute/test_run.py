"""Runs through the command line: resume, kills, workers, bad input."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from asasr_bench.bench import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.reports.tables import CSV_COLUMNS
from PIL import Image

PLACE = ["protocol", "scale", "dataset", "image", "method", "seed"]


@pytest.fixture
def hr(tmp_path: Path, photo: np.ndarray) -> Path:
    """Six HR images, 96x96."""
    for number in range(6):
        write_png(tmp_path / "hr" / f"image{number}.png", np.ascontiguousarray(photo[20 * number :][:96, :96]))
    return tmp_path / "hr"


def options(hr: Path, store: Path, *more: object) -> list[str]:
    methods = ("--method", "bicubic", "--method", "lanczos", "--method", "nearest")
    return [
        str(part) for part in ("run", "classic-x4-float", "--dataset", f"D={hr}", *methods, "--store", store, *more)
    ]


def rows(store: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What does not depend on when and how a store was made."""
    with open_store(store) as opened:
        return opened.scores(), opened.outputs()[[*PLACE, "status", "lq", "reference", "sr", "restoration"]]


def assert_equal(first: Path, second: Path) -> None:
    for ours, theirs in zip(rows(first), rows(second), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_change_no_row(hr: Path, tmp_path: Path, command, workers: int) -> None:
    command(*options(hr, tmp_path / "one"))
    command(*options(hr, tmp_path / "many", "--workers", workers))
    assert_equal(tmp_path / "one", tmp_path / "many")


def start(*arguments: object, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "asasr_bench.bench.cli.main", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.parametrize(
    ("workers", "kills"),
    [(2, 6), *(pytest.param(workers, 20, marks=pytest.mark.slow) for workers in (1, 2, 4))],
)
def test_kills_at_random_moments_lose_nothing(hr: Path, tmp_path: Path, command, workers: int, kills: int) -> None:
    command(*options(hr, tmp_path / "whole"))
    arguments = options(hr, tmp_path / "killed", "--workers", workers, "--no-report")
    moments = random.Random(workers)
    for _ in range(kills):
        with start(*arguments) as process:
            time.sleep(moments.uniform(0.2, 2.0))
            process.send_signal(signal.SIGKILL)
    command(*arguments)
    assert_equal(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("workers", [1, 2])
def test_control_c_ends_at_once_and_keeps_what_is_done(hr: Path, tmp_path: Path, command, workers: int) -> None:
    for number in range(6, 60):
        write_png(hr / f"image{number}.png", np.full((96, 96, 3), number, np.uint8))
    arguments = options(hr, tmp_path / "s", "--workers", workers, "--no-report")
    with start(*arguments, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "s" / "objects").is_dir() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted; what was finished is kept" in errors
    assert "Traceback" not in errors
    with open_store(tmp_path / "s") as store:
        kept = int((store.scores()["status"] == "done").sum())
    ending = command(*options(hr, tmp_path / "s", "--no-report")).stdout
    assert f"{60 * 6 - kept} cells measured, {kept} kept" in ending


def test_control_c_again_while_leaving_shows_no_traceback() -> None:
    """The second one comes when Python has begun to end, where libraries clean up."""
    code = (
        "import atexit, os, signal\n"
        "from asasr_bench.bench.cli import main\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "main.app = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "main.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGINT
    assert "interrupted; what was finished is kept" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_workers_leave_control_c_to_the_driver_from_their_first_moment(hr: Path, tmp_path: Path) -> None:
    """They import for a second before any line of ours could answer it; by default it would end them there."""
    with start(*options(hr, tmp_path / "s", "--workers", 2, "--no-report")) as process:
        asked = set()
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):  # one that just ended
                for child in psutil.Process(process.pid).children():
                    if any("spawn_main" in word for word in child.cmdline()):
                        asked.add(child.pid)
                        child.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert len(asked) >= 2  # a signal reached workers at all
    with open_store(tmp_path / "s") as store:
        assert (store.scores()["status"] == "done").all()
    assert "Traceback" not in errors


def test_a_full_disk_is_told_and_what_is_stored_is_kept(hr: Path, tmp_path: Path, command) -> None:
    """A limit on the size of files stands for the disk: writing fails with the same kind of error."""
    write_png(hr / "image2.png", np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    limit = 150_000

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with start(*options(hr, tmp_path / "s", "--no-report"), preexec_fn=restrict) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "cannot write" in errors
    assert "what is stored is kept" in errors or "what was stored before is kept" in errors
    assert "Traceback" not in errors
    command(*options(hr, tmp_path / "s"))
    command(*options(hr, tmp_path / "undisturbed"))
    assert_equal(tmp_path / "undisturbed", tmp_path / "s")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_rights_is_told(hr: Path, tmp_path: Path, command) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "check the folder's rights" in command(*options(hr, tmp_path / "locked" / "s"), status=3).stderr


def test_only_missing_leaves_failures_alone(hr: Path, tmp_path: Path, command) -> None:
    good = (hr / "image1.png").read_bytes()
    (hr / "image1.png").write_bytes(good[:100])
    command(*options(hr, tmp_path / "s"), status=3)
    (hr / "image1.png").write_bytes(good)
    write_png(hr / "new.png", np.full((96, 96, 3), 7, np.uint8))
    assert "6 cells measured, 30 kept" in command(*options(hr, tmp_path / "s", "--only-missing")).stdout
    with open_store(tmp_path / "s") as store:
        outputs = store.outputs()
    assert set(outputs[outputs["status"] == "failed"]["image"]) == {"image1"}
    assert "6 cells measured, 36 kept" in command(*options(hr, tmp_path / "s")).stdout


def test_a_second_run_measures_nothing(hr: Path, tmp_path: Path, command) -> None:
    command(*options(hr, tmp_path / "s"))
    assert "0 cells measured, 36 kept" in command(*options(hr, tmp_path / "s")).stdout


def test_only_what_changed_is_done_again(hr: Path, tmp_path: Path, command, photo: np.ndarray) -> None:
    command(*options(hr, tmp_path / "s"))
    write_png(hr / "image3.png", np.ascontiguousarray(photo[:96, 100:196]))
    assert "6 cells measured, 30 kept" in command(*options(hr, tmp_path / "s")).stdout


def test_a_broken_image_costs_its_own_cells_alone(hr: Path, tmp_path: Path, command) -> None:
    good = (hr / "image1.png").read_bytes()
    (hr / "image1.png").write_bytes(good[: len(good) // 2])
    result = command(*options(hr, tmp_path / "s"), status=3)
    assert "30 cells measured" in result.stdout
    assert "image1.png: damaged or truncated image" in result.stderr
    (hr / "image1.png").write_bytes(good)
    assert "6 cells measured, 30 kept" in command(*options(hr, tmp_path / "s")).stdout


@pytest.mark.parametrize(
    ("pixels", "mode", "message"),
    [
        (np.full((96, 96), 40_000, np.uint16), None, "16-bit"),
        (np.zeros((96, 96, 4), np.uint8), "RGBA", "transparent"),
    ],
)
def test_images_that_would_lose_something_are_refused(
    hr: Path, tmp_path: Path, command, pixels: np.ndarray, mode: str | None, message: str
) -> None:
    Image.fromarray(pixels, mode).save(hr / "image2.png")
    assert message in command(*options(hr, tmp_path / "s"), status=3).stderr


def test_grey_palette_and_opaque_alpha_lose_nothing_and_are_scored(hr: Path, tmp_path: Path, command) -> None:
    rgb = Image.open(hr / "image0.png")
    rgb.convert("L").save(hr / "image3.png")
    rgb.convert("P").save(hr / "image4.png")
    rgb.convert("RGBA").save(hr / "image5.png")
    assert "36 cells measured" in command(*options(hr, tmp_path / "s")).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("run", "clasic-x4"), 2, "did you mean 'classic-x4"),
        (("run", "classic-x4", "--dataset", "D={hr}", "--method", "bicubik"), 2, "did you mean 'bicubic'"),
        (("run", "classic-x4", "--dataset", "D={hr}", "--metric", "psnr"), 2, "psnr_y"),
        (("run", "classic-x4", "--dataset", "D={hr}", "--protocol", "osedif-512"), 2, "did you mean 'osediff-512'"),
        (("run", "classic-x4", "--dataset", "D={hr}/nowhere"), 3, "no such folder"),
        (("run", "classic-x4", "--dataset", "Set55"), 3, "did you mean 'Set5'"),
        (("run", "classic-x4", "--dataset", "D={hr}", "--method", "predictions:{hr}/none"), 3, "no such folder"),
        (("report", "{hr}"), 3, "no store here"),
        (("score", "--sr", "{hr}", "--hr", "{hr}", "--protocol", "classic-xS"), 2, "needs a scale"),
    ],
)
def test_wrong_words_get_one_clear_line(hr: Path, command, arguments: tuple, status: int, message: str) -> None:
    result = command(*(str(part).replace("{hr}", str(hr)) for part in arguments), status=status)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr) < 500  # no wall of all that is known hides the hint


def test_missing_weights_are_unavailable_and_the_others_go_on(hr: Path, tmp_path: Path, command) -> None:
    result = command(*options(hr, tmp_path / "s", "--method", tmp_path / "net.pth"), status=3)
    assert "36 cells measured" in result.stdout
    assert "net.pth is missing" in result.stderr
    assert "unavailable" in (tmp_path / "s" / "report" / "leaderboard.md").read_text()


def test_an_unknown_key_names_the_nearest(tmp_path: Path, command) -> None:
    (tmp_path / "x.yaml").write_text("name: x\nprotocol: asasr\nmetrics: [psnr_y]\nmethod: [bicubic]\n")
    assert "'method': unknown key; did you mean 'methods'" in command("run", "x.yaml", status=2).stderr


def test_size_and_name_mismatches_name_the_files(hr: Path, tmp_path: Path, command) -> None:
    lq = tmp_path / "lq"
    for number in range(6):
        write_png(lq / f"image{number}.png", np.zeros((24 + (number == 2), 24, 3), np.uint8))
    arguments = ("run", "realsr", "--dataset", f"D={lq},{hr}", "--method", "bicubic", "--store", tmp_path / "s")
    result = command(*arguments, status=3)
    assert "image2.png is 24x25 pixels" in result.stderr
    assert "needs 24x24" in result.stderr
    (lq / "image2.png").rename(lq / "other.png")
    assert "without partner: image2" in command(*arguments, status=3).stderr


def test_export_and_report_have_the_promised_columns(hr: Path, tmp_path: Path, command) -> None:
    command(*options(hr, tmp_path / "s"))
    command("export", tmp_path / "s", "--per-image", tmp_path / "v.csv")
    with (tmp_path / "v.csv").open() as file:
        values = list(csv.DictReader(file))
    assert list(values[0]) == ["dataset", "image", "method", "seed", "metric", "protocol", "value"]
    assert len(values) == 36
    command("report", tmp_path / "s", "--format", "md,csv,tex,html", "--out", tmp_path / "out")
    with (tmp_path / "out" / "leaderboard.csv").open() as file:
        board = list(csv.DictReader(file))
    assert list(board[0]) == CSV_COLUMNS
    mean = np.mean([float(row["value"]) for row in values if (row["method"], row["metric"]) == ("bicubic", "psnr_y")])
    row = next(row for row in board if (row["method"], row["metric"]) == ("bicubic", "psnr_y"))
    assert float(row["value"]) == pytest.approx(mean, rel=1e-12)
    assert float(row["ci_low"]) < mean < float(row["ci_high"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"leaderboard.{s}" for s in ("md", "csv", "tex", "html")
    }


def test_spectra_are_stored_and_methods_compared(hr: Path, tmp_path: Path, command) -> None:
    arguments = (
        "run",
        "classic-x4",
        "--dataset",
        f"D={hr}",
        "--method",
        "bicubic",
        "--method",
        "nearest",
        "--store",
        "s",
        "--no-report",
    )
    for metric in ("psnr_y", "lsd", "hf_ratio", "spectral_slope", "lr_consistency"):
        arguments += ("--metric", metric)
    command(*arguments)
    assert "0 cells measured" in command(*arguments).stdout
    with open_store(tmp_path / "s") as store:
        spectra = list(store.payloads("lsd"))
        scores = store.scores()
    images = scores["image"].nunique()
    assert len(spectra) == 2 * images
    assert all(payload.shape[0] == 2 and bool((payload >= 0).all()) for _, payload in spectra)
    assert set(scores["status"]) == {"done"}
    paths = [Path(line) for line in command("figures", "s", "--out", "f").stdout.splitlines()]
    assert [path.name for path in paths] == ["spectrum-D-classic-x4.pdf", "spectrum-D-classic-x4.png"]
    first = [(tmp_path / path).read_bytes() for path in paths]
    command("figures", "s", "--out", "f")
    assert [(tmp_path / path).read_bytes() for path in paths] == first  # the same bytes from the same store
    assert "unknown figure 'pie'" in command("figures", "s", "--kind", "pie", status=2).stderr
    table = command("compare", "bicubic", "nearest", "--store", "s", "--metric", "psnr_y").stdout
    assert "bicubic minus nearest" in table
    assert "+" in table
    message = command("compare", "bicubic", "other", "--store", "s", status=3).stderr
    assert "no scores of 'other'; known: bicubic, nearest" in message


def test_a_set_without_hr_gets_what_needs_none(hr: Path, tmp_path: Path, command) -> None:
    command(
        "run",
        "realsr",
        "--dataset",
        f"Real={hr},",
        "--method",
        "bicubic",
        "--metric",
        "psnr_y",
        "--metric",
        "spectral_slope",
        "--store",
        "s",
    )
    with open_store(tmp_path / "s") as store:
        scores = store.scores()
    assert set(scores["metric"]) == {"spectral_slope"}
    assert set(scores["status"]) == {"done"}


def test_two_writers_do_not_meet(hr: Path, tmp_path: Path, command) -> None:
    with open_store(tmp_path / "s", write=True):
        assert "is writing this store" in command(*options(hr, tmp_path / "s"), status=3).stderr


def test_demo_needs_no_download(tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete without what must be downloaded, of which it says in one line each how it can be had."""
    for name in ("ASASR_BENCH_DATA", "ASASR_BENCH_WEIGHTS", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    done = command("run", "demo", "--dataset", "demo-shapes")
    assert "leaderboard.html" in done.stdout
    page = (tmp_path / "runs" / "demo" / "report" / "leaderboard.html").read_text()
    assert "data:image/png;base64," in page
    assert 'src="http' not in page
    for id in ("vgg16", "realesrgan-x4plus"):
        assert f"weights fetch {id}" in done.stdout
        assert page.count(f"weights fetch {id}") == 1
    with open_store(tmp_path / "runs" / "demo") as store:
        values = store.scores().groupby(["metric", "method"])["value"].count().unstack()
    assert (values.loc["lpips_alex"].drop("realesrgan-x4plus") == 6).all()
    assert not values.loc["dists"].any()
    assert not values["realesrgan-x4plus"].any()
