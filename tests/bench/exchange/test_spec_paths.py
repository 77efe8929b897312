"""Paths of a spec that was given on the command line."""

from __future__ import annotations

from pathlib import Path

from asasr_bench.bench.exchange.spec_paths import with_absolute_paths


def test_paths_start_from_the_folder_of_the_run(tmp_path: Path) -> None:
    spec = {
        "name": "mine",
        "protocol": "classic-x4",
        "datasets": [
            "Set5",
            "A=hr",
            "B=lq,/data/hr",
            "C=lq,",
            "D=./mine.py:pairs",
            "cards/E.yaml",
            {"name": "F", "hr": "f"},
        ],
        "methods": ["bicubic", "net.pth", "Old=predictions:old", "./mine.py:Mine", {"name": "N", "weights": "n.pth"}],
        "metrics": ["psnr_y", "./mine.py:edges"],
        "truth": ["A=labels:truth,void=11"],
        "scale": 4,
    }
    placed = with_absolute_paths(spec, tmp_path)
    assert placed["datasets"] == [
        "Set5",
        f"A={tmp_path}/hr",
        f"B={tmp_path}/lq,/data/hr",
        f"C={tmp_path}/lq,",
        f"D={tmp_path}/mine.py:pairs",
        f"{tmp_path}/cards/E.yaml",
        {"name": "F", "hr": f"{tmp_path}/f"},
    ]
    assert placed["methods"] == [
        "bicubic",
        {"weights": f"{tmp_path}/net.pth"},
        {"name": "Old", "predictions": f"{tmp_path}/old"},
        {"object": f"{tmp_path}/mine.py:Mine"},
        {"name": "N", "weights": f"{tmp_path}/n.pth"},
    ]
    assert placed["metrics"] == ["psnr_y", f"{tmp_path}/mine.py:edges"]
    assert placed["truth"] == [f"A=labels:{tmp_path}/truth,void=11"]
    assert (placed["protocol"], placed["scale"]) == ("classic-x4", 4)
    assert with_absolute_paths(placed, Path("/elsewhere")) == placed
