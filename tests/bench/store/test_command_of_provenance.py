"""The command that a run's provenance names."""

from __future__ import annotations

import pytest
from asasr_bench.bench.store.provenance import provenance


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
