"""What a GPU can do with this package, in minutes: ``python tests/gpu/run.py --out DIR``.

Each step is a process of its own with a limit of time, so that one that fails costs itself alone; it writes
DIR/STEP.json after every number it has. At the end DIR has ``summary.json`` and ``summary.md`` too: eight files at
most.

The package need not be installed: it is run from the checkout, with whatever the Python that runs this script has.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDERS = ("asasr", "bench", "datasets", "methods", "reports")


@dataclass(frozen=True)
class Step:
    """A script of this folder and the most seconds that it may take."""

    script: str
    seconds: float
    arguments: tuple[str, ...] = ()
    data: bool = False
    """It needs a folder of photos."""
    weights: bool = False
    """It can use VGG16's."""


STEPS = {
    "flux": Step("latent_models.py", 120, ("flux",)),
    "tests": Step("device_tests.py", 150),
    "small_prior": Step("small_prior.py", 60),
    "training": Step("interrupted_training.py", 170, data=True),
    "sdxl": Step("latent_models.py", 75, ("sdxl",)),
    "metrics": Step("metric_speed.py", 60, weights=True),
}
"""In the order of their worth, should time be short."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--steps", default=",".join(STEPS), help=f"some of {','.join(STEPS)}")
    parser.add_argument("--budget", type=float, default=480.0, help="seconds for all steps together")
    parser.add_argument("--data", type=Path, help="folder of photos to train on")
    parser.add_argument("--weights", type=Path, help="torchvision's VGG16, for the true values of DISTS")
    parser.add_argument("--tiny", action="store_true", help="networks and images of a size for a CPU: proves the steps")
    options = parser.parse_args()
    chosen = options.steps.split(",")
    if strange := sorted(set(chosen) - set(STEPS)):
        parser.error(f"unknown steps {', '.join(strange)} (known: {', '.join(STEPS)})")
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + options.budget
    results = {}
    for number, name in enumerate(chosen):
        left = end - time.monotonic()
        print(f"{name}: {left:.0f} seconds are left for this and {len(chosen) - number - 1} more", flush=True)
        results[name] = run_step(name, STEPS[name], left, options)
        print(f"{name}: {results[name]['outcome']} after {results[name]['seconds']:.0f} s", flush=True)
    summary = {"device": device_words(results), "tiny": options.tiny, "steps": results}
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    text = as_markdown(summary)
    (options.out / "summary.md").write_text(text)
    print(text)
    return 0 if all(result["outcome"] == "done" for result in results.values()) else 1


def run_step(name: str, step: Step, left: float, options: argparse.Namespace) -> dict[str, Any]:
    """Outcome, seconds, numbers and, of a step that failed, the end of what it said."""
    path = options.out.resolve() / f"{name}.json"
    path.unlink(missing_ok=True)
    limit = left if options.tiny else min(step.seconds, left)  # a busy processor proves the steps all the same
    if limit < 5:
        return {"outcome": "no time was left", "seconds": 0.0, "numbers": {}}
    if step.data and options.data is None:
        return {"outcome": "not run: it needs --data", "seconds": 0.0, "numbers": {}}
    command = [
        sys.executable,
        str(HERE / step.script),
        *step.arguments,
        "--out",
        str(path),
        "--seconds",
        f"{limit:.0f}",
    ]
    command += ["--tiny"] * options.tiny
    if step.data:
        command += ["--data", str(options.data.resolve())]
    if step.weights and options.weights is not None:
        command += ["--weights", str(options.weights.resolve())]
    begun = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), start_new_session=True,
        errors="replace",
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=limit)
        outcome = "done" if process.returncode == 0 else f"failed with status {process.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        outcome = f"stopped at its limit of {limit:.0f} s"
    numbers = json.loads(path.read_text()) if path.exists() else {}
    result = {"outcome": outcome, "seconds": round(time.monotonic() - begun, 1), "numbers": numbers}
    if outcome != "done":
        result["said"] = said[-4000:]
        print(said[-2000:], flush=True)
    return result


def environment() -> dict[str, str]:
    """This process's, with the package importable from the checkout."""
    links = ROOT / ".dev" / "asasr_bench"
    links.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        if not (links / folder).exists():
            (links / folder).symlink_to(ROOT / folder)
    paths = [str(ROOT / ".dev"), str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "Agg",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }


def device_words(results: dict[str, Any]) -> str:
    """The first that a step tells."""
    return next((str(one["numbers"]["device"]) for one in results.values() if "device" in one["numbers"]), "unknown")


def as_markdown(summary: dict[str, Any]) -> str:
    """A list of the numbers of each step."""
    size = "tiny networks, which prove the steps and measure nothing" if summary["tiny"] else "full size"
    lines = [f"# {summary['device']}", "", size[0].upper() + size[1:] + ".", ""]
    for name, result in summary["steps"].items():
        lines += [f"## {name}: {result['outcome']}, {result['seconds']:.0f} s", ""]
        lines += [f"- {key}: {shown(value)}" for key, value in result["numbers"].items() if key != "device"]
        lines += ["", "```", result["said"].strip()[-1500:], "```"] if "said" in result else []
        lines += [""]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Numbers with four digits, tables as ``key value, key value``."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(inner)}" for key, inner in value.items())
    return "; ".join(map(shown, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
