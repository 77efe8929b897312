"""Networks through a run against loops that load, restore and save and do nothing else, on one thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import load_spec
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.datasets.imresize import imresize
from asasr_bench.methods.networks.published import compact_gan_file
from asasr_bench.methods.registry import resolve
from asasr_bench.methods.weights.files import find, weight_file
from benchmark_results import keep
from PIL import Image
from spandrel import ModelLoader

pytestmark = pytest.mark.benchmark

OVER_BARE = 1.1
"""Seconds of a run for each second of the same network, restored and saved."""
FEW, ROUNDS = 2, 4
NETWORKS = {
    "compact-gan": (80, 120, 24), "realesr-animevideov3": (80, 120, 24), "dat-light-x4": (32, 48, 10),
    "realesrgan-x4plus": (32, 48, 6),
}  # fmt: skip
"""Height and width of LQ, and how many images there are beside the few whose time is subtracted: with it goes what
loading a network takes, and checking its file, which spandrel does not."""
FASTER = {"compact-gan": 1.1, "realesr-animevideov3": 1.1, "dat-light-x4": 1.3, "realesrgan-x4plus": 0.95}
"""Spandrel's seconds for each second of a run. RRDB is convolutions alone, which both compute at the processor's
limit."""


def loop(load: Callable[[], Callable[[torch.Tensor], torch.Tensor]], save: Callable[[Path, Any], None]) -> Any:
    """Restores the images of a folder into another, one by one."""

    def restore(lq: Path, sr: Path) -> None:
        network = load()
        with torch.inference_mode():
            for path in sorted(lq.iterdir()):
                image = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float().div(255)
                pixels = network(image)[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)
                save(sr / path.name, pixels.contiguous().numpy())

    return restore


@pytest.mark.parametrize("id", NETWORKS)
def test_a_run_costs_little_more_than_its_network(tmp_path: Path, id: str) -> None:
    """In turn, in seconds of the processor, so that what else it does strikes all alike; the least of each counts."""
    file = compact_gan_file() if id == "compact-gan" else find(weight_file(id))
    if file is None:
        pytest.skip(f"the weights of {id} are not here")
    height, width, count = NETWORKS[id]
    sr = tmp_path / "sr"
    sr.mkdir()
    for number in range(FEW + count):
        photo = np.roll(skimage.data.astronaut(), 7 * number, 1)[: 4 * height, : 4 * width]
        for images in [FEW, FEW + count] if number < FEW else [FEW + count]:
            write_png(tmp_path / f"hr{images}" / f"{number:03}.png", np.ascontiguousarray(photo))
            write_png(tmp_path / f"lq{images}" / f"{number:03}.png", imresize(photo, 1 / 4))

    def ours() -> Callable[[torch.Tensor], torch.Tensor]:
        method: Any = resolve(id).load("cpu")
        return lambda image: method.restore(image, 4, [0])

    def theirs() -> Callable[[torch.Tensor], torch.Tensor]:
        network: Any = ModelLoader("cpu").load_from_file(str(file)).eval()
        return lambda image: network(image)

    def pillow(path: Path, pixels: Any) -> None:
        Image.fromarray(pixels).save(path)

    def through_run(lq: Path, number: int) -> None:
        hr = lq.with_name(lq.name.replace("lq", "hr"))
        datasets = [f"D={lq},{hr}"]
        spec = {"datasets": datasets, "methods": [id], "metrics": ["psnr_y"], "device": "cpu"}
        run(load_spec("classic-x4", spec), tmp_path / f"store-{lq.name}-{number}")

    bare, spandrel = loop(ours, write_png), loop(theirs, pillow)
    ways: dict[str, Callable[[Path, int], object]] = {
        "run": through_run,
        "bare": lambda lq, number: bare(lq, sr),
        "spandrel": lambda lq, number: spandrel(lq, sr),
    }
    torch.set_num_threads(1)
    least = {(way, images): float("inf") for way in ways for images in (FEW, FEW + count)}
    for number in range(ROUNDS):
        for (way, images), before in least.items():
            start = time.process_time()
            ways[way](tmp_path / f"lq{images}", number)
            least[way, images] = min(before, time.process_time() - start)
    each = {way: (least[way, FEW + count] - least[way, FEW]) / count for way in ways}
    keep(
        f"network_{id}", run_against_bare=each["run"] / each["bare"],
        spandrel_against_run=each["spandrel"] / each["run"], load=os.getloadavg()[0],
        **{f"{way}_seconds_an_image": spent for way, spent in each.items()},
    )  # fmt: skip
    assert each["run"] <= OVER_BARE * each["bare"]
    assert each["spandrel"] >= FASTER[id] * each["run"]
