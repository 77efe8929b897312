"""Networks through a run against loops that restore and save and do nothing else, on one thread."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from asasr_bench.datasets.images import write_png
from asasr_bench.datasets.imresize import imresize
from asasr_bench.methods.networks.published import compact_gan_file
from asasr_bench.methods.weights.files import find, weight_file

pytestmark = pytest.mark.benchmark

OVER_BARE = 1.1
"""Seconds of a run for each second of the same network, restored and saved."""
ROUNDS = 2
NETWORKS = {
    "compact-gan": (80, 120, 16), "realesr-animevideov3": (80, 120, 16), "dat-light-x4": (32, 48, 8),
    "realesrgan-x4plus": (32, 48, 6),
}  # fmt: skip
"""Height and width of LQ, and how many images are counted."""

BARE = """
import sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.registry import load_method
network = load_method(sys.argv[1])
with torch.inference_mode():
    for path in sorted(Path(sys.argv[2]).iterdir()):
        lq = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float().div(255)
        sr = network.restore(lq, 4, [0])[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)
        write_png(Path(sys.argv[3]) / path.name, sr.contiguous().numpy())
"""
SPANDREL = """
import sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from spandrel import ModelLoader
network = ModelLoader().load_from_file(sys.argv[1]).eval()
with torch.no_grad():
    for path in sorted(Path(sys.argv[2]).iterdir()):
        lq = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float().div(255)
        sr = network(lq)[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)
        Image.fromarray(sr.contiguous().numpy()).save(Path(sys.argv[3]) / path.name)
"""


def seconds_of(*command: str) -> float:
    """Of the processor, in a process of its own with one thread."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *command], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("id", NETWORKS)
def test_a_run_costs_little_more_than_its_network(tmp_path: Path, id: str) -> None:
    """Starting and loading cancel between few images and many."""
    file = compact_gan_file() if id == "compact-gan" else find(weight_file(id))
    if file is None:
        pytest.skip(f"the weights of {id} are not here")
    height, width, count = NETWORKS[id]
    few = 2
    for number in range(few + count):
        hr = np.roll(skimage.data.astronaut(), 7 * number, 1)[: 4 * height, : 4 * width]
        for side in [few, few + count] if number < few else [few + count]:
            write_png(tmp_path / f"hr{side}" / f"{number:03}.png", hr)
            write_png(tmp_path / f"lq{side}" / f"{number:03}.png", imresize(hr, 1 / 4))

    def run(images: int, number: int) -> float:
        lq, hr, store = (tmp_path / f"{part}{images}" for part in ("lq", "hr", f"store{number}-"))
        return seconds_of(
            "-m", "asasr_bench.bench.cli.main", "run", "classic-x4", "--dataset", f"D={lq},{hr}", "--method", id,
            "--metric", "psnr_y", "--device", "cpu", "--store", str(store), "--no-report",
        )  # fmt: skip

    def loop(code: str, what: str) -> Callable[[int, int], float]:
        def of(images: int, number: int) -> float:
            target = tmp_path / f"sr{images}"
            target.mkdir(exist_ok=True)
            return seconds_of("-c", code, what, str(tmp_path / f"lq{images}"), str(target))

        return of

    ways = {"run": run, "bare": loop(BARE, id), "spandrel": loop(SPANDREL, str(file))}
    least = {(way, images): float("inf") for way in ways for images in (few, few + count)}
    for number in range(ROUNDS):
        for (way, images), before in least.items():
            least[way, images] = min(before, ways[way](images, number))
    each = {way: (least[way, few + count] - least[way, few]) / count for way in ways}
    print(f"\n{id}: {', '.join(f'{way} {1000 * spent:.0f} ms' for way, spent in each.items())} an image; run / bare"
          f" {each['run'] / each['bare']:.2f}, spandrel / run {each['spandrel'] / each['run']:.2f}")  # fmt: skip
    assert each["run"] <= OVER_BARE * each["bare"]
    assert each["run"] < each["spandrel"]
