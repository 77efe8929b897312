"""What a run's provenance names: its command, and the packages that no method's identity has."""

from __future__ import annotations

import pytest
from asasr_bench.bench.store.provenance import PACKAGES, provenance
from asasr_bench.methods.user_code.code_files import RECORDED


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("/opt/env/bin/asasr-bench", "asasr-bench"),
        ("/opt/env/lib/python3.12/site-packages/asasr_bench/bench/cli/main.py", "asasr-bench"),
        ("/home/ann/study/main.py", "main.py"),
    ],
)
def test_it_can_be_typed_and_names_no_folder_of_the_program(
    monkeypatch: pytest.MonkeyPatch, typed: str, named: str
) -> None:
    monkeypatch.setattr("sys.argv", [typed, "run", "my spec.yaml"])
    assert provenance("cpu", 1).command == f"{named} run 'my spec.yaml'"


def test_versions_that_no_identity_has_are_recorded_with_the_run() -> None:
    assert set(PACKAGES) >= RECORDED
