"""Trainings that are asked to end, by Ctrl-C or a batch system: they lose nothing and say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from asasr_bench.asasr.config import AsasrConfig
from asasr_bench.asasr.errors import TrainingError
from asasr_bench.asasr.training import loop
from asasr_bench.asasr.training.stages import train_prior
from asasr_bench.asasr.training.stopping import TrainingStopped, asked_to_stop
from safetensors.torch import load_file
from tiny_training import SMALL, data_section, place

STEPS = 24


def _content(hq: Path, **prior: Any) -> dict[str, Any]:
    stage = {"steps": STEPS, "batch": 2, "learning_rate": 1e-3, "warmup": 0, "workers": 2, "what": "network"}
    return {
        "name": "tiny",
        "model": SMALL,
        "data": data_section(hq),
        "prior": {**stage, **prior},
    }


def _config(hq: Path, **prior: Any) -> AsasrConfig:
    return AsasrConfig.model_validate(_content(hq, **{"workers": 0, **prior}))


def _assert_equal(one: Path, two: Path) -> None:
    first, second = (load_file(folder / "network.safetensors") for folder in (one, two))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (one / "log.csv").read_text() == (two / "log.csv").read_text()


def _train(config: Path, folder: str) -> list[str]:
    arguments = ["train", "prior", str(config), "--out", str(config.with_name(folder)), "--device", "cpu"]
    return [sys.executable, "-m", "asasr_bench.bench.cli.main", *arguments]


@pytest.fixture(scope="module")
def undisturbed(hq: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration; beside it ``whole``, its training in a process of its own, which no other test has changed."""
    config = tmp_path_factory.mktemp("stopping") / "tiny.yaml"
    config.write_text(yaml.safe_dump(_content(hq)))
    subprocess.run(_train(config, "whole"), check=True, capture_output=True)
    return config


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_processes_costs_no_step(number: signal.Signals, status: int, undisturbed: Path) -> None:
    """As a terminal sends Ctrl-C, and a batch system SIGTERM: to the workers that make batches, too."""
    run = undisturbed.with_name(number.name)
    process = subprocess.Popen(
        _train(undisturbed, run.name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log, end = run / "prior" / "log.csv", time.monotonic() + 120
    while not log.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, out + err
    asked, told = err.splitlines()
    assert asked.startswith("asked to end: the state is saved at the end of this step")
    step = int(told.removeprefix("stopped after step ").partition(" ")[0])
    assert told.endswith(f"of {STEPS}; the state is saved in {run}/prior, run the same command to go on")
    assert [path.name for path in log.parent.glob("state-*")] == [f"state-{step:08d}"]
    assert 1 <= step < STEPS
    subprocess.run(_train(undisturbed, run.name), check=True, capture_output=True)
    _assert_equal(undisturbed.with_name("whole") / "prior", run / "prior")


def _signal_at(step: int) -> loop.Tell:
    def tell(now: int, steps: int, means: dict[str, float]) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGINT)

    return tell


def test_the_log_does_not_show_where_a_training_was_stopped(hq: Path, tmp_path: Path) -> None:
    config = _config(hq, steps=10, log_every=4)
    for step in (3, 6):
        with pytest.raises(TrainingStopped, match=f"after step {step} of 10"):
            train_prior(config, place(tmp_path / "cut", _signal_at(step)))
    for name in ("cut", "whole"):
        train_prior(config, place(tmp_path / name))
    _assert_equal(tmp_path / "whole", tmp_path / "cut")
    rows = (tmp_path / "cut" / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "1", "4", "8", "10"]


def test_a_state_is_saved_when_minutes_have_passed(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes a minute here: with an interval of two, the states are those after steps 2, 4 and 5."""
    minutes = iter(range(100))
    monkeypatch.setattr(loop, "time", type("Clock", (), {"monotonic": staticmethod(lambda: 60.0 * next(minutes))}))
    written: list[int] = []
    save = loop.save
    monkeypatch.setattr(loop, "save", lambda folder, step, *rest: written.append(step) or save(folder, step, *rest))
    train_prior(_config(hq, steps=5, save_minutes=2), place(tmp_path))
    assert written == [2, 4, 5]


def test_asked_twice_a_training_ends_at_once() -> None:
    class Ended(BaseException):
        pass

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGINT, end)
    try:
        with asked_to_stop() as asked:
            assert asked() == 0
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)  # launchers send theirs twice
            assert asked() == signal.SIGINT
            time.sleep(1.1)
            with pytest.raises(Ended):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is end
    finally:
        signal.signal(signal.SIGINT, before)


def test_too_few_images_are_told_before_torch_is_loaded(hq: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from asasr_bench.bench.cli.main import app\n"
        "try: app()\n"
        "except Exception as error: print(error, 'torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "train", "prior", "small", "--data", str(hq), "--out", str(tmp_path / "run")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "5 images are too few, 41 are needed at least: data.held_out keeps 40 of them" in ended.stdout
    assert ended.stdout.endswith("False\n")


def test_a_training_becomes_longer_where_its_schedule_allows_it(hq: Path, tmp_path: Path) -> None:
    for steps in (2, 4):
        train_prior(_config(hq, steps=steps), place(tmp_path / "longer"))
    train_prior(_config(hq, steps=4), place(tmp_path / "whole"))
    first, second = (load_file(tmp_path / name / "network.safetensors") for name in ("longer", "whole"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(TrainingError, match="has trained 4 steps already, more than 3"):
        train_prior(_config(hq, steps=3), place(tmp_path / "longer"))
    train_prior(_config(hq, steps=2, schedule="cosine"), place(tmp_path / "cosine"))
    with pytest.raises(TrainingError, match="learning rate ends at step 2, as a cosine schedule has it"):
        train_prior(_config(hq, steps=4, schedule="cosine"), place(tmp_path / "cosine"))


def test_an_ablation_that_is_asked_to_end_while_it_trains(
    hq: Path, tmp_path: Path, session: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(_content(hq, steps=5, workers=0)))
    study = {"name": "s", "config": "tiny.yaml", "arms": {"prior": None},
             "evaluation": {"protocol": "asasr", "datasets": [{"name": "P", "hr": str(hq)}],
                            "metrics": ["psnr_y"]}}  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    asked = iter([0, 0, signal.SIGTERM])

    class Asked:
        def __init__(self, _: str) -> None: ...

        def __enter__(self) -> Callable[[], int]:
            return lambda: next(asked)

        def __exit__(self, *_: object) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(loop, "asked_to_stop", Asked)
        told = session("ablate", "study.yaml", "--device", "cpu")
    assert told.status == 143
    assert "stopped after step 3 of 5; the state is saved in" in told.err
    assert list((tmp_path / "runs/s/priors").glob("*/state-00000003"))
