"""The full suite refuses skips that nobody explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).with_name("support")
TESTS = """
import pytest
{module}
def test_runs(): pass
def test_skips(): pytest.skip("{reason}")
@pytest.mark.skipif(True, reason="{reason}")
def test_marked(): pass
@pytest.mark.xfail(strict=True)
def test_expected(): assert False
"""


@pytest.mark.parametrize(
    ("full", "module", "reason", "outcome", "status"),
    [
        ("1", "", "no Chromium on this machine", "1 failed, 1 passed, 1 xfailed, 1 error", 1),
        ("1", "", "root may write everywhere", "1 passed, 2 skipped, 1 xfailed", 0),
        ("", "", "no Chromium on this machine", "1 passed, 2 skipped, 1 xfailed", 0),
        ("1", "pytest.importorskip('no_such_module')", "", "1 error", 2),
        ("", "pytest.importorskip('no_such_module')", "", "1 skipped", 5),
    ],
)
def test_a_skip_without_explanation_fails(
    tmp_path: Path, full: str, module: str, reason: str, outcome: str, status: int
) -> None:
    (tmp_path / "test_some.py").write_text(TESTS.format(module=module, reason=reason))
    arguments = ["-p", "explained_skips", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {"PYTHONPATH": str(SUPPORT), "ASASR_BENCH_FULL": full}
    done = subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, capture_output=True, text=True)
    assert outcome in done.stdout.splitlines()[-1]
    assert done.returncode == status
