"""In the full suite a skip that nobody explained is a failure: what is skipped in silence is not tested."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

FULL = "ASASR_BENCH_FULL"
"""Environment variable that ``tox -e full`` sets."""

EXPLAINED: dict[str, str] = {
    "root may write everywhere": "rights do not bind root, which is who a container's suite runs as",
    "mounting is not allowed here": "a small tmpfs stands for a full disk; containers without CAP_SYS_ADMIN have none",
    "this kernel does not tell the peak of a call": "resetting the peak needs /proc/self/clear_refs",
    "(wandb|trackio) is not installed": "accelerate has one interface for all trackers, and TensorBoard is tested",
    "ASASR_BENCH_SHARED does not name a folder with the real images": "the real images are not part of the project",
}
"""Patterns of the reasons for which a test of the full suite may be skipped, each with why."""


def why_unexplained(reason: str) -> str:
    """'' where a skip is explained, or where this is not the full suite; else what is wrong with it."""
    if not os.environ.get(FULL) or any(re.search(pattern, reason) for pattern in EXPLAINED):
        return ""
    return f"skipped in the full suite ({reason}); install what is missing, or explain it in {__file__}"


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    detail: Any = report.longrepr
    reason = str(detail[2] if isinstance(detail, tuple) else detail)
    if problem := why_unexplained(reason.removeprefix("Skipped: ")):
        report.outcome = "failed"
        report.longrepr = problem


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Every phase of every test."""
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Files that skip themselves whole."""
    report = yield
    _refuse(report)
    return report
