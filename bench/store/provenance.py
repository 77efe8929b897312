"""Provenance of a run: command, code, packages and machine. It explains results and is in no key."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGES = (
    "asasr-bench",
    "numpy",
    "scipy",
    "pandas",
    "pillow",
    "torch",
    "torchvision",
    "spandrel",
    "scikit-image",
    "diffusers",
    "peft",
    "transformers",
    "accelerate",
    "safetensors",
    "pyyaml",
    "pyiqa",
    "easyocr",
    "rapidocr",
    "ultralytics",
    "mmsegmentation",
    "onnxruntime",
    "ncnn",
)
"""Packages whose version can change a pixel or a score, with all that no method's identity has (``code_files``); those
not installed are left out."""

_VECTORS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16", "sve", "asimd")
"""Vector instructions in the kernel's names, widest first; the rounding of a network's outputs depends on them."""


@dataclass(frozen=True)
class Provenance:
    """Command, code, packages and machine of a run."""

    command: str = ""
    """Command line."""
    folder: str = ""
    """Working folder, from which relative paths of the command started; '' for runs of earlier versions."""
    git: str = ""
    """Commit of the checkout, with ``+changes`` if files differ from it; '' for an installed package."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions that can change a pixel or a score."""
    python: str = ""
    platform: str = ""
    processor: str = ""
    """Name of the processor and the widest of its vector instructions."""
    cores: int | None = None
    device: str = ""
    threads: int | None = None


def _command() -> str:
    """The command line without the program's folder; ``python -m`` of the program counts as the program."""
    program = Path(sys.argv[0])
    name = "asasr-bench" if program.parts[-2:] == ("cli", "main.py") else program.name
    return shlex.join([name, *sys.argv[1:]])


def now() -> str:
    """The present moment as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(device: str, threads: int) -> Provenance:
    """Provenance of this process.

    Args:
        device: device on which methods run.
        threads: number of threads of each worker.
    """
    return Provenance(
        command=_command(),
        folder=str(Path.cwd()),
        git=_git_commit(),
        packages=package_versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count(),
        device=device,
        threads=threads,
    )


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
    """Versions of the packages that can change a pixel or a score, and are installed."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = _version(package)
        except PackageNotFoundError:
            continue
    return versions


def _version(package: str) -> str:
    """Read from the head of the metadata; ``importlib.metadata.version`` parses all of it, which takes 2 ms."""
    metadata = distribution(package)
    lines = (metadata.read_text("METADATA") or "").split("\n\n", 1)[0].splitlines()
    return next((line.removeprefix("Version:").strip() for line in lines if line.startswith("Version:")), "") or (
        metadata.version
    )


def _processor() -> str:
    """Name of the processor and the widest of its vector instructions, which libraries use to choose kernels."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return platform.processor()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = values.get("flags", values.get("Features", "")).split()
    widest = next((flag for flag in _VECTORS if flag in flags), "")
    return " ".join(part for part in (values.get("model name", platform.machine()), widest) if part)


def _git_commit() -> str:
    """Commit of the checkout this code runs from; empty for an installed package."""
    folder = Path(__file__).resolve().parent
    try:
        top = _git("rev-parse", "--show-toplevel", cwd=folder)
        if Path(top, "bench", "store") != folder:
            return ""
        dirty = "+changes" if _git("status", "--porcelain", cwd=folder) else ""
        return _git("rev-parse", "HEAD", cwd=folder) + dirty
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str, cwd: Path) -> str:
    result = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=10, check=True)
    return result.stdout.strip()
