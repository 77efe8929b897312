"""Curves at equal distortion: places between points, and what a shift of a curve does to the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.compare import ComparisonError
from asasr_bench.bench.analysis.curves import compare_curves, partner
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from hypothesis import given
from hypothesis import strategies as st

POINTS = (2, 4, 8, 16)
IMAGES = 40


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6), st.floats(0, 100))
def test_a_place_has_the_wanted_mean(distortions: list[float], wanted: float) -> None:
    place = partner(distortions, wanted)
    if place is None:
        assert not min(distortions) <= wanted <= max(distortions)
    else:
        assert 0 <= place.share <= 1
        values = place.values([np.array([distortion]) for distortion in distortions])
        assert float(values[0]) == pytest.approx(wanted, abs=1e-9)


def write(root: Path, shift: float, rng: np.random.Generator) -> None:
    """Curve ``base``, and ``other`` at other points of the same trade with its LSD moved by ``shift``.

    More steps lose PSNR and gain LSD along a straight line, so that a mixture of two points lies on it too.
    """
    photos = rng.normal(0, 2, IMAGES)
    with open_store(root, write=True) as store:
        run = store.begin_run("2026", {}, Provenance())
        for name, offset, moved in (("base", 0.0, 0.0), ("other", 0.5, shift)):
            for number, point in enumerate(POINTS):
                along = number + offset
                for image, photo in enumerate(photos):
                    noise = rng.normal(0, 0.05, 2)
                    values = {"psnr_y": 25 + photo - along + noise[0], "lsd": 10 - along + moved + photo + noise[1]}
                    cells = [
                        CellRecord(id, "done", key=f"{name}{point}{image}{id}", value=v) for id, v in values.items()
                    ]
                    output = OutputRecord(
                        "asasr", 4, "D", f"{image:02}", f"{name}-{point}", 0, "done", "files", cells=tuple(cells)
                    )
                    store.commit([output], run)


def test_points_of_one_curve_are_not_told_apart(tmp_path: Path, rng: np.random.Generator) -> None:
    """They differ by half a dB of LSD or more when compared point by point."""
    write(tmp_path, 0.0, rng)
    rows = compare_curves(tmp_path, "other", "base", distortion="psnr_y")
    assert [row.point for row in rows] == ["other-2", "other-4", "other-8", "other-16"]
    assert [row.better for row in rows] == ["-"] * 4
    assert rows[-1].result is None  # its PSNR is below all of base's
    assert all(abs(row.result.difference) < 0.1 for row in rows[:-1] if row.result)


@pytest.mark.parametrize(("shift", "better"), [(-0.2, "other"), (0.2, "base")])
def test_a_shifted_curve_is_found(shift: float, better: str, tmp_path: Path, rng: np.random.Generator) -> None:
    write(tmp_path, shift, rng)
    rows = [row for row in compare_curves(tmp_path, "other", "base", distortion="psnr_y") if row.result]
    assert [row.better for row in rows] == [better] * 3
    assert all(row.result.difference == pytest.approx(shift, abs=0.05) for row in rows if row.result)


def test_the_command_prints_it(tmp_path: Path, rng: np.random.Generator, command) -> None:
    write(tmp_path / "s", -0.2, rng)
    table = command("compare", "other", "base", "--store", "s", "--at-equal", "psnr_y").stdout
    assert "at equal psnr_y" in table
    assert "out of reach" in table
    message = command("compare", "other", "none", "--store", "s", "--at-equal", "psnr_y", status=3).stderr
    assert "has no curve 'none'" in message
    with pytest.raises(ComparisonError, match="no scores of 'ssim_y'"):
        compare_curves(tmp_path / "s", "other", "base", distortion="ssim_y")
