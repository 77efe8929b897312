"""Metrics that a user writes: named where they are, run by workers, and shown by whoever has the store alone."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asasr_bench import open_store
from asasr_bench.bench.analysis.compare import compare_methods
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.bench.spec import Spec, SpecError, load_spec
from asasr_bench.datasets.images import write_png
from measured import measured

MAE = """
import numpy as np

def mae(sr, hr):
    return np.abs(sr.astype(float) - hr).mean()

mae.card = {"id": "mae", "title": "MAE", "unit": "levels", "digits": 3, "direction": "lower"}
mae.weight_files = ()
"""


@pytest.fixture
def study(tmp_path: Path, photo: np.ndarray) -> Path:
    """A folder with a spec, four images, and a metric in a file beside the spec."""
    for number in range(4):
        write_png(tmp_path / "study" / "hr" / f"{number}.png", np.ascontiguousarray(photo[40 * number :][:64, :64]))
    (tmp_path / "study" / "mine.py").write_text(MAE)
    (tmp_path / "study" / "spec.yaml").write_text(
        "{name: s, protocol: classic-x4-float, datasets: [{name: D, hr: hr}], methods: [bicubic, nearest],"
        " metrics: [psnr_y, ./mine.py:mae], device: cpu}"
    )
    return tmp_path / "study"


def written(folder: Path, text: str, name: str = "m.py") -> Path:
    (folder / name).write_text(textwrap.dedent(text))
    return folder / name


def values(root: Path, metric: str = "mae") -> pd.Series:
    with open_store(root) as store:
        scores = store.scores()
    return scores[scores["metric"] == metric].set_index(["method", "image"])["value"]


def test_the_example_of_the_documentation_is_a_metric(tmp_path: Path, photo: np.ndarray) -> None:
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    block = text.split("## Your own")[1].split("    asasr-bench run")[0]
    metric = get_metric(f"{written(tmp_path, block)}:sharpness")
    blurred = (photo.astype(int) + np.roll(photo, 1, axis=0)).astype(int) // 2
    pair = MetricInput(blurred.astype(np.uint8), photo, get_protocol("osediff-512", 4))
    assert measured(metric, pair) < measured(metric, MetricInput(photo, photo, pair.protocol)) == 1
    assert "incomplete" not in metric.card.note


def test_a_function_beside_a_spec_is_measured_by_workers(study: Path, tmp_path: Path, command) -> None:
    result = command("run", "study/spec.yaml", "--workers", 2, "--store", "s").stdout
    assert "MAE" in result
    with open_store(tmp_path / "s") as store:
        for row in store.outputs().itertuples():
            sr, hr = (store.objects.get(digest)[4:-4, 4:-4].astype(int) for digest in (row.sr, row.reference))
            assert values(tmp_path / "s")[row.method, row.image] == pytest.approx(np.abs(sr - hr).mean(), abs=1e-12)
        assert store.metrics()["mae"].direction == "lower"
    report = (tmp_path / "s" / "report" / "leaderboard.md").read_text()
    assert "MAE" in report
    assert "identity incomplete" not in report
    assert not [path for path in (tmp_path / "s" / "report").iterdir() if str(tmp_path) in path.read_text("latin-1")]


def test_a_store_is_read_without_the_code(study: Path, tmp_path: Path, session) -> None:
    assert session("run", "study/spec.yaml", "--store", "s").status == 0
    before = (tmp_path / "s" / "report" / "leaderboard.md").read_text()
    assert session("baseline", "s", "--out", "b.json").status == 0
    (study / "mine.py").unlink()
    assert session("report", "s", "--out", "again").status == 0
    assert (tmp_path / "again" / "leaderboard.md").read_text() == before
    assert session("check", "s", "--baseline", "b.json", "--tolerance", "mae=.1").status == 0
    for kind in ("bars", "ranks", "crops"):
        assert session("figures", "s", "--kind", kind, "--set", "metrics=[mae, psnr_y]").status == 0
    assert session("compare", "bicubic", "nearest", "--store", "s", "--metric", "mae").status == 0
    (row,) = compare_methods(tmp_path / "s", "bicubic", "nearest", metrics=["mae"])
    assert row.result.difference < 0
    assert (row.digits, row.wins) == (3, 1.0)
    gone = session("run", "study/spec.yaml", "--store", "s")
    assert gone.status != 0
    assert "no file" in gone.err


def test_changed_code_is_another_metric(study: Path, tmp_path: Path) -> None:
    spec = load_spec(study / "spec.yaml")
    assert run(spec, tmp_path / "s").measured == 16
    assert run(spec, tmp_path / "s").measured == 0
    before = values(tmp_path / "s")
    (study / "mine.py").write_text(MAE.replace(".mean()", ".mean() * 2"))
    again = run(spec, tmp_path / "s")
    assert (again.measured, again.kept) == (8, 8)
    assert values(tmp_path / "s").to_numpy() == pytest.approx(2 * before.to_numpy())


def test_what_is_not_known_of_the_code_is_said(study: Path, tmp_path: Path, session) -> None:
    (study / "mine.py").write_text(MAE.replace("mae.weight_files = ()", ""))
    session("run", "study/spec.yaml", "--store", "s")
    for name in ("leaderboard.md", "leaderboard.html", "leaderboard.tex"):
        assert "identity incomplete" in (tmp_path / "s" / "report" / name).read_text(), name


def test_a_missing_file_of_a_metric_leaves_its_cells_unavailable(study: Path, tmp_path: Path) -> None:
    (study / "mine.py").write_text(MAE.replace("weight_files = ()", f"weight_files = ({str(tmp_path / 'w.bin')!r},)"))
    spec = load_spec(study / "spec.yaml")
    assert run(spec, tmp_path / "s").unavailable == 8
    (tmp_path / "w.bin").write_bytes(b"1")
    assert run(spec, tmp_path / "s").complete
    (tmp_path / "w.bin").write_bytes(b"22")
    assert run(spec, tmp_path / "s").measured == 8
    (tmp_path / "w.bin").unlink()
    kept = run(spec, tmp_path / "s")
    assert (kept.kept, kept.complete) == (16, True)


def test_what_a_function_gets(tmp_path: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SR alone, or SR and LQ as they are; writing into them changes nothing for others, and errors are cells."""
    monkeypatch.chdir(tmp_path)
    written(
        tmp_path,
        """
        def alone(sr):
            assert sr.shape == (56, 56, 3) and sr.dtype == "uint8"
            sr[:] = 0
            return 1
        alone.card = dict(id="alone", direction="none", needs="nothing")

        def low(sr, lq):
            return sr.shape[0] // lq.shape[0]
        low.card = dict(id="low", direction="none", needs="lq")

        class Failing:
            card = dict(id="failing", direction="higher")
            def __call__(self, sr, hr):
                raise RuntimeError("no luck")
    """,
    )
    metrics = ("m:alone", "psnr_rgb", "m:low", "m:Failing")
    spec = load_spec(study / "spec.yaml", {"metrics": metrics, "methods": ("bicubic",)})
    summary = run(spec, tmp_path / "s")
    assert (summary.measured, summary.failed) == (12, 4)
    assert any("RuntimeError: no luck" in message for message in summary.messages)
    assert set(values(tmp_path / "s", "alone")) == {1.0}
    assert set(values(tmp_path / "s", "low")) == {4.0}
    assert (values(tmp_path / "s", "psnr_rgb") > 15).all()


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("miuo:camvid", "did you mean 'miou'"),
        ("psnr_q", "did you mean 'psnr_y'"),
        ("miou:mine", "unknown segmentation engine"),  # a measure of tasks is never looked for in Python
        ("./none.py:mae", "no file"),
        ("m.py:nothing", "has no attribute 'nothing'"),
        ("m.py:plain", "a mapping 'card'"),
        ("m.py:misspelt", "'direktion'"),
        ("m.py:wrong", "'direction'"),
        ("m.py:taken", "'psnr_y' is an id of asasr-bench's own"),
        ("m.py:forged", "cannot be printed"),
        ("m.py:broken", "ZeroDivisionError"),
        ("m.py:POOLED", "entry point"),
    ],
)
def test_what_cannot_be_a_metric_says_why(
    reference: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(
        tmp_path,
        """
        from asasr_bench.bench.metrics.card import MetricCard
        from asasr_bench.bench.metrics.metric import Metric, SetMetric, per_image

        def plain(sr, hr): return 0.0
        def misspelt(sr, hr): return 0.0
        misspelt.card = dict(id="x", direktion="lower")
        def wrong(sr, hr): return 0.0
        wrong.card = dict(id="x", direction="up")
        def taken(sr, hr): return 0.0
        taken.card = dict(id="psnr_y", direction="lower")
        def forged(sr, hr): return 0.0
        forged.card = dict(id="x\\x1b[2J", direction="lower")
        class broken:
            def __init__(self): 1 / 0
        POOLED = Metric(MetricCard("pooled", "Pooled"), per_image(lambda image: 0.0), SetMetric(lambda payloads: 0.0))
    """,
    )
    written(tmp_path, "raise SystemExit('a measure of tasks was imported as a module')", "miou.py")
    with pytest.raises(MetricError) as error:
        get_metric(reference)
    assert told in str(error.value)
    assert "\x1b" not in str(error.value)


def test_one_metric_by_two_names_is_refused(study: Path, tmp_path: Path) -> None:
    spec = Spec(
        name="s",
        protocol="classic-x4",
        datasets=(f"D={study / 'hr'}",),
        methods=("bicubic",),
        metrics=(f"{study}/mine.py:mae", f"{study}/../study/mine.py:mae"),
    )
    with pytest.raises(SpecError, match="metric 'mae' is there twice"):
        run(spec, tmp_path / "s")


def test_an_installed_metric_of_sets(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Any
) -> None:
    """The value of a set is computed anew by every report; where the package is gone, the report says so."""
    site = tmp_path / "site"
    info = site / "bright-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bright\nVersion: 1.0\n")
    points = "bright = bright_metric:BRIGHT\nbroken = no_such_module:X\npsnr_y = bright_metric:BRIGHT\n"
    (info / "entry_points.txt").write_text(f"[asasr_bench.metrics]\n{points}")
    written(
        site,
        """
        import numpy as np
        from asasr_bench.bench.metrics.card import MetricCard
        from asasr_bench.bench.metrics.metric import Metric, Score, SetMetric, per_image

        def bright(image):
            return Score(float("nan"), np.array([(image.sr > 127).sum(), image.sr.size]))

        def share(payloads):
            return float(100 * np.sum(payloads, 0)[0] / np.sum(payloads, 0)[1])

        CARD = MetricCard("bright", "Bright share", "%", 2, "higher", needs="nothing", version="1")
        BRIGHT = Metric(CARD, per_image(bright), SetMetric(share))
    """,
        "bright_metric.py",
    )
    with monkeypatch.context() as installed:
        installed.syspath_prepend(str(site))
        listed = session("list", "metrics").out
        assert "bright" in listed
        assert "no_such_module:X" in listed  # a broken one hides no other
        assert get_metric("psnr_y").card.title == "PSNR-Y"  # nobody takes an id of the package
        assert "Bright share" in session("show", "bright").out
        spec = load_spec(study / "spec.yaml", {"metrics": ("psnr_y", "bright")})
        assert run(spec, tmp_path / "s").complete
        assert session("report", "s", "--out", "with").status == 0
        with open_store(tmp_path / "s") as store:
            frame = store.outputs().query("method == 'nearest'")
            pixels = np.concatenate([store.objects.get(digest).ravel() for digest in frame["sr"]])
        assert f"{100 * (pixels > 127).mean():.2f}" in (tmp_path / "with" / "leaderboard.md").read_text()
    assert session("report", "s", "--out", "without").status == 0
    text = (tmp_path / "without" / "leaderboard.md").read_text()
    assert "Bright share" in text
    assert "the value of a set needs the metric's code" in text
    assert session("compare", "bicubic", "nearest", "--store", "s").status == 0
    assert session("baseline", "s", "--out", "b.json").status == 0
    assert session("figures", "s", "--kind", "bars").status == 0


def test_arguments_make_metrics_of_a_class_beside_the_spec(study: Path, tmp_path: Path) -> None:
    """Each by its name, from a module that the spec's folder alone has; other arguments are another metric."""
    written(
        study,
        """
        import numpy as np

        class Power:
            card = dict(id="power", direction="lower")
            weight_files = ()

            def __init__(self, exponent):
                self.exponent = exponent

            def __call__(self, sr, hr):
                return (np.abs(sr.astype(float) - hr) ** self.exponent).mean()
    """,
        "powers.py",
    )

    def spec(exponent: int) -> Spec:
        text = (
            "{name: s, protocol: classic-x4-float, datasets: [{name: D, hr: hr}], methods: [nearest], device: cpu,"
            " workers: 2, metrics: [{object: 'powers:Power', args: {exponent: 1}, name: first},"
            f" {{object: ./powers.py:Power, args: {{exponent: {exponent}}}}}]}}"
        )
        return load_spec(written(study, text, "powers.yaml"))

    assert run(spec(2), tmp_path / "s").measured == 8
    with open_store(tmp_path / "s") as store:
        for row in store.outputs().itertuples():
            sr, hr = (store.objects.get(digest)[4:-4, 4:-4].astype(int) for digest in (row.sr, row.reference))
            for id, exponent in (("first", 1), ("power", 2)):
                expected = (np.abs(sr - hr) ** exponent).mean()
                assert values(tmp_path / "s", id)[row.method, row.image] == pytest.approx(expected, rel=1e-12)
    again = run(spec(3), tmp_path / "s")
    assert (again.measured, again.kept) == (4, 4)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ({"object": "m.py:mae", "args": {"gain": 1}}, "takes no 'args'"),
        ({"object": "m.py:Klass", "args": {"gian": 1}}, "go into 'args'"),
        ({"object": "m.py:Klass", "args": {"gain": object()}}, "numbers, texts, lists and mappings"),
        ({"object": "m.py:mae", "arguments": {}}, "'arguments'"),
        ({"args": {}}, "'object'"),
        ({"object": "psnr_y", "args": {"gain": 1}}, "go with code of your own"),
        ({"object": "m.py:mae", "name": "psnr_y"}, "an id of asasr-bench's own"),
        ({"object": "m.py:mae", "name": "a:b"}, "the id 'a:b'"),
    ],
)
def test_wrong_mappings_are_told(
    reference: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, MAE + "class Klass:\n    def __init__(self, gain): pass\n")
    with pytest.raises(MetricError, match=told):
        get_metric(reference)
