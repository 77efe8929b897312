"""A part of a dataset never passes for the whole, and a plan of a run does nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asasr_bench import evaluate, open_store
from asasr_bench.bench.analysis.clusters import Clusters
from asasr_bench.bench.plan.part import part_of, whole_of
from asasr_bench.datasets.dataset import Dataset, Sample
from asasr_bench.datasets.errors import DatasetError
from asasr_bench.datasets.images import write_png
from hypothesis import given
from hypothesis import strategies as st

NAMES = tuple(f"img{number:02}" for number in range(14))


def dataset(count: int = 14) -> Dataset:
    return Dataset("Set14", tuple(Sample(name, Path(f"{name}.png"), None) for name in NAMES[:count]), "matlab-bicubic")


@given(st.integers(1, 14), st.integers(1, 20))
def test_a_part_says_of_how_many_it_is(count: int, limit: int) -> None:
    part = part_of(dataset(count), (), limit)
    assert [sample.image for sample in part.samples] == list(NAMES[: min(count, limit)])
    assert (part.name == "Set14") == (limit >= count)
    assert whole_of(part.name) == "Set14"


def test_patterns_choose_before_the_limit() -> None:
    part = part_of(dataset(), ("img0[4-9]", "img1?"), 3)
    assert [sample.image for sample in part.samples] == ["img04", "img05", "img06"]
    assert part.name == "Set14 (3 of 14 images: img0[4-9], img1?)"
    assert whole_of(part.name) == "Set14"


def test_clusters_of_a_set_are_those_of_its_parts() -> None:
    clusters = Clusters({"Film": r"(a|b)_"})
    assert clusters.of("Film (3 of 9 images)", ["a_1", "a_2", "b_1"]) == clusters.of("Film", ["a_1", "a_2", "b_1"])


@pytest.fixture
def photos(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(4):
        image = np.ascontiguousarray(photo[32 * number :][:48, :48])
        write_png(tmp_path / "hr" / f"photo{number}.png", image)
    return tmp_path / "hr"


def test_a_part_stands_beside_the_whole_and_shares_its_work(photos: Path, tmp_path: Path) -> None:
    """A run of a part neither hides results of the whole nor joins their table; nothing is restored twice."""

    def run(**more: object) -> tuple[int, int]:
        summary = evaluate(
            "classic-x4",
            tmp_path / "s",
            datasets={"P": photos},
            methods="bicubic",
            metrics="psnr_y",
            progress=False,
            **more,
        ).summary
        return summary.measured, summary.kept

    assert run(limit=3) == (3, 0)
    assert run() == (1, 3)
    assert run(images=["photo1", "photo3"]) == (0, 2)
    with open_store(tmp_path / "s") as store:
        counts = store.scores().groupby("dataset")["value"].count().to_dict()
        assert store.left_out() == []
    assert counts == {"P (3 of 4 images)": 3, "P": 4, "P (2 of 4 images: photo1, photo3)": 2}
    with pytest.raises(DatasetError, match="no image is called foto1; did you mean 'photo1'"):
        run(images=["foto1"])


def test_a_dry_run_says_what_a_run_does_and_does_nothing(photos: Path, tmp_path: Path, session) -> None:
    arguments = [
        "run",
        "classic-x4",
        "--dataset",
        f"P={photos}",
        "--method",
        "bicubic",
        "--method",
        "nearest",
        "--metric",
        "psnr_y",
        "--metric",
        "fid",
        "--store",
        "s",
    ]
    result = session(*arguments, "--dry-run")
    assert result.status == 0
    assert "8 images to restore, 8 cells to measure, less than 1 MiB of disk; time not known" in result.out
    assert "unavailable (8 cells): fid: " in result.out
    assert not (tmp_path / "s").exists()
    session(*arguments, "--limit", "1")
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}
    result = session(*arguments, "--dry-run")
    assert "6 images to restore, 6 cells to measure" in result.out
    assert "as this store timed its images" in result.out
    after = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}
    assert {path: content for path, content in after.items() if path in before} == before
    session("report", "s", "--format", "csv", "--out", "r")
    assert set(pd.read_csv(tmp_path / "r" / "leaderboard.csv")["dataset"]) == {"P (1 of 4 images)"}
