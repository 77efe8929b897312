"""How often the code changes its module on the way of an image from a spec to its rows: what a reader has to follow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import parse_spec
from asasr_bench.datasets.images import write_png

FIRST = 247
"""Changes of a run of one image, opening and closing of the store included, which is read in another module than it is
written."""
EACH = 100
"""Those of each further image: prepared, planned, restored, measured, stored."""


def modules_called(work: Callable[[], Any]) -> list[str]:
    """The module of every named function of ours, in the order in which they are entered."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        code = frame.f_code
        if event == "call" and module.startswith("asasr_bench.") and not code.co_name.startswith("<"):
            generated = "__create_fn__" in code.co_qualname  # by a dataclass
            called.extend([] if generated else [module])

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return called


def changes(folder: Path, photo: np.ndarray, images: int) -> int:
    for number in range(images):
        write_png(folder / "hr" / f"{number}.png", np.ascontiguousarray(photo[number:][:64, :64]))
    spec = parse_spec(
        f"{{name: hops, protocol: classic-x4, datasets: ['D={folder}/hr'], methods: [bicubic], metrics: [psnr_y]}}",
        origin="test",
    )
    run(spec, folder / "warm")  # what is kept from run to run is there
    called = modules_called(lambda: run(spec, folder / "s"))
    return sum(before != after for before, after in pairwise(called))


def test_the_way_of_an_image_is_straight(tmp_path: Path, photo: np.ndarray) -> None:
    one, two, three = (changes(tmp_path / str(images), photo, images) for images in (1, 2, 3))
    assert one <= FIRST
    assert two - one == three - two <= EACH
