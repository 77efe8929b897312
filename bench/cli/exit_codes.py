"""Exit codes of the command line; the exit code of an error belongs to its class (``datasets/errors.py``)."""

from __future__ import annotations

from ...datasets.errors import BenchError, UsageError

GATE_FAILED = 1
"""``check``, ``doctor --golden``, ``reproduce --run``: a value differs from the baseline, the record or the results."""
USAGE = UsageError.exit_code
INCOMPLETE = BenchError.exit_code
"""Data, weights or an engine are missing or damaged, or cells of a run have no value."""
INTERNAL = 70
"""An error of this program; EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""Control-C: 128 + SIGINT, as in shells."""
UNREAD = 141
"""The reader of the output closed it: 128 + SIGPIPE."""
TERMINATED = 143
"""128 + SIGTERM."""
