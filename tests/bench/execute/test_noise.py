"""Messages of libraries that nobody can act on do not reach a user; all others do."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from asasr_bench.bench.execute.library_noise import quiet_libraries


def test_only_the_known_messages_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    quiet_libraries()
    library = logging.getLogger("bitsandbytes.backends.cpu.ops")
    library.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "No module named 'kernels'")
    library.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]


def test_only_the_known_warnings_are_dropped() -> None:
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings(record=True) as before:
            warnings.simplefilter("always")
            torch.meshgrid(torch.arange(2), torch.arange(2))
            assert len(before) == 1  # else this test shows nothing
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            quiet_libraries()
            torch.meshgrid(torch.arange(2), torch.arange(2))
            warnings.warn("torch.meshgrid: in an upcoming release", UserWarning, stacklevel=1)  # ours would be shown
            assert len(said) == 1
    finally:
        torch.set_warn_always(False)
