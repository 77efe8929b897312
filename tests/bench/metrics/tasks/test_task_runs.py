"""Task metrics through whole runs: ceiling and floor, consistency, missing engines, broken truth."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.execute import run as runner
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.tasks.segmentation.confusion import combine, confusion
from asasr_bench.bench.metrics.tasks.small_segmenter import load_segmenter
from asasr_bench.bench.spec import DatasetEntry, Spec, SpecError
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.ground_truth.kinds import read_labels
from asasr_bench.datasets.images import read_image


def _spec(street: Path, *metrics: str, labels: bool = True, methods: tuple[str, ...] = ("nearest",)) -> Spec:
    entry = DatasetEntry(
        name="street", hr=str(street / "images"), labels=str(street / "labels") if labels else None, void=(11,)
    )
    return Spec(name="t", protocol="osediff-512", datasets=(entry,), methods=methods, metrics=metrics, device="cpu")


def test_hr_and_bicubic_are_the_bounds_of_every_table(street: Path, referee: Path) -> None:
    summary = runner.run(_spec(street, "psnr_y", "miou:camvid", "aacc:camvid:hr"), street / "store")
    assert summary.complete, summary.messages
    with open_store(street / "store") as store:
        board = load_board(store, title="t")
        payloads = {(place[4], place[3]): matrix for place, matrix in store.payloads("miou:camvid")}
    scores = board.scores.set_index(["metric", "method"])
    assert {"hr", "bicubic", "nearest"} == set(board.scores["method"])
    assert ("psnr_y", "hr") not in scores.index
    assert scores.loc[("aacc:camvid:hr", "hr"), "value"] == 100
    assert scores.loc[("aacc:camvid:hr", "nearest"), "value"] < 100
    # the ceiling is what the referee makes of HR, computed here without the benchmark
    network, classes = load_segmenter(referee, "cpu")
    matrices = []
    for number in range(3):
        import torch

        image = torch.from_numpy(read_image(street / "images" / f"{number}.png")).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            result = network(image)[0].argmax(0).numpy().astype(np.uint8)
        truth = read_labels(street / "labels" / f"{number}.png", void=(11,))
        matrices.append(confusion(truth, result, len(classes)))
        np.testing.assert_array_equal(payloads["hr", str(number)], matrices[-1])
    assert scores.loc[("miou:camvid", "hr"), "value"] == pytest.approx(combine("miou")(matrices))
    assert runner.run(_spec(street, "psnr_y", "miou:camvid", "aacc:camvid:hr"), street / "store").measured == 0


def test_other_truth_or_other_weights_are_measured_anew(street: Path, referee: Path) -> None:
    import torch
    from asasr_bench.bench.metrics.tasks.small_segmenter import SmallSegmenter, save_segmenter
    from asasr_bench.datasets.images import write_png

    spec = _spec(street, "miou:camvid")
    assert runner.run(spec, street / "store").measured == 9
    write_png(street / "labels" / "0.png", np.zeros((64, 96), dtype=np.uint8))
    assert runner.run(spec, street / "store").measured == 3
    torch.manual_seed(1)
    save_segmenter(SmallSegmenter(3, 4).eval(), referee, ("sky", "road", "tree"))
    assert runner.run(spec, street / "store").measured == 9


def test_a_broken_file_fails_its_own_cells(street: Path, referee: Path) -> None:
    broken = street / "images" / "1.png"
    broken.write_bytes(broken.read_bytes()[:200])
    summary = runner.run(_spec(street, "miou:camvid"), street / "store")
    assert any("1.png" in message for message in summary.messages)
    with open_store(street / "store") as store:
        scores = store.scores()
    done = scores[scores["status"] == "done"]
    assert set(done["image"]) == {"0", "2"}
    assert set(scores[scores["status"] != "done"]["image"]) == {"1"}


def test_a_broken_label_map_fails_its_own_cells(street: Path, referee: Path) -> None:
    (street / "labels" / "1.png").write_bytes(b"no image")
    summary = runner.run(_spec(street, "psnr_y", "miou:camvid"), street / "store")
    assert summary.failed == 3
    assert any("1.png" in message and "label map" in message for message in summary.messages)
    with open_store(street / "store") as store:
        scores = store.scores()
    assert (scores[scores["metric"] == "psnr_y"]["status"] == "done").all()
    assert set(scores[scores["status"] == "failed"]["image"]) == {"1"}


def test_engines_without_weights_are_unavailable_with_the_remedy(street: Path, weights: Path) -> None:
    metrics = ("miou:transformers/nobody/nothing", "aacc:mmseg/nothing")
    summary = runner.run(_spec(street, *metrics), street / "store")
    assert summary.unavailable == 18
    message = " ".join(summary.messages)
    assert "hf download nobody/nothing" in message
    if importlib.util.find_spec("mmseg") is not None:
        assert "nothing.py is missing" in message
    for id in ("ap_box:maskrcnn", "ap_mask:yolo/none.pt", "ocr_f:easyocr"):
        assert get_metric(id).missing() != ""


def test_metrics_without_their_truth_are_refused(street: Path, referee: Path) -> None:
    with pytest.raises(SpecError, match=r"needs labels truth.*miou:camvid:hr"):
        runner.run(_spec(street, "miou:camvid", labels=False), street / "store")
    assert runner.run(_spec(street, "miou:camvid:hr", labels=False), street / "store").complete


def test_ids_say_what_is_wrong() -> None:
    assert get_metric("ocr_recall").id == "ocr_recall:rapidocr"
    assert get_metric("ocr_recall:hr").id == "ocr_recall:rapidocr:hr"
    for id, told in (
        ("miou", "needs an engine"),
        ("miou:camvd", "unknown segmentation engine"),
        ("ocr_f:rapidcor", "did you mean 'rapidocr'"),
        ("miou:camvid:lr", "':hr'"),
        ("ap_box:yolo", "yolo/FILE"),
        ("miuo", "did you mean"),
    ):
        with pytest.raises(MetricError, match=told):
            get_metric(id)


def test_through_the_command_line(street: Path, referee: Path, command) -> None:  # type: ignore[no-untyped-def]
    result = command(
        "run",
        "realsr",
        "--dataset",
        f"street={street / 'images'}",
        "--truth",
        f"street=labels:{street / 'labels'},void=11",
        "--method",
        "nearest",
        "--metric",
        "miou:camvid",
        "--store",
        "s",
        "--device",
        "cpu",
    )
    assert "mIoU" in result.stdout
    assert " hr " in result.stdout
    page = (street / "s" / "report" / "leaderboard.md").read_text()
    assert "| hr " in page
    wrong = command("run", "realsr", "--dataset", f"street={street / 'images'}", "--truth", "lane=labels:x", status=2)
    assert "no dataset 'lane'" in wrong.stderr
