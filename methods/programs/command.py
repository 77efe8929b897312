"""An external program in its own environment: a folder of LQ in, a folder of SR out."""

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
PLACEHOLDERS = ("lq", "sr", "scale", "seed")


@dataclass(frozen=True)
class ExternalCommand:
    """Runs a command line without a shell; ``{lq} {sr} {scale} {seed}`` are filled in."""

    card: MethodCard
    command: str
    timeout: float
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    """What names of its outputs add to those of its inputs."""
    lossy: bool = False
    """Take outputs that are compressed with loss."""

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: int, seed: int) -> int | None:
        """See ``FolderMethod``.

        Raises:
            MethodError: the program is not there, fails, or runs past its timeout, which ends all its processes.
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
    """Run a program to its end; ``name`` stands for it in errors.

    When it has ended, or this process has, however that came, whatever it left running is ended too.

    Args:
        timeout: seconds.

    Returns:
        Peak resident bytes of its largest process; None where that is too small to be known.

    Raises:
        MethodError: it is not there, fails, or runs past its timeout.
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
            start_new_session=True,  # signals of a terminal are for us; the program ends when we do
        )
    except OSError as error:
        raise MethodError(f"{name}: cannot start in the folder '{cwd}' ({error.strerror})") from None
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    with launcher:  # whatever leaves this block closes the pipes, and the launcher ends the program
        told = launcher.stdout.read()
    try:
        result = json.loads(told)
    except ValueError:
        raise MethodError(f"{name}: the process that started it ended (status {launcher.returncode})") from None
    if "error" in result:
        raise MethodError(f"{name}: cannot start '{arguments[0]}' ({result['error']})")
    said = "\n".join(result["said"].splitlines()[-_STDERR_LINES:])[-_STDERR_SIGNS:]
    if result["status"] is None:
        raise MethodError(
            f"{name}: no end after {timeout:g} s; raise 'timeout' or use less"
            + (f"; its last words: {said}" if said else "")
        )
    if result["status"] != 0:
        raise MethodError(f"{name}: exit status {result['status']}; its last words: {said or 'none'}")
    memory: int | None = result["memory"]
    return memory
