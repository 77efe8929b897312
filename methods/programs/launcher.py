"""Starts one program for ``command.py`` and ends all that is left of it, in a small process of its own.

A script of the standard library alone, run as ``python -I -S launcher.py SECONDS PROGRAM ARGUMENTS``. A process of its
own, because the kernel hands the peak memory of whoever starts a program on to that program, and because it outlives
whoever asked: standard input is a pipe that ends with them, however they end, and the program ends then.

Prints one JSON object: ``status`` (exit status, negative for a signal; null where time was up), ``said`` (the end of
what the program wrote to standard error), ``memory`` (peak resident bytes of its largest process; null where it is too
small to be told from this one) or ``error`` (why it cannot be started).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_KEPT = 64 * 1024
"""Bytes of standard error that are kept, the last ones."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): processes that left their parents become our children
_LAST_SECONDS = 2.0
"""For killed processes to be gone."""
_STDIN = 0


def launch(arguments: list[str], seconds: float) -> dict[str, object]:
    """Run a program to its end, to the end of its time, or to the end of whoever asked for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    heard, speak = os.pipe()
    for pipe in (woken, wake, heard):
        fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    try:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=speak, start_new_session=True
        )
    except OSError as error:
        return {"error": error.strerror}
    floor = _peak()  # what a process that we begin has taken before it is the program
    os.close(speak)
    said, ended = b"", False
    deadline = time.monotonic() + seconds
    while not ended and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([_STDIN, woken, heard] if heard >= 0 else [_STDIN, woken], [], [], left)
        if _STDIN in ready:  # nobody is left to answer
            break
        if woken in ready:
            os.read(woken, 4096)
            reaped, status, usage = os.wait4(process.pid, os.WNOHANG)
            ended = reaped == process.pid
        said, heard = _listen(heard, said)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left in its group, too
    if not ended:
        _, status, usage = os.wait4(process.pid, 0)
    _end_children()
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "status": os.waitstatus_to_exitcode(status) if ended else None,
        "said": said.decode(errors="replace"),
        "memory": peak if ended and peak > floor else None,
    }


def _listen(pipe: int, said: bytes) -> tuple[bytes, int]:
    """What was said lately, with all that can be read at once; the pipe, -1 when nobody can write to it any more."""
    for _ in range(64):  # 4 MiB: then it is time to look at the clock
        if pipe < 0:
            break
        try:
            more = os.read(pipe, _KEPT)
        except BlockingIOError:
            break
        if not more:
            os.close(pipe)
            pipe = -1
        said = (said + more)[-_KEPT:]
    return said, pipe


def _end_children() -> None:
    """Kill what the program left running, in whatever session it is."""
    deadline = time.monotonic() + _LAST_SECONDS
    while time.monotonic() < deadline:
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        except OSError:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(child), signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def _peak() -> int:
    """Peak resident bytes of this process, which a program begins with; 0 where the kernel does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    print(json.dumps(launch(sys.argv[2:], float(sys.argv[1]))))
