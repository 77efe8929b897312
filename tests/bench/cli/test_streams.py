"""Where output goes: encodings that lack signs, readers that leave, streams that are closed, full temporary folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asasr_bench.bench.plan.disk_list import Spool

RUN = [sys.executable, "-m", "asasr_bench.bench.cli.main"]


def _shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line, *RUN],
        capture_output=True,
        cwd=folder,
        env={**os.environ, **variables},
        text=True,
        encoding="latin-1",
    )


MEASURE = "run demo --dataset demo-photos --method bicubic --metric psnr_y --crop 48 --store store"


def test_an_encoding_without_our_signs_costs_no_report(tmp_path: Path) -> None:
    """The arrows of tables are spelled out."""
    ended = _shell(f'"$0" "$@" {MEASURE}', tmp_path, PYTHONIOENCODING="latin-1")
    assert (ended.returncode, "\\u2191" in ended.stdout, ended.stderr) == (0, True, "")
    assert (tmp_path / "store" / "report" / "leaderboard.html").exists()


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """As of any program that writes into a closed pipe: 128 + SIGPIPE, and not a word; long output and short."""
    for command in ("list metrics", "--version"):
        ended = _shell(f'"$0" "$@" {command} | true; exit ${{PIPESTATUS[0]}}', tmp_path)
        assert (ended.returncode, ended.stderr) == (141, ""), command


def test_closed_streams(tmp_path: Path) -> None:
    for closed, status in (("2>&-", 2), (">&-", 2), (">&- 2>&- <&-", 2)):
        assert _shell(f'"$0" "$@" show no-such-method {closed}', tmp_path).returncode == status
    ended = _shell(f'"$0" "$@" {MEASURE} 2>&-', tmp_path)
    assert (ended.returncode, "psnr_y" in ended.stdout or "PSNR" in ended.stdout) == (0, True)


def test_a_full_temporary_folder_is_named(tmp_path: Path) -> None:
    """Files may not grow here beyond a limit, which is an error of the system like a full disk."""
    code = (
        "import resource, signal; from asasr_bench.bench.plan.disk_list import Spool\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "items = Spool()\n"
        "try:\n"
        "    for _ in range(100): items.append(b'x' * 1000)\n"
        "except OSError as error: print(error.filename)\n"
    )
    ended = _shell(f'"$0" -c "{code}"'.replace("$0", sys.executable), tmp_path, TMPDIR=str(tmp_path))
    assert (ended.stdout, ended.stderr) == (f"temporary files in {tmp_path}\n", "")


def test_no_temporary_folder_at_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="temporary files in"):
        Spool[int]()
    assert "Exception ignored" not in capsys.readouterr().err
