"""External programs: what they finished counts, what they left is ended, and no file is taken by a guess."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import chores
import numpy as np
import pytest
from asasr_bench import open_store
from asasr_bench.bench.execute.run import Summary, run
from asasr_bench.bench.execute.scratch_folders import scratch_folder
from asasr_bench.bench.spec import parse_spec
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.programs.command import run_program
from asasr_bench.methods.registry import resolve

MIB = 2**20
ENLARGE = """
import sys, os, time, subprocess, pathlib
from PIL import Image
lq, sr = map(pathlib.Path, sys.argv[1:3])
def enlarged(path):
    image = Image.open(path)
    return image.resize((4 * image.width, 4 * image.height), Image.NEAREST)
images = sorted(lq.iterdir())
"""
ALL = "for path in images: enlarged(path).save(sr / path.name)\n"
NAMES = ("a", "ax4", "b")


@pytest.fixture
def hr(tmp_path: Path, rng: np.random.Generator) -> Path:
    for name in NAMES:
        write_png(tmp_path / "hr" / f"{name}.png", rng.integers(0, 256, (32, 32, 3), np.uint8))
    return tmp_path / "hr"


def measured(tmp_path: Path, body: str, **more: Any) -> tuple[Summary, dict[str, str]]:
    """A run of a program, and what is said of each image."""
    script = tmp_path / "program.py"
    script.write_text(ENLARGE + body)
    method = {"name": "theirs", "command": f"{sys.executable} {script} {{lq}} {{sr}}", "files": [], **more}
    spec = parse_spec(
        "{name: t, protocol: asasr, metrics: [psnr_y], device: cpu}",
        origin="t",
        overrides={"datasets": [f"D={tmp_path / 'hr'}"], "methods": [method]},
    )
    summary = run(spec, tmp_path / "store")
    with open_store(tmp_path / "store") as store:
        outputs = store.outputs()
        return summary, dict(zip(outputs["image"], outputs["message"], strict=True))


@pytest.mark.parametrize(
    ("end", "more", "words"),
    [
        ("sys.exit('out of luck')", {}, "exit status 1; its last words: out of luck"),
        ("time.sleep(60)", {"timeout": 4.0}, "no end after 4 s"),
        ("os.kill(os.getpid(), 9)", {}, "exit status -9"),
    ],
    ids=["fails", "hangs", "is killed"],
)
def test_what_a_program_finished_before_its_end_counts(
    hr: Path, tmp_path: Path, end: str, more: Any, words: str
) -> None:
    summary, said = measured(tmp_path, f"for path in images[:2]: enlarged(path).save(sr / path.name)\n{end}", **more)
    assert (summary.measured, summary.failed) == (2, 1)
    assert said["a"] == said["ax4"] == ""
    assert words in said["b"]
    with open_store(tmp_path / "store") as store:
        assert store.outputs()["seconds"].isna().all()  # nobody knows what an image took


def test_a_child_that_stays_is_ended_and_holds_nobody_up(hr: Path, tmp_path: Path) -> None:
    """It holds standard error, and has left its group and its parent."""
    pid = tmp_path / "pid"
    stays = (
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))"
    )
    start = time.monotonic()
    summary, _ = measured(tmp_path, ALL + stays)
    assert summary.complete
    assert time.monotonic() - start < 30
    assert not chores.is_alive(int(pid.read_text()))


def test_a_program_that_removes_its_folder_costs_its_own_cells(hr: Path, tmp_path: Path) -> None:
    _, said = measured(tmp_path, "import shutil; shutil.rmtree(sr)")
    assert set(said.values()) == {
        "theirs: its folder for outputs cannot be read (No such file or directory); it must leave that alone"
    }


def test_a_pipe_among_the_outputs_is_no_image(hr: Path, tmp_path: Path) -> None:
    _, said = measured(tmp_path, ALL + "os.remove(sr / 'b.png'); os.mkfifo(sr / 'b.png')")
    assert said["a"] == ""
    assert "wrote no image for 'b'; it wrote a.png, ax4.png, b.png" in said["b"]


def test_only_the_end_of_what_a_program_says_is_kept() -> None:
    flood = "import sys\nfor _ in range(100): sys.stderr.write('x' * 1_000_000)\nsys.exit('\\nthe last line')"
    before = chores_peak()
    with pytest.raises(MethodError, match=r"(?s)last words: .*the last line$") as told:
        run_program("theirs", [sys.executable, "-c", flood], 60)
    assert len(str(told.value)) < 3000
    assert chores_peak() - before < 50 * MIB


def chores_peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss of Linux")
def test_memory_is_the_programs_whatever_we_and_earlier_ones_took() -> None:
    held = np.ones(300 * MIB // 8)
    del held
    large, small = (f"x = bytearray({size} * {MIB})" for size in (100, 20))
    assert 100 * MIB < (run_program("large", [sys.executable, "-c", large], 60) or 0) < 140 * MIB
    assert 20 * MIB < (run_program("small", [sys.executable, "-c", small], 60) or 0) < 60 * MIB
    inside = ["sh", "-c", f"{sys.executable} -c '{large}'; true"]  # the largest of its processes
    assert 100 * MIB < (run_program("shell", inside, 60) or 0) < 140 * MIB
    assert run_program("tiny", ["true"], 60) is None  # less than the process that starts it


def test_names_with_an_ending_of_their_own(hr: Path, tmp_path: Path) -> None:
    """Real-ESRGAN's script writes NAME_out.png."""
    out = "for path in images: enlarged(path).save(sr / (path.stem + '_out.png'))"
    _, said = measured(tmp_path, out)
    assert said["b"] == (
        "theirs: wrote no image for 'b'; it wrote a_out.png, ax4_out.png, b_out.png; expected b.png; give suffix: _out"
    )
    summary, said = measured(tmp_path, out, suffix="_out")
    assert summary.complete
    assert set(said.values()) == {""}


def test_two_files_of_an_image_and_lossy_files_are_no_choice_of_ours(hr: Path, tmp_path: Path) -> None:
    more = "enlarged(images[0]).save(sr / 'a.tif'); enlarged(images[2]).save(sr / 'b.jpg'); os.remove(sr / 'b.png')"
    _, said = measured(tmp_path, ALL + more)
    assert said["a"] == "theirs: wrote a.png and a.tif for 'a'; one file of it must be left"
    assert said["b"].startswith("theirs: b.jpg is compressed with loss")
    assert "lossy: true" in said["b"]
    summary, said = measured(tmp_path, ALL + more, lossy=True)
    assert (summary.measured, said["b"]) == (1, "")
    with open_store(tmp_path / "store") as store:
        assert "compressed with loss" in store.methods()["theirs"].incomplete


def test_finished_images_are_taken_by_their_names_alone(tmp_path: Path, rng: np.random.Generator) -> None:
    """``ax4.png`` is image ``ax4``, whatever else is missing."""
    for name in ("ax4", "b"):
        write_png(tmp_path / "sr" / f"{name}.png", rng.integers(0, 256, (8, 8, 3), np.uint8))
    method = resolve(f"predictions:{tmp_path / 'sr'}").load("cpu")
    assert method.image_path("ax4", 4).name == "ax4.png"
    with pytest.raises(MethodError, match=r"'a' is missing.*give suffix: x4 \(predictions:DIR/\{image\}x4\)"):
        method.image_path("a", 4)
    for reference in (f"predictions:{tmp_path / 'sr'}/{{image}}x4.png", f"predictions:{tmp_path / 'sr'}/{{image}}x4"):
        assert resolve(reference).load("cpu").image_path("a", 4).name == "ax4.png"
    shutil.move(tmp_path / "sr" / "b.png", tmp_path / "b.png")
    (tmp_path / "sr" / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(MethodError, match=r"b\.jpg is compressed with loss"):
        resolve(f"predictions:{tmp_path / 'sr'}").load("cpu").image_path("b", 4)
    assert resolve({"predictions": str(tmp_path / "sr"), "lossy": True}).load("cpu").image_path("b", 4).name == "b.jpg"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGHUP])
def test_a_killed_run_leaves_no_program_and_its_folder_goes(tmp_path: Path, kill: int, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    script = (
        "import sys, chores\nfrom pathlib import Path\n"
        "from asasr_bench.bench.execute.scratch_folders import scratch_folder\n"
        f"with scratch_folder(): chores.external(Path({str(tmp_path)!r}))"
    )
    path = os.pathsep.join([str(Path(chores.__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}) as driver:
        deadline = time.monotonic() + 60
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        program = int((tmp_path / "pid").read_text())
        assert chores.is_alive(program)
        with scratch_folder():
            assert len(list(tmp_path.glob("asasr-bench-*"))) == 2  # nobody takes what is in use
        driver.send_signal(kill)
    deadline = time.monotonic() + 10
    while chores.is_alive(program) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not chores.is_alive(program)
    with scratch_folder() as folder:
        assert list(tmp_path.glob("asasr-bench-*")) == [folder.parent]
    assert not list(tmp_path.glob("asasr-bench-*"))
