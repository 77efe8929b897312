"""PIQE against a second implementation pixel by pixel, pyiqa where both definitions meet, and values by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.piqe import _are_noisy, _have_artifacts, piqe, quality
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import as_rgb
from measured import measured
from scipy.ndimage import gaussian_filter
from skimage import data


def by_the_paper(rgb: np.ndarray) -> float:
    """Block by block, in plain loops over lists, as section III of the paper and MATLAB's page say it."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    grey = np.floor(0.298936021293775 * red + 0.587043074451121 * green + 0.114020904255103 * blue + 0.5)
    rows, columns = (-(-length // 16) * 16 for length in grey.shape)
    grey = grey[np.minimum(np.arange(rows), grey.shape[0] - 1)][:, np.minimum(np.arange(columns), grey.shape[1] - 1)]
    mean = gaussian_filter(grey, 7 / 6, truncate=3 / (7 / 6), mode="nearest")
    spread = np.sqrt(np.abs(gaussian_filter(grey**2, 7 / 6, truncate=3 / (7 / 6), mode="nearest") - mean**2))
    normalised = (grey - mean) / (spread + 1)

    def deviation(values: list[float]) -> float:
        centre = sum(values) / len(values)
        return sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1))

    active, total = 0, 0.0
    for top in range(0, rows, 16):
        for left in range(0, columns, 16):
            block = normalised[top : top + 16, left : left + 16].tolist()
            sigma = deviation([value for line in block for value in line])
            if sigma**2 <= 0.1:
                continue
            active += 1
            upright = [list(line) for line in zip(*block, strict=True)]
            edges = (block[0], block[15], upright[0], upright[15])
            if any(deviation(edge[start : start + 6]) < 0.1 for edge in edges for start in range(11)):
                total += 1 - sigma**2
            surround = [*upright[:7], upright[8], *upright[10:]]  # columns 8 and 10 are dropped, counted from 1
            ratio = deviation(upright[7] + upright[8]) / deviation([value for line in surround for value in line])
            if sigma > 2 * abs(sigma - ratio) / max(sigma, ratio):
                total += sigma**2
    return 100 * (total + 1) / (active + 1)


def pictures() -> dict[str, np.ndarray]:
    photo = data.astronaut()[:256, 128:384]
    rng = np.random.default_rng(0)
    soft = np.rint(gaussian_filter(photo.astype(float), (2, 2, 0))).astype(np.uint8)
    return {
        "photo": photo,
        "odd sides": data.chelsea()[:157, :203],
        "one row more": data.coffee()[:97, :113],
        "soft": soft,
        "dark": photo // 3,
        "noise": np.clip(photo + rng.normal(0, 25, photo.shape), 0, 255).astype(np.uint8),
        "blocks": photo[::8, ::8].repeat(8, 0).repeat(8, 1),
        "tiny": photo[:9, :7],
    }


@pytest.mark.parametrize("name", pictures())
def test_it_is_the_papers_value(name: str) -> None:
    rgb = pictures()[name]
    assert quality(rgb) == pytest.approx(by_the_paper(rgb), abs=1e-9)


def test_pyiqa_agrees_where_its_maximum_is_white_and_nothing_is_padded() -> None:
    """On grey images of whole blocks that reach 255 its three deviations from MATLAB change nothing."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    protocol = get_protocol("osediff-512", 4)
    expected = get_metric("piqe_pyiqa")
    for name in ("photo", "soft", "noise"):
        grey = pictures()[name][..., 1].copy()
        grey[0, 0] = 255
        pair = MetricInput(as_rgb(grey), None, protocol)
        assert piqe(pair) == pytest.approx(measured(expected, pair), abs=2e-3)  # they subtract squares in float32
    dark = MetricInput(pictures()["dark"], None, protocol)
    assert abs(piqe(dark) - measured(expected, dark)) > 1


def test_values_by_hand() -> None:
    """No active block: 100 (0 + 1) / (0 + 1). Columns of -a and a: ratio of centre and surround 1.0242 whatever a is.

    The deviation is a (256 / 255)^(1/2), the centre's a (32 / 31)^(1/2), the surround's, of 8 columns of a and 6 of -a,
    a (48/49 224/223)^(1/2); so such a block is noisy where its deviation is above 2 / (1 + 2 / 1.0242) = .6774.
    """
    assert quality(np.full((40, 50, 3), 77, np.uint8)) == 100
    columns = np.tile([1.0, -1.0], (1, 16, 8))
    for a, noisy in ((0.67, False), (0.68, True)):
        block = a * columns
        assert _are_noisy(block, block.std((1, 2), ddof=1)).tolist() == [noisy]
    assert _have_artifacts(columns).tolist() == [True]  # its left edge is one level
    checks = columns * np.tile([1.0, -1.0], 8)[:, None]
    assert _have_artifacts(checks).tolist() == [False]
    checks[0, 15, 10:] = 0.3  # the last segment of the lowest row
    assert _have_artifacts(checks).tolist() == [True]
    assert not get_metric("piqe").missing()


def test_padding_repeats_the_last_row_and_column() -> None:
    photo = data.coffee()[:97, :113]
    whole = np.pad(photo, ((0, 15), (0, 15), (0, 0)), mode="edge")
    assert quality(photo) == quality(whole)
