"""Starts one program for ``command.py`` in a small process of its own, and kills everything that the program leaves.

A script that needs only the standard library, run as ``python -I -S launcher.py SECONDS PROGRAM ARGUMENTS``. It is a
separate process for two reasons. The kernel counts the peak memory of the process that starts a program as the
program's own. And it outlives its caller: standard input is a pipe from the caller that closes when the caller ends,
and then the program is killed.

Prints one JSON object: ``status`` (exit status, negative for a signal; null after a timeout), ``said`` (the end of what
the program wrote to standard error), ``memory`` (peak resident bytes of its largest process; null where it cannot be
distinguished from that of this process) or ``error`` (why the program cannot be started).
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
"""How many bytes of the end of standard error are kept."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): processes that left their parents become our children
_LAST_SECONDS = 2.0
"""How many seconds to wait for killed processes to disappear."""
_STDIN = 0


def launch(arguments: list[str], seconds: float) -> dict[str, object]:
    """Run a program until it ends, its time is over, or the caller has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    wakeup_read, wakeup_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    for pipe in (wakeup_read, wakeup_write, stderr_read):
        fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_write)
    try:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr_write, start_new_session=True
        )
    except OSError as error:
        return {"error": error.strerror}
    floor = _peak()  # a started process inherits this peak before it becomes the program
    os.close(stderr_write)
    stderr_end, ended = b"", False
    deadline = time.monotonic() + seconds
    while not ended and (remaining := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select(
            [_STDIN, wakeup_read, stderr_read] if stderr_read >= 0 else [_STDIN, wakeup_read], [], [], remaining
        )
        if _STDIN in readable:  # the caller has ended
            break
        if wakeup_read in readable:
            os.read(wakeup_read, 4096)
            reaped, status, usage = os.wait4(process.pid, os.WNOHANG)
            ended = reaped == process.pid
        stderr_end, stderr_read = _listen(stderr_read, stderr_end)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # and the processes left in its group
    if not ended:
        _, status, usage = os.wait4(process.pid, 0)
    _end_children()
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "status": os.waitstatus_to_exitcode(status) if ended else None,
        "said": stderr_end.decode(errors="replace"),
        "memory": peak if ended and peak > floor else None,
    }


def _listen(pipe: int, stderr_end: bytes) -> tuple[bytes, int]:
    """Read what is available on the pipe.

    Returns:
        The last bytes of standard error so far, and the pipe (-1 once no process can write to it any more).
    """
    for _ in range(64):  # at most 4 MiB before the deadline is checked again
        if pipe < 0:
            break
        try:
            chunk = os.read(pipe, _KEPT)
        except BlockingIOError:
            break
        if not chunk:
            os.close(pipe)
            pipe = -1
        stderr_end = (stderr_end + chunk)[-_KEPT:]
    return stderr_end, pipe


def _end_children() -> None:
    """Kill all processes that the program left, also those in other sessions."""
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
    """Peak resident bytes of this process; 0 where the kernel does not report it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    print(json.dumps(launch(sys.argv[2:], float(sys.argv[1]))))
