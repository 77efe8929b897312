"""What benchmarks measured, kept as JSON: a file for each version of the package and processor."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from asasr_bench.bench.store.provenance import now, provenance

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


_WITH_BYTECODE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The surroundings of a command; without bytecode it would measure how fast Python compiles."""


def keep(benchmark: str, **values: float | str) -> None:
    """Print what a benchmark measured and put it into the file of this version and processor, in place of what it had.

    Args:
        benchmark: its name, under which the values stand.
        values: ratios first of all; seconds belong to the processor that the file names.
    """
    machine = provenance("cpu", 1)
    place = f"{version('asasr-bench')}-{'-'.join(machine.processor.lower().split())}"
    path = RESULTS / f"{''.join(sign if sign.isalnum() or sign in '.-' else '-' for sign in place)}.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rounded = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()}
    told["processor"], told["cores"] = machine.processor, machine.cores
    told.setdefault("benchmarks", {})[benchmark] = {
        **rounded, "measured": now(), "torch": version("torch"),
    }  # fmt: skip
    told["benchmarks"] = dict(sorted(told["benchmarks"].items()))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\n{benchmark}: " + ", ".join(f"{name} {value}" for name, value in rounded.items()))


def core_seconds(command: Sequence[str | Path], **environment: str) -> float:
    """Seconds of a core, user's and system's, that a command and its children took.

    Bytecode is kept, as that of an installed package is; call it twice, since the first call may write it.

    Raises:
        CalledProcessError: it failed; what it said is in the error.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, env={**_WITH_BYTECODE, "OMP_NUM_THREADS": "1", **environment}, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
