"""A larger small prior, trained by the command line: it saves by the minute, is stopped twice, goes on and restores.

The second stop is a kill, which costs what was trained since the last state. At the end ``steps`` becomes the step that
was reached, so that the same command finishes, and a photo that was held out is restored with what was trained.
"""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from asasr_bench.asasr.training.files import split_files
from asasr_bench.bench.metrics.similarity import luma, psnr
from asasr_bench.datasets.degradation.pipeline import degrade_image
from asasr_bench.datasets.degradation.settings import preset
from asasr_bench.datasets.images import as_rgb, crop_to_multiple, read_image, write_png
from measuring import Results, arguments

CONFIG = Path(__file__).with_name("larger-prior.yaml")
PROGRAM = [sys.executable, "-m", "asasr_bench.bench.cli.main"]
HELD_OUT = 8
TINY = [
    "model.network.block_out_channels=[16, 16, 16]", "model.network.layers_per_block=1", "data.crop=32",
    "prior.batch=2", "prior.workers=0", "prior.save_minutes=0.01", "prior.log_every=1", "prior.warmup=0",
    "sampling.steps=2",
]  # fmt: skip


def main() -> None:
    options = arguments(lambda parser: parser.add_argument("--data", type=Path, required=True))
    results = Results(options.out, options.seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = Training(folder, options.data, TINY if options.tiny else [])
        periodic = training.run(until=lambda: training.last_state() > 0, more=1 if options.tiny else 5)
        stopped = training.last_state()
        results.add("steps at the first state that was saved by time", periodic)
        results.add("steps when SIGTERM stopped it", stopped)
        assert 0 < periodic <= stopped
        assert training.status == 128 + signal.SIGTERM, f"status {training.status}: {training.said}"

        training.run(until=lambda: training.last_step() > stopped + (0 if options.tiny else 50), kill=True)
        killed = training.last_state()
        results.add("steps of the state that a kill left", killed)
        assert killed >= stopped

        logged = training.last_step()  # rows behind the state are of the killed run, until the log is cut
        training.run(until=lambda: training.last_step() > logged, more=0 if options.tiny else 20)
        reached = training.last_state()
        results.add("steps when SIGTERM stopped it again", reached)
        assert reached > killed
        results.add("steps a second, with batches made by workers", training.speed())
        results.add("losses of the log", training.losses())

        training.finish(reached + 1)
        results.add("parameters in millions", round(training.parameters() / 1e6, 2))
        results.add("PSNR-Y of a held-out photo", restored(folder, options.data))


class Training:
    """The command ``train prior`` in a folder."""

    def __init__(self, folder: Path, data: Path, changes: list[str]) -> None:
        self.folder, self.stage, self.status, self.said = folder, folder / "runs" / "prior", 0, ""
        self._command = [*PROGRAM, "train", "prior", str(CONFIG), "--data", str(data), "--out", str(folder / "runs")]
        self._changes = changes
        self._spans: list[tuple[int, float]] = []

    def command(self, *more: str) -> list[str]:
        """With the changes of a tiny training and others."""
        return [*self._command, *(part for change in (*self._changes, *more) for part in ("--set", change))]

    def run(self, until: Callable[[], bool], more: float = 0.0, kill: bool = False) -> int:
        """Train until a condition holds and some seconds longer, then stop.

        Returns:
            Steps of the last state when the condition held.
        """
        process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            while not until():
                if process.poll() is not None:
                    raise RuntimeError(f"the training ended by itself: {process.communicate()[0][-2000:]}")
                time.sleep(0.05)
            state = self.last_state()
            begun, step = time.monotonic(), self.last_step()
            time.sleep(more)
            if more > 10:
                self._spans.append((self.last_step() - step, time.monotonic() - begun))
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.said, _ = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                process.kill()
        self.status = process.returncode
        return state

    def finish(self, steps: int) -> None:
        """Let it end."""
        subprocess.run(self.command(f"prior.steps={steps}"), check=True)

    def last_state(self) -> int:
        """Steps of the newest whole state."""
        names = [path.name.removeprefix("state-") for path in self.stage.glob("state-*")]
        return max(map(int, names), default=0)

    def last_step(self) -> int:
        """Of the log."""
        return int(self._rows()[-1]["step"]) if self._rows() else 0

    def losses(self) -> list[float]:
        """Five means from the log, first to last."""
        losses = [float(row["loss"]) for row in self._rows()]
        places = np.linspace(0, len(losses) - 1, min(5, len(losses))).astype(int)
        return [losses[place] for place in places]

    def speed(self) -> float | str:
        """Steps a second of the spans that were long enough."""
        steps, seconds = (sum(column) for column in zip(*self._spans, strict=True)) if self._spans else (0, 0.0)
        return round(steps / seconds, 2) if seconds else "not measured"

    def parameters(self) -> int:
        """Of the trained network."""
        from safetensors.torch import load_file

        return sum(one.numel() for one in load_file(self.stage / "network.safetensors").values())

    def _rows(self) -> list[dict[str, str]]:
        path = self.stage / "log.csv"
        if not path.exists():
            return []
        with path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if row.get("loss")]


def restored(folder: Path, data: Path) -> dict[str, float]:
    """Of the trained prior's sample and of bicubic interpolation, in dB."""
    _, held_out = split_files([data], HELD_OUT)
    hr = crop_to_multiple(as_rgb(read_image(held_out[0])), 4)[:256, :256]
    settings = preset("stablesr-x4")
    write_png(folder / "lq.png", degrade_image(hr, settings))
    values = {}
    for name in (f"asasr:{folder / 'runs' / 'prior'}", "bicubic"):
        subprocess.run([*PROGRAM, "restore", name, str(folder / "lq.png"), str(folder / "sr.png")], check=True)
        sr = as_rgb(read_image(folder / "sr.png"))
        assert sr.shape == hr.shape
        values["trained" if name != "bicubic" else name] = round(psnr(luma(sr), luma(hr)), 2)
    assert np.isfinite(list(values.values())).all()
    return values


if __name__ == "__main__":
    main()
