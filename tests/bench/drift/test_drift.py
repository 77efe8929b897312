"""The drill of the drift gate: each cause is named, noise passes, missing and extra cells are told."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from asasr_bench import evaluate
from asasr_bench.bench.drift.baseline import BaselineError, read_baseline, to_json, write_baseline
from asasr_bench.bench.drift.check import check_store, compare, groups
from asasr_bench.bench.drift.history import find_steps, history
from asasr_bench.bench.drift.snapshot import take_snapshot
from asasr_bench.bench.metrics import fidelity
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.metric import Metric, SetMetric, per_image
from asasr_bench.bench.store import provenance
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.networks import interpolation
from asasr_bench.reports import drift as rendering
from asasr_bench.reports.drift import DriftReport
from hypothesis import given
from hypothesis import strategies as st
from measured import measured
from safetensors.torch import save_file

pytest.importorskip("spandrel")

BASELINE = Path(__file__).parents[2] / "baselines" / "demo.json"
IMAGES = 3


class Laboratory:
    """A small benchmark whose parts can be changed; every run is a fresh store."""

    def __init__(self, root: Path, photo: np.ndarray) -> None:
        self.root, self.photo = root, photo
        for number in range(IMAGES):
            self.image(number, np.ascontiguousarray(photo[20 * number :][:48, :64]))
        self.weights(0)

    def image(self, number: int, pixels: np.ndarray) -> None:
        write_png(self.root / "hr" / f"image{number}.png", pixels)

    def weights(self, seed: int) -> None:
        import torch
        from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

        torch.manual_seed(seed)
        save_file(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).state_dict(), self.root / "net.safetensors")

    def run(self, name: str, methods: tuple[str, ...] = ("bicubic", "net")) -> Path:
        known = {"net": f"net={self.root / 'net.safetensors'}"}
        evaluate(
            "classic-x4-float",
            self.root / name,
            scale=2,
            datasets=[f"D={self.root / 'hr'}"],
            methods=[known.get(method, method) for method in methods],
            metrics=["psnr_y", "ssim_y"],
            device="cpu",
        )
        return self.root / name

    def check(self, name: str = "after", **options: tuple[str, ...]) -> DriftReport:
        return check_store(self.run(name, **options), self.root / "baseline.json")


@pytest.fixture
def lab(tmp_path: Path, photo: np.ndarray) -> Laboratory:
    lab = Laboratory(tmp_path, photo)
    write_baseline(lab.run("before"), tmp_path / "baseline.json")
    return lab


def changed_psnr(monkeypatch: pytest.MonkeyPatch, by: float, version: str | None = None) -> None:
    def another(metric: Metric) -> Metric:
        if metric.id != "psnr_y":
            return metric
        card = replace(metric.card, version=version or metric.card.version)
        return replace(metric, card=card, measure=per_image(lambda image: measured(metric, image) + by))

    monkeypatch.setattr(fidelity, "METRICS", tuple(map(another, fidelity.METRICS)))


def other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    known = provenance.package_versions()
    monkeypatch.setattr(provenance, "package_versions", lambda: {**known, "numpy": "99.0"})


def test_an_equal_run_passes(lab: Laboratory) -> None:
    report = lab.check()
    assert report.passed
    assert report.compared == IMAGES * 2 * 2
    assert (report.within, report.extra, report.packages) == (0, (), {})


@pytest.mark.parametrize(("version", "said"), [(None, "changed under the same version"), ("raised", "another version")])
def test_a_metric_that_measures_differently(lab: Laboratory, monkeypatch, version: str | None, said: str) -> None:
    changed_psnr(monkeypatch, 0.02, version)
    report = lab.check()
    assert {cell.metric for cell in report.cells} == {"psnr_y"}
    assert len(report.cells) == IMAGES * 2
    for cell in report.cells:
        assert cell.changed == ("measurement",)
        assert said in cell.details[0]
        assert cell.difference == pytest.approx(0.02)


def test_other_weights_of_one_method(lab: Laboratory) -> None:
    lab.weights(1)
    report = lab.check()
    assert {cell.method for cell in report.cells} == {"net"}
    assert {cell.changed for cell in report.cells} == {("method output",)}
    assert all("weights" in cell.details[0] for cell in report.cells)


def test_one_other_image(lab: Laboratory) -> None:
    lab.image(1, np.ascontiguousarray(lab.photo[100:148, 100:164]))
    report = lab.check()
    assert {(cell.image, cell.changed) for cell in report.cells} == {("image1", ("input",))}
    assert all("LQ and HR pixels" in cell.details[0] for cell in report.cells)


def test_input_and_weights_are_told_apart_when_both_change(lab: Laboratory) -> None:
    lab.image(1, np.ascontiguousarray(lab.photo[100:148, 100:164]))
    lab.weights(1)
    result = {(cell.image, cell.method): cell.changed for cell in lab.check().cells}
    assert result["image1", "net"] == ("input", "method output")
    assert result["image1", "bicubic"] == ("input",)
    assert result["image0", "net"] == ("method output",)


def test_a_package_that_changes_pixels_is_named(lab: Laboratory, monkeypatch) -> None:
    right = interpolation.imresize
    monkeypatch.setattr(interpolation, "imresize", lambda lq, **more: right(lq, **{**more, "kernel": "triangle"}))
    other_package(monkeypatch)
    report = lab.check()
    (before,) = {cell.packages["numpy"] for cell in report.cells}
    assert before[1] == "99.0"
    assert {(cell.method, cell.changed) for cell in report.cells} == {("bicubic", ("method output",))}
    assert "by the same version, weights and settings" in report.cells[0].details[0]


def test_a_package_that_changes_nothing_passes_and_is_told(lab: Laboratory, monkeypatch) -> None:
    other_package(monkeypatch)
    report = lab.check()
    assert report.passed
    assert list(report.packages) == ["numpy"]


def test_another_processor_is_told_unless_the_baseline_names_none(lab: Laboratory, monkeypatch) -> None:
    monkeypatch.setattr(provenance, "_processor", lambda: "other avx2")
    (_, processor), *_ = [pair for name, pair in lab.check().packages.items() if name == "processor"]
    assert processor == "other avx2"
    monkeypatch.setattr(provenance, "_processor", lambda: "")
    assert lab.check("unknown").packages == {}


def test_numerical_noise_passes(lab: Laboratory, monkeypatch) -> None:
    changed_psnr(monkeypatch, 0.004)  # less than half of the last printed digit, 0.01 dB
    report = lab.check()
    assert report.passed
    assert report.within == IMAGES * 2
    assert not check_store(lab.root / "after", lab.root / "baseline.json", {"psnr_y": 0.003}).passed


def test_missing_and_extra_cells_are_told(lab: Laboratory) -> None:
    report = lab.check(methods=("net", "nearest"))
    assert {(cell.method, cell.verdict) for cell in report.cells} == {("bicubic", "missing")}
    assert "D, nearest, psnr_y (classic-x2-float): 3 cells" in report.extra


def test_a_cell_that_failed_is_missing_with_its_reason(lab: Laboratory) -> None:
    (lab.root / "net.safetensors").unlink()
    report = lab.check()
    assert {(cell.method, cell.verdict) for cell in report.cells} == {("net", "missing")}
    assert "net.safetensors is missing" in report.cells[0].details[0]


def test_the_command_line_judges_and_writes_all_formats(lab: Laboratory, command) -> None:
    command("check", "before", "--baseline", "baseline.json")
    lab.weights(1)
    lab.run("after")
    done = command(
        "check",
        "after",
        "--baseline",
        "baseline.json",
        "--md",
        "d.md",
        "--json",
        "d.json",
        "--junit",
        "d.xml",
        status=1,
    )
    assert "6 of 12 cells drifted, 0 are missing" in done.stdout
    assert r"| D/image0, net (classic-x2-float) | psnr\_y |" in (lab.root / "d.md").read_text()
    assert json.loads((lab.root / "d.json").read_text())["passed"] is False
    suite = ElementTree.parse(lab.root / "d.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")
    failed = [case.get("classname") for case in suite if case.find("failure") is not None]
    assert failed == ["classic-x2-float.D.net"] * 2
    assert "no such baseline" in command("check", "after", "--baseline", "none.json", status=3).stderr
    (lab.root / "bad.json").write_text("{}")
    assert "not a baseline" in command("check", "after", "--baseline", "bad.json", status=3).stderr


def test_a_baseline_is_the_same_bytes_again_and_reads_back(lab: Laboratory) -> None:
    text = (lab.root / "baseline.json").read_text()
    write_baseline(lab.root / "before", lab.root / "again.json")
    assert (lab.root / "again.json").read_text() == text
    assert to_json(read_baseline(lab.root / "baseline.json")) == text
    assert len(text.splitlines()) < 120
    with pytest.raises(BaselineError, match="no values of metric 'psnr'; did you mean 'psnr_y'"):
        write_baseline(lab.root / "before", lab.root / "x.json", tolerances={"psnr": 1.0})
    with pytest.raises(BaselineError, match="no cells of these"):
        write_baseline(lab.root / "before", lab.root / "x.json", methods=["gan"])


def test_names_in_markdown_are_never_markup(lab: Laboratory) -> None:
    report = lab.check(methods=("net",))
    cells = tuple(replace(cell, image="<script>|") for cell in report.cells)
    text = rendering.to_markdown(replace(report, cells=cells))
    assert "<script>" not in text
    assert "&lt;script>\\|" in text


def test_infinite_values_survive(store: Path, tmp_path: Path) -> None:
    snapshot = write_baseline(store, tmp_path / "b.json")
    place, output = next(iter(snapshot.outputs.items()))
    scores = {**output.scores, "psnr_y": replace(output.scores["psnr_y"], value=float("inf"))}
    perfect = replace(snapshot, outputs={**snapshot.outputs, place: replace(output, scores=scores)})
    (tmp_path / "b.json").write_text(to_json(perfect))
    read = read_baseline(tmp_path / "b.json")
    assert read.outputs[place].scores["psnr_y"].value == float("inf")
    assert compare(read, perfect, {}, names=("", "")).passed
    assert len(compare(read, snapshot, {}, names=("", "")).cells) == 1
    assert json.loads(rendering.to_json(compare(read, snapshot, {}, names=("", ""))))["cells"][0]["before"] == "inf"
    assert len(groups(read)) == 3 * 4


def test_a_value_that_only_a_whole_set_has_is_gated(tmp_path: Path, monkeypatch) -> None:
    def share(payloads: Sequence[np.ndarray]) -> float:
        total = np.sum(payloads, axis=0)
        return float(total[0] / total[1])

    pooled = Metric(
        MetricCard("bright", "Bright", direction="higher"), per_image(lambda image: float("nan")), SetMetric(share)
    )
    monkeypatch.setattr("asasr_bench.bench.metrics.registry.shipped_metrics", lambda: {"bright": pooled})
    snapshots = []
    for name, bright in (("one", 3), ("two", 4)):
        with open_store(tmp_path / name, write=True) as opened:
            run = opened.begin_run("2024-01-01T00:00:00+00:00", {"name": "t"}, Provenance())
            for image, count in (("a", 1), ("b", bright)):
                cell = CellRecord("bright", "done", f"k{image}", float("nan"), payload=np.array([count, 10]))
                opened.commit(
                    [
                        OutputRecord(
                            "asasr", 4, "D", image, "m", 0, "done", "files", "lq", "hr", image, image, cells=(cell,)
                        )
                    ],
                    run,
                )
            snapshots.append(take_snapshot(opened))
    report = compare(*snapshots, {}, names=("", ""))
    (cell,) = report.cells
    assert (cell.image, cell.before, cell.after, cell.changed) == ("(whole set)", 0.2, 0.25, ("measurement",))


# History


def test_a_step_is_found_where_it_is_and_says_what_changed(lab: Laboratory, monkeypatch, command) -> None:
    stores = []
    for number in range(5):
        monkeypatch.setattr(
            "asasr_bench.bench.execute.run.now", lambda number=number: f"2024-05-0{number + 1}T00:00:00+00:00"
        )
        if number == 3:
            lab.weights(1)
        stores.append(lab.run(f"s{number}"))
    report = history(stores[::-1])  # the order of arguments says nothing
    assert report.stores == tuple(map(str, stores))
    for series in report.series:
        assert [step.at for step in series.steps] == ([3] if series.method == "net" else [])
    (step,) = next(
        series_of_values
        for series_of_values in report.series
        if (series_of_values.method, series_of_values.metric) == ("net", "psnr_y")
    ).steps
    assert step.changed == ("method output",)
    done = command("history", *stores, "--method", "net", "--md", "h.md", "--json", "h.json")
    assert "2 steps in 2 series over 5 stores" in done.stdout
    assert "| 2024-05-04T00:00:00+00:00 | D, net, psnr\\_y" in (lab.root / "h.md").read_text()
    assert json.loads((lab.root / "h.json").read_text())["series"][0]["steps"][0]["at"] == 3


def test_steps_are_where_they_were_put(rng: np.random.Generator) -> None:
    noise = rng.normal(0, 0.1, 60)
    levels = np.repeat([20.0, 21.0, 20.5], 20)
    assert find_steps(list(levels + noise), 0.005) == [20, 40]
    assert find_steps([1.0] * 10 + [1.001] * 10, 0.005) == []
    assert find_steps([1.0] * 10 + [1.1] * 10, 0.005) == [10]
    assert find_steps([1.0, 2.0], 0.1) == [1]
    assert find_steps([1.0], 0.1) == []


def test_noise_alone_makes_a_step_in_few_series(rng: np.random.Generator) -> None:
    for length in (10, 30, 100):
        wrong = sum(bool(find_steps(list(rng.normal(0, 1, length)), 1e-6)) for _ in range(200))
        assert wrong <= 10, length


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.floats(-100, 100))
def test_steps_do_not_depend_on_the_level(values: list[float], shift: float) -> None:
    rounded = [round(value, 2) for value in values]
    assert find_steps(rounded, 0.05) == find_steps([value + round(shift, 2) for value in rounded], 0.05)


# This project's own gate


def test_the_documented_workflow_runs(lab: Laboratory, command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its steps as they stand in the documentation, in a checkout with a spec and its baseline."""
    page = (Path(__file__).parents[3] / "docs" / "drift.md").read_text()
    block = page.partition("## In GitHub Actions\n\n")[2].partition("\nThis project")[0]
    workflow = yaml.safe_load(textwrap.dedent(block))
    steps = [step["run"].split() for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    run, check = (words[1:] for words in steps if words[0] == "asasr-bench")
    spec = {
        "name": "ci",
        "protocol": "classic-x2",
        "datasets": [{"name": "D", "hr": str(lab.root / "hr")}],
        "methods": ["bicubic"],
        "metrics": ["psnr_y"],
    }
    (lab.root / "benchmarks").mkdir()
    (lab.root / "benchmarks" / "spec.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(lab.root)
    command(*run)
    command("baseline", "store", "--out", "benchmarks/baseline.json")
    command(*check)
    assert "no drift" in Path("drift.md").read_text().lower()
    assert ElementTree.parse("drift.xml").getroot().get("failures") == "0"


def test_the_demo_is_as_its_committed_baseline(tmp_path: Path) -> None:
    """Interpolation of the demo's photos and drawn scenes; refresh it as docs/drift.md says."""
    baseline = read_baseline(BASELINE)
    methods = sorted({place[4] for place in baseline.outputs})
    evaluate("demo", tmp_path / "demo", datasets=["demo-photos", "demo-shapes"], methods=methods)
    report = check_store(tmp_path / "demo", BASELINE)
    assert report.passed, rendering.to_markdown(report)
    assert report.compared == 12 * 4 * 5
    with open_store(tmp_path / "demo") as store:
        assert set(store.scores()["method"]) == {"nearest", "bilinear", "bicubic", "lanczos"}
