"""SEAL's rates against a plain computation, curves, and a run of a grid from its spec to tables and figure."""

from __future__ import annotations

from math import exp
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from asasr_bench.bench.analysis.severity import (
    Case,
    CaseValues,
    NoRatesError,
    SeverityStoreError,
    case_values,
    curves_over,
    rates,
    varied,
)
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.publish.severity_tables import rates_frame
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from skimage import data

CASES = tuple(Case(4, blur, noise, np.inf) for blur in (0.0, 2.0) for noise in (0.0, 10.0))


def values(direction: str = "higher", id: str = "score", **tables: object) -> CaseValues:
    methods = {name: np.array(table, dtype=float) for name, table in tables.items()}
    images = tuple(f"image{number}" for number in range(len(next(iter(methods.values())))))
    return CaseValues("D", "asasr", MetricCard(id, id, direction=direction), CASES, images, methods)  # type: ignore[arg-type]


def test_rates_are_those_of_seal_s_definition() -> None:
    """Means of two images: a = (20, 22, 24, 26), e = a + 2, x = a + (1, 0, -1, 4)."""
    line = np.array([[19, 21, 23, 25], [21, 23, 25, 27]], dtype=float)
    (found,) = rates(values(low=line, high=line + 2, mine=line + np.array([1, 0, -1, 4])), "low", "high")
    relative = [1 / (1 + exp(-gap / 2)) for gap in (1, 0, -1, 4)]
    assert (found.cases, found.left_out) == (4, 0)
    assert found.acceptance == 0.75
    assert found.relative == pytest.approx(np.mean(relative))
    assert found.accepted == pytest.approx(np.mean([relative[place] for place in (0, 1, 3)]))
    assert found.unaccepted == pytest.approx(relative[2])
    frame = pd.Series(relative)
    assert found.spread == pytest.approx(frame.quantile(0.75) - frame.quantile(0.25))


def test_lower_can_be_better_and_the_lines_have_their_own_rates() -> None:
    line = np.full((6, 4), 0.4)
    result = {
        row.method: row
        for row in rates(
            values("lower", low=line, high=line - 0.1, same=line - 0.1, equal=line, worse=line + 0.1), "low", "high"
        )
    }
    assert result["same"].relative == pytest.approx(1 / (1 + exp(-1)))
    assert (result["equal"].acceptance, result["equal"].relative) == (1, 0.5)
    assert (result["worse"].acceptance, result["worse"].relative) == (0, pytest.approx(1 / (1 + exp(1))))
    assert np.isnan(result["worse"].accepted)


def test_cases_whose_lines_are_too_near_are_left_out() -> None:
    line = np.full((3, 4), 25.0)
    high = line + np.array([0.05, 0.5, -1, 1])
    (found,) = rates(values(id="psnr_y", low=line, high=high, mine=line + 1), "low", "high")
    assert (found.cases, found.left_out) == (2, 2)
    with pytest.raises(NoRatesError, match="'low' is above 'high' in no case"):
        rates(values(id="psnr_y", low=line, high=line + 1), "high", "low")


def test_a_metric_without_rates_keeps_no_other_from_its_own() -> None:
    line = np.full((3, 4), 25.0)
    ranked = values(id="psnr_y", low=line, high=line + 1, mine=line + 1)
    reversed_lines = values(id="other", low=line, high=line - 1, mine=line)
    frame, (without_rates,) = rates_frame([reversed_lines, ranked], "low", "high")
    assert list(frame["metric"]) == ["psnr_y"]
    assert "D, other: 'high' is above 'low' in no case" in str(without_rates)
    with pytest.raises(NoRatesError, match="in no case"):
        rates_frame([reversed_lines], "low", "high")


def test_intervals_of_rates_hold_the_rate_and_narrow_with_images() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for images in (10, 160):
        line = rng.normal(25, 3, (images, 1)) + np.zeros(4)
        mine = line + rng.normal(0.1, 1, (images, 4))
        (found,) = rates(values(low=line, high=line + 1, mine=mine), "low", "high")
        assert found.relative_low <= found.relative <= found.relative_high
        assert found.acceptance_low <= found.acceptance <= found.acceptance_high
        widths.append(found.relative_high - found.relative_low)
    assert widths[1] < widths[0] / 2


@pytest.mark.filterwarnings("error")
def test_lines_that_cross_in_some_sets_of_images_leave_an_interval() -> None:
    """Of one case in three images, where many a resampled set has the lines the other way round."""
    line = np.array([[25.0], [25], [25]]) + np.zeros(4)
    high = line + np.array([[3.0], [-1], [-1]])
    (found,) = rates(values(low=line, high=high, mine=line + 0.1), "low", "high")
    assert 0.5 < found.relative_low <= found.relative <= found.relative_high < 1


def test_a_curve_keeps_the_other_degradations_at_their_mildest() -> None:
    table = np.arange(24, dtype=float).reshape(6, 4)
    labels, (curve,) = curves_over(values(mine=table), "blur")
    assert labels == ("0", "2")
    np.testing.assert_allclose(curve.means, table[:, [0, 2]].mean(0))
    np.testing.assert_allclose([curve.low[0], curve.high[0]], curve.means[0])  # the change since itself is none
    np.testing.assert_allclose([curve.low[1], curve.high[1]], curve.means[1])  # all images change by 2
    assert varied(values(mine=table)) == ("blur", "noise")


def test_a_line_that_is_not_there_or_ranks_nobody_is_told() -> None:
    line = np.full((3, 4), 25.0)
    with pytest.raises(SeverityStoreError, match=r"no method 'top' has all cases \(those that have: low\)"):
        rates(values(low=line), "low", "top")
    with pytest.raises(NoRatesError, match="has no direction"):
        rates(values("none", low=line, high=line + 1), "low", "high")


def done(told) -> str:
    assert told.status == 0, told.err
    return told.out


def refused(told) -> str:
    assert told.status == 2
    return told.err


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    photo = data.astronaut()
    for number in range(5):
        top = 40 * number
        write_png(tmp_path / "hr" / f"p{number}.png", np.ascontiguousarray(photo[top : top + 64, 100:164]))
    content = {
        "name": "grid",
        "protocol": "osediff-512",
        "datasets": [{"name": "D", "hr": "hr"}],
        "metrics": ["psnr_y"],
        "methods": ["nearest", "bilinear", "bicubic"],
        "severity": {"blur": [0, 2], "jpeg": ["none", 40, 10]},
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "grid.yaml"


def test_a_grid_goes_from_its_spec_to_tables_and_figure(spec: Path, tmp_path: Path, session) -> None:
    done(session("run", "grid.yaml", "--store", "S", "--no-report"))
    done(session("run", "grid.yaml", "--store", "S", "--scale", "2", "--no-report"))
    with open_store(tmp_path / "S") as store:
        (found,) = case_values(store)
    assert (found.dataset, len(found.images)) == ("D", 5)
    assert varied(found) == ("blur", "jpeg", "scale")
    assert len(found.cases) == 12
    labels, curves = curves_over(found, "jpeg")
    assert labels == ("none", "40", "10")
    assert all((np.diff(curve.means) < 0).all() for curve in curves)
    printed = done(session("severity", "S", "--acceptance", "nearest", "--excellence", "bicubic", "--out", "T"))
    assert "bilinear" in printed
    table = pd.read_csv(tmp_path / "T" / "severity-rates.csv")
    assert list(table["method"]) == ["bilinear"]
    assert table["cases"][0] + table["left_out"][0] == 12
    cases = pd.read_csv(tmp_path / "T" / "severity-cases.csv", keep_default_na=False)
    assert len(cases) == 36
    assert set(cases["jpeg"]) == {"none", "40", "10"}
    assert "PSNR-Y" in done(session("severity", "S"))
    drawn = done(session("figures", "S", "--kind", "severity", "--columns", "2", "--out", "F")).split()
    assert [Path(name).suffix for name in drawn] == [".pdf", ".png"]
    chosen = ("figures", "S", "--kind", "severity", "--format", "svg")
    done(session(*chosen, "--name", "bilinear=Ours", "--set", "methods=[bilinear, nearest]", "--out", "N"))
    done(session(*chosen, "--name", "bilinear=Ours", "--set", "methods=[nearest]", "--out", "L"))
    (named,), (left_out,) = (list((tmp_path / folder).glob("*.svg")) for folder in ("N", "L"))
    assert len(named.read_bytes()) > len(left_out.read_bytes())
    misspelt = session(*chosen, "--set", "methods=[binear]", "--out", "X")
    assert "no scores of method 'binear'; did you mean 'bilinear'" in misspelt.err


def test_what_a_grid_cannot_be_is_told(spec: Path, tmp_path: Path, session) -> None:
    result = refused(session("run", "grid.yaml", "--store", "S", "--lq-rule", "matlab-bicubic"))
    assert "'severity' says itself how LQ is made" in result
    content = yaml.safe_load(spec.read_text())
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({**content, "severity": {"blur": [0, 99]}}))
    assert "blur is 0 to 50 pixels" in refused(session("run", "bad.yaml", "--store", "S"))
    (tmp_path / "lq.yaml").write_text(yaml.safe_dump({**content, "datasets": [{"name": "D", "lq": "hr"}]}))
    assert "dataset 'D' has no HR" in refused(session("run", "lq.yaml", "--store", "S"))


def test_a_store_without_severities_and_one_line_alone_are_told(store: Path, session) -> None:
    assert "run a spec with the key 'severity'" in refused(session("severity", str(store)))
    assert "give both lines" in refused(session("severity", str(store), "--acceptance", "bicubic"))
