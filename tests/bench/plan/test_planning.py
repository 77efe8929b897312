"""Planning goes image by image: in small stretches it finds the same work, and it holds none of it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.execute import run as runner
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.plan import missing as planning
from asasr_bench.bench.plan.disk_list import Spool
from asasr_bench.bench.plan.experiment import find_everything
from asasr_bench.bench.spec import Spec, parse_spec
from asasr_bench.bench.store.store import open_store
from ledger import ledger_rows
from PIL import Image


def spec_of(hr: Path, *metrics: str) -> Spec:
    content = {
        "name": "s",
        "protocol": "classic-x4",
        "datasets": [f"D={hr}"],
        "methods": ["bicubic", "nearest"],
        "metrics": metrics,
        "device": "cpu",
    }
    return parse_spec(json.dumps(content), origin="s")


def rows(root: Path) -> list[tuple[object, ...]]:
    with open_store(root) as store:
        return list(ledger_rows(store))


def test_short_stretches_find_the_same_work(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "HR").mkdir()
    for number in range(7):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) if number != 3 else np.zeros((32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "HR" / f"i{number}.png")
    (tmp_path / "HR" / "i4.png").write_bytes((tmp_path / "HR" / "i5.png").read_bytes())  # one input under two names
    (tmp_path / "HR" / "bad.png").write_bytes(b"no image")
    whole = run(spec_of(tmp_path / "HR", "psnr_y"), tmp_path / "whole")
    monkeypatch.setattr(planning, "_STRETCH", 3)
    monkeypatch.setattr(runner, "_ROWS", 2)
    assert run(spec_of(tmp_path / "HR", "psnr_y"), tmp_path / "short") == whole
    assert rows(tmp_path / "short") == rows(tmp_path / "whole")
    assert (whole.measured, whole.failed) == (14, 2)
    again = run(spec_of(tmp_path / "HR", "psnr_y", "ssim_y"), tmp_path / "short")
    assert (again.measured, again.kept, again.failed) == (14, 14, 4)
    third = run(spec_of(tmp_path / "HR", "psnr_y", "ssim_y"), tmp_path / "short", scope="untried")
    assert (third.measured, third.kept, third.failed) == (0, 28, 0)


def test_a_list_on_disk_is_a_list() -> None:
    spool: Spool[tuple[int, str]] = Spool()
    items = [(number, "x" * (number % 7)) for number in range(100)]
    for number, item in enumerate(items):
        spool.append(item)
        assert spool[number // 2] == items[number // 2]  # reading between writings
    assert list(spool) == items
    assert spool[-1] == items[-1]
    assert spool[90:] == items[90:]
    assert len(spool) == 100
    with pytest.raises(IndexError):
        spool[100]


def test_a_long_list_takes_eight_bytes_for_each_item() -> None:
    tracemalloc.start()
    try:
        spool: Spool[str] = Spool()
        for number in range(20_000):
            spool.append(f"{number:0>200}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20_000 * 8 * 1.2 + 50_000


def test_finished_images_of_several_methods_come_image_by_image(tmp_path: Path, rng: np.random.Generator) -> None:
    for folder in ("HR", "A", "B"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"i{number}.png")
    finished = [f"{name}=predictions:{tmp_path / name}" for name in ("A", "B")]
    content = {
        "name": "s",
        "protocol": "classic-x4",
        "datasets": [f"D={tmp_path / 'HR'}"],
        "metrics": ["psnr_y"],
        "methods": ["bicubic", *finished, "nearest"],
        "device": "cpu",
    }

    def order(**more: object) -> list[tuple[str, str]]:
        experiment = find_everything(parse_spec(json.dumps(content | more), origin="s"))
        return [(method.name, item.image) for method, _, _, item in experiment.outputs()]

    ends = [("bicubic", "i0"), ("bicubic", "i1")], [("nearest", "i0"), ("nearest", "i1")]
    mixed = [("A", "i0"), ("B", "i0"), ("A", "i1"), ("B", "i1")]
    assert order() == ends[0] + mixed + ends[1]
    assert order(batch=2) == ends[0] + sorted(mixed) + ends[1]  # images of one method go together
    spec = parse_spec(json.dumps(content), origin="s")
    assert run(spec, tmp_path / "store").measured == 8
    with open_store(tmp_path / "store") as store:
        frame = store.scores().pivot(index="image", columns="method", values="value")
    assert frame.notna().to_numpy().all()
    assert (frame["A"] != frame["B"]).all()  # each from its own folder
