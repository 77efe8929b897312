"""Entry point of the ``asasr-bench`` command: puts the commands together and turns errors into messages."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command_name
from typer.models import CommandInfo

from ...asasr.training.stopping import TrainingStopped
from ...datasets.errors import BenchError
from ..execute.library_noise import quiet_libraries
from . import (
    ablate,
    catalogue,
    compare,
    data,
    doctor,
    drift,
    exchange,
    figures,
    init,
    inspect,
    leaderboard,
    measure,
    restore,
    run,
    severity,
    show,
    status,
    train,
    user_study,
    weights,
)
from .exit_codes import INTERNAL, INTERRUPTED, TERMINATED, UNREAD
from .running import cost
from .running.stopping import Terminated

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors of writing to an open file, which name none."""

_COLLECT_AFTER = 100_000
"""New objects after which Python looks for unreachable ones: at its own 700, imports cause hundreds of searches."""


def _command_line() -> typer.Typer:
    """The command line, with no command yet."""
    return typer.Typer(
        name="asasr-bench",
        help="Benchmark image super-resolution: exact protocols, pluggable methods, reproducible tables.",
        no_args_is_help=True,
        rich_markup_mode=None,  # importing rich for the help text alone takes longer than all the rest
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _command_line()
for module in (
    run,
    status,
    init,
    measure,
    inspect,
    leaderboard,
    figures,
    drift,
    ablate,
    compare,
    severity,
    catalogue,
    show,
    doctor,
    restore,
    cost,
    exchange,
):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(user_study.app, name="user-study")
app.add_typer(weights.app, name="weights")


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"asasr-bench {version('asasr-bench')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["ASASR_BENCH_DEBUG"] = "1"


def _with_command(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the command alone that is called: typer looks at every option of all that it is given."""
    called = [command for command in app.registered_commands if _name(command) == arguments[0]] if arguments else []
    if len(called) != 1:
        return app  # a group, an option, the help, shell completion or a mistake
    alone = _command_line()
    alone.registered_callback, alone.registered_commands = app.registered_callback, called
    return alone


def _name(command: CommandInfo) -> str:
    return command.name or (get_command_name(command.callback.__name__) if command.callback else "")


class _Interrupted(BaseException):
    """Ctrl-C, under a name that typer does not swallow."""


def _interrupt(*_: object) -> None:
    raise _Interrupted


def _leave_out_last_search() -> None:
    """Python ends with a search for unreachable objects, which took a third of a second of a run.

    It stays where torch is loaded: its Triton would call the objects that are not freed leaks, on stderr.
    """
    if "torch" not in sys.modules:
        gc.freeze()


def main() -> None:
    """Run the command line and exit with its status."""
    atexit.register(_leave_out_last_search)
    _usable_streams()
    try:
        status = _status()
        sys.stdout.flush()
    except BrokenPipeError:
        status = UNREAD
    if status == UNREAD:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(status)


def _usable_streams() -> None:
    """Let no text fail on its way out: closed streams lead nowhere, signs that an encoding lacks are spelled out."""
    for number in (0, 1, 2):  # the lowest that is closed is what open gives; files must not get their numbers
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - for the whole process
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _status() -> int:
    """Run the command; what went wrong is told.

    Raises:
        BrokenPipeError: whoever read the output (head, less) has seen enough.
    """
    quiet_libraries()
    gc.set_threshold(_COLLECT_AFTER)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        _with_command(sys.argv[1:])()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer and rich end with 1 then, as with any failure
            return UNREAD
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except _Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # pressed again while libraries clean up, it ends at once
        print("\ninterrupted; what was finished is kept, run the same command to go on", file=sys.stderr)
        return INTERRUPTED
    except Terminated:
        print("terminated; what was finished is kept, run the same command to go on", file=sys.stderr)
        return TERMINATED
    except TrainingStopped as stopped:
        if str(stopped):
            _tell(str(stopped))
        return 128 + stopped.signal
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("ASASR_BENCH_DEBUG"):
            raise
        return _report(error)
    return 0


def _report(error: Exception) -> int:
    """Print an error in words; returns the exit code."""
    if isinstance(error, BenchError):
        _tell(f"error: {error}")
        return error.exit_code
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK_ERRORS):
        place = error.filename or f"writing (temporary files are in {tempfile.tempdir or 'TMPDIR'})"
        _tell(f"error: {place}: {error.strerror}; check the path, its rights and the disk's space")
        return BenchError.exit_code
    if isinstance(error, MemoryError):
        _tell("error: out of memory; use smaller images (--crop), fewer workers or a smaller batch")
        return BenchError.exit_code
    _tell(f"internal error: {type(error).__name__}: {error}")
    _tell("run again with --debug for details")
    return INTERNAL


def _tell(text: str) -> None:
    """Print an error on one line; names in it may hold signs that would command the terminal."""
    from ...reports.escaping import plain

    print(plain(text), file=sys.stderr)


if __name__ == "__main__":
    main()
