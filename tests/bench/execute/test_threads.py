"""Threads: a setting of the run, so that no pixel and no value follows from cores or workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
import torch
from asasr_bench import open_store
from asasr_bench.bench.execute.threads import cores, fixed_threads
from asasr_bench.datasets.images import write_png
from ledger import ledger_rows

BLAS = {"openblas", "mkl", "blis"}


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["internal_api"] in BLAS}


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_and_blas_have_the_threads_of_the_run(threads: int) -> None:
    before = torch.get_num_threads(), blas_threads(), os.environ.get("OMP_NUM_THREADS")
    with fixed_threads(threads) as usual:
        assert torch.get_num_threads() == threads
        assert blas_threads() == {threads}
        assert os.environ["OMP_NUM_THREADS"] == str(threads)  # for libraries that are loaded in the block
        assert usual["OMP_NUM_THREADS"] == before[2]
    assert (torch.get_num_threads(), blas_threads(), os.environ.get("OMP_NUM_THREADS")) == before


def run(store: Path, hr: Path, *more: object) -> pd.DataFrame:
    """SR digests and values of a flow and of interpolation, where nobody limits threads."""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    spec = hr.with_name("spec.yaml")
    spec.write_text(
        f"{{name: t, protocol: asasr, datasets: ['D={hr}'], metrics: [psnr_y, lpips_alex, ssim_y], device: cpu,"
        " methods: [{id: 'asasr:small-prior', sampling: {steps: 2}}, bicubic]}"
    )
    arguments = ("run", spec, "--store", store, "--no-report", *more)
    subprocess.run(
        [sys.executable, "-m", "asasr_bench.bench.cli.main", *map(str, arguments)],
        env=free,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=300,
    )
    with open_store(store) as opened:
        assert opened.runs()[-1].provenance.threads == 1
        return pd.DataFrame(list(ledger_rows(opened)))


@pytest.mark.skipif(cores() < 2, reason="one core has one thread anyway")
def test_workers_change_no_pixel_and_no_value(tmp_path: Path, photo: np.ndarray) -> None:
    for number in range(2):
        write_png(tmp_path / "hr" / f"{number}.png", np.ascontiguousarray(photo[64 * number :][:128, :128]))
    first, second = (run(tmp_path / f"s{n}", tmp_path / "hr", "--workers", n) for n in (1, 2))
    assert len(first) == 12
    pd.testing.assert_frame_equal(first, second, check_exact=True)
