"""An external program in its own environment: a folder of LQ in, a folder of SR out."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import MethodError
from .protocol import MethodCard

_STDERR_LINES = 20
PLACEHOLDERS = ("lq", "sr", "scale", "seed")


@dataclass(frozen=True)
class ExternalCommand:
    """Runs a command line without a shell; ``{lq} {sr} {scale} {seed}`` are filled in."""

    card: MethodCard
    command: str
    timeout: float
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: int, seed: int) -> None:
        """See ``FolderMethod``.

        Raises:
            MethodError: the program is not there, fails, or runs past its timeout, which ends all its processes.
        """
        values = {"lq": str(lq_dir), "sr": str(sr_dir), "scale": str(scale), "seed": str(seed)}
        run_program(self.card.id, filled(self.command, values), self.timeout, self.cwd, self.env)


def filled(command: str, values: Mapping[str, str]) -> list[str]:
    """The arguments of a command line, with each ``{name}`` replaced by its value."""
    arguments = []
    for argument in shlex.split(command):
        for name, value in values.items():
            argument = argument.replace("{" + name + "}", value)
        arguments.append(argument)
    return arguments


def run_program(
    name: str, arguments: list[str], timeout: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end; ``name`` stands for it in errors.

    Raises:
        MethodError: it is not there, fails, or runs past its timeout (seconds), which ends all its processes.
    """
    try:
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise MethodError(f"{name}: cannot start '{arguments[0]}' ({error.strerror})") from None
    try:
        _, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise MethodError(f"{name}: no end after {timeout:g} s; raise 'timeout' or use less") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        tail = "\n".join(stderr.splitlines()[-_STDERR_LINES:])
        raise MethodError(f"{name}: exit status {process.returncode}; its last words: {tail or 'none'}")
