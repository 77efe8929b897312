"""A dataset of 100,000 images: time and memory of planning when all is done, and when nothing is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.plan.experiment import Experiment, find_everything
from asasr_bench.bench.plan.jobs import Task, key_of
from asasr_bench.bench.spec import Spec, parse_spec
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import pixel_digest
from PIL import Image

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

IMAGES = 100_000
CEILING = 256
"""MiB of the whole process; `docs/architecture.md` states what was measured. Its own peak is asked for: rusage would
tell that of the process which started it."""

_PLAN = """
import json, sys, time
from pathlib import Path
from asasr_bench.bench.execute.executors.executor import InProcess, never
from asasr_bench.bench.plan.missing import find_everything, plan
from asasr_bench.bench.execute.prepare_inputs import prepare_inputs
from asasr_bench.bench.spec import parse_spec
from asasr_bench.bench.plan.disk_list import Spool
from asasr_bench.bench.store.store import open_store
from asasr_bench.bench.execute.status_file import Watch
start = time.process_time()
experiment = find_everything(parse_spec(sys.argv[1], origin="many"))
jobs, done = Spool(), 0
with open_store(sys.argv[2], write=True) as store:
    inputs = prepare_inputs(experiment, store, InProcess(), lambda *_: None, never, Watch(Path(sys.argv[2]), 1))
    for found in plan(experiment, store, inputs):
        done += found.done
        if found.job is not None:
            jobs.append(found.job)
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"jobs": len(jobs), "done": done, "seconds": time.process_time() - start, "mib": peak}))
"""


def spec_text(root: Path) -> str:
    return json.dumps({"name": "many", "protocol": "asasr", "datasets": [f"D={root / 'HR'}"], "methods": ["bicubic"],
                       "metrics": ["psnr_y", "ssim_y"], "device": "cpu"})  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every cell is done; its images are there by name alone, since planning opens none."""
    from asasr_bench.bench.store.keys import restoration_key

    root = tmp_path_factory.mktemp("many")
    spec: Spec = parse_spec(spec_text(root), origin="many")
    pixels = np.zeros((16, 16), np.uint8)
    references = []
    (root / "HR").mkdir()
    for number in range(IMAGES):
        pixels[0, :4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
        Image.fromarray(pixels).save(root / "HR" / f"{number:06d}.png")
        references.append(pixel_digest(pixels))
    experiment = find_everything(spec)
    with open_store(root / "s", write=True) as store:
        run = store.begin_run("2024-01-01T00:00:00+00:00", {}, Provenance())
        identity = experiment.methods[0].entry.identity("x", 4) if experiment.methods[0].entry else {}
        for name in (f"{first:02x}" for first in range(256)):
            (store.objects.root / name).mkdir(parents=True)
        inputs, rows = [], []
        for reference, (key, image) in zip(references, _keys(experiment), strict=True):
            lq, sr = reference[::-1], reference[32:] + reference[:32]
            for digest in (reference, lq, sr):
                (store.objects.root / digest[:2] / f"{digest}.png").touch()
            inputs.append((key, lq, reference))
            made = restoration_key(lq=lq, identity=identity, scale=4, seed=0)
            task = Task(image, lq, reference, made, sr, spec.metrics)
            cells = tuple(CellRecord(metric.id, "done", key_of(metric, task, experiment.protocol), 30.0)
                          for metric in experiment.metrics)  # fmt: skip
            place = ("asasr", 4, "D", image, "bicubic", 0)
            rows.append(OutputRecord(*place, "done", "matlab-bicubic", lq, reference, made, sr, cells=cells))
        store.add_inputs(inputs)
        store.commit(rows, run)
    return root


def _keys(experiment: Experiment) -> Iterator[tuple[str, str]]:
    for _, item in experiment.inputs():
        yield item.key({}), item.image


@pytest.mark.parametrize("fresh", [False, True])
def test_planning_holds_names_and_keys_alone(root: Path, fresh: bool) -> None:
    if fresh:
        with open_store(root / "s", write=True) as store, store._transaction() as database:
            for table in ("cells", "outputs", "scores", "restorations"):
                database.execute(f"DELETE FROM {table}")
    done = subprocess.run(
        [sys.executable, "-c", _PLAN, spec_text(root), str(root / "s")], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    print(f"\n{IMAGES} images, {'nothing' if fresh else 'all'} done: {told['seconds']:.1f} s, {told['mib']:.0f} MiB")
    assert (told["jobs"], told["done"]) == ((IMAGES, 0) if fresh else (0, 2 * IMAGES))
    assert told["mib"] < CEILING
