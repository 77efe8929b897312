"""An external program as a method: it reads a folder of LQ images and writes a folder of SR images."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import MethodError
from ..interface import MethodCard

_STDERR_LINES = 20
_STDERR_SIGNS = 2000
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class ExternalCommand:
    """A ``FolderMethod`` that runs a command line without a shell; ``{lq} {sr} {scale} {seed}`` are filled in."""

    card: MethodCard
    command: str
    timeout: float
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    """Text that the names of outputs add to the names of inputs."""
    lossy: bool = False
    """Accept outputs with lossy compression."""

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: float, seed: int) -> int | None:
        """See ``FolderMethod``.

        Raises:
            MethodError: the program is missing, fails, or exceeds its timeout, which ends all its processes.
        """
        values = {"lq": str(lq_dir), "sr": str(sr_dir), "scale": str(scale), "seed": str(seed)}
        return run_program(self.card.id, filled(self.command, values), self.timeout, self.cwd, self.env)


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
) -> int | None:
    """Run a program until it ends.

    All processes that it started are killed when it ends, and also when this process ends for whatever reason.

    Args:
        name: name of the method, for errors.
        arguments: the program and its arguments.
        timeout: limit in seconds.
        cwd: folder in which the program runs; None: the current one.
        env: environment variables added to those of this process.

    Returns:
        Peak resident memory of its largest process in bytes; None if it is too small to be measured.

    Raises:
        MethodError: the program is missing, fails, or exceeds its timeout.
    """
    command = [sys.executable, "-I", "-S", "-B", str(_LAUNCHER), str(timeout), *arguments]
    try:
        launcher = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the program
        )
    except OSError as error:
        raise MethodError(f"{name}: cannot start in the folder '{cwd}' ({error.strerror})") from None
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    with launcher:  # leaving the block, also by an error, closes the pipes; then the launcher ends the program
        output = launcher.stdout.read()
    try:
        result = json.loads(output)
    except ValueError:
        raise MethodError(f"{name}: the process that started it ended (status {launcher.returncode})") from None
    if "error" in result:
        raise MethodError(f"{name}: cannot start '{arguments[0]}' ({result['error']})")
    last_lines = "\n".join(result["said"].splitlines()[-_STDERR_LINES:])[-_STDERR_SIGNS:]
    if result["status"] is None:
        raise MethodError(
            f"{name}: no end after {timeout:g} s; raise 'timeout' or use less"
            + (f"; its last words: {last_lines}" if last_lines else "")
        )
    if result["status"] != 0:
        raise MethodError(f"{name}: exit status {result['status']}; its last words: {last_lines or 'none'}")
    memory: int | None = result["memory"]
    return memory
