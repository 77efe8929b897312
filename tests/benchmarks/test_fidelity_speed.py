"""PSNR and SSIM of 512x512 pairs against pyiqa's classes, side by side on the same decoded images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.bench.metrics.fidelity import psnr_y, ssim_y
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import read_image
from asasr_bench.datasets.imresize import imresize
from benchmark_results import keep

pytestmark = pytest.mark.benchmark

TIMES = 20
"""As fast as pyiqa at least, on one core each."""


def seconds(job: Callable[[], object], repeats: int = 1) -> float:
    """Of all cores that it used, the least of the repeats."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
    return float(best)


def test_psnr_and_ssim_against_pyiqa(shared: Path) -> None:
    archs = pytest.importorskip("pyiqa.archs.psnr_arch")
    ssim_arch = pytest.importorskip("pyiqa.archs.ssim_arch")
    root = shared / "data" / "RealSR_512"
    pairs = [(read_image(sr), read_image(root / "test_HR" / sr.name))
             for sr in sorted((root / "results_osediff").glob("*.png"))[::5]]  # fmt: skip
    tensors = [tuple(torch.from_numpy(image).movedim(-1, 0)[None] / 255 for image in pair) for pair in pairs]
    protocol = get_protocol("osediff-512", 4)
    theirs = (archs.PSNR(test_y_channel=True, color_space="ycbcr"),
              ssim_arch.SSIM(test_y_channel=True, color_space="ycbcr"))  # fmt: skip
    values: dict[str, list[tuple[float, float]]] = {"ours": [], "pyiqa": []}

    def ours() -> None:
        for sr, hr in pairs:
            pair = MetricInput(sr, hr, protocol)
            values["ours"].append((psnr_y(pair), ssim_y(pair)))

    def pyiqas() -> None:
        with torch.no_grad():
            values["pyiqa"] += [(theirs[0](*pair).item(), theirs[1](*pair).item()) for pair in tensors]

    torch.set_num_threads(1)
    pyiqas_time, ours_time = seconds(pyiqas), seconds(ours, repeats=2)
    keep("fidelity_against_pyiqa", ratio=pyiqas_time / ours_time, images=len(pairs),
         seconds_an_image=ours_time / len(pairs), pyiqa_seconds_an_image=pyiqas_time / len(pairs))  # fmt: skip
    differences = np.abs(np.array(values["ours"][: len(pairs)]) - np.array(values["pyiqa"])).max(0)
    assert (differences < [1e-4, 1e-5]).all()
    assert pyiqas_time / ours_time >= TIMES


def sizes() -> Iterator[tuple[str, float]]:
    yield from (("x1/4", 1 / 4), ("x1/2", 1 / 2), ("x2", 2.0), ("x4", 4.0))


def test_imresize_of_a_512_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    for name, scale in sizes():
        took = seconds(lambda scale=scale: imresize(image, scale), repeats=5)  # type: ignore[misc]
        print(f"\nimresize 512x512 RGB {name}: {took * 1e3:.1f} ms")
        if scale < 1:
            assert took < 0.04
