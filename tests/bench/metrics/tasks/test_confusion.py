"""mIoU, mAcc and aAcc against mmsegmentation, torchmetrics and a loop over classes."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.metrics.tasks.segmentation.confusion import Measure, combine, confusion, resample
from asasr_bench.datasets.ground_truth.kinds import VOID
from numpy.typing import NDArray

CLASSES = 5
Maps = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@pytest.fixture
def maps(rng: np.random.Generator) -> Maps:
    """Truth with void pixels, and predictions; class 4 is never true, class 3 nowhere at all."""
    created = []
    for _ in range(4):
        truth = rng.integers(0, 3, (9, 11)).astype(np.uint8)
        truth[rng.random(truth.shape) < 0.2] = VOID
        result = np.where(rng.random(truth.shape) < 0.6, np.minimum(truth, 2), rng.integers(0, 3, truth.shape))
        result[rng.random(truth.shape) < 0.1] = 4
        created.append((truth, result.astype(np.uint8)))
    return created


def _matrices(maps: Maps) -> list[NDArray[np.int64]]:
    return [confusion(truth, found, CLASSES) for truth, found in maps]


def test_against_a_loop_over_classes(maps: Maps) -> None:
    truth = np.concatenate([one[one != VOID] for one, _ in maps])
    result = np.concatenate([other[one != VOID] for one, other in maps])
    ious, accs = [], []
    for number in range(CLASSES):
        right, either = ((truth == number) & (result == number)).sum(), ((truth == number) | (result == number)).sum()
        if either:
            ious.append(right / either)
        if (truth == number).any():
            accs.append(right / (truth == number).sum())
    matrices = _matrices(maps)
    assert combine("miou")(matrices) == pytest.approx(100 * np.mean(ious), abs=1e-12)
    assert combine("macc")(matrices) == pytest.approx(100 * np.mean(accs), abs=1e-12)
    assert combine("aacc")(matrices) == pytest.approx(100 * (truth == result).mean(), abs=1e-12)


def test_against_mmsegmentation(maps: Maps) -> None:
    pytest.importorskip("mmseg")
    import torch
    from asasr_bench.bench.metrics.tasks.segmentation.engines import _stub_compiled_ops

    _stub_compiled_ops()
    from mmseg.evaluation import IoUMetric

    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = {"classes": [str(number) for number in range(CLASSES)]}
    for truth, found in maps:
        sample = {
            "pred_sem_seg": {"data": torch.from_numpy(found)[None]},
            "gt_sem_seg": {"data": torch.from_numpy(truth)[None]},
        }
        metric.process({}, [sample])
    expected = metric.compute_metrics(metric.results)
    matrices = _matrices(maps)
    for key, measure in (("mIoU", "miou"), ("mAcc", "macc"), ("aAcc", "aacc")):
        assert round(combine(measure)(matrices), 2) == pytest.approx(expected[key], abs=1e-9)  # type: ignore[arg-type]


def test_against_torchmetrics(maps: Maps) -> None:
    classification = pytest.importorskip("torchmetrics.functional.classification")
    import torch

    truth, found = (torch.from_numpy(np.stack(rows)).long() for rows in zip(*maps, strict=True))
    expected = classification.multiclass_confusion_matrix(found, truth, CLASSES, ignore_index=VOID)
    np.testing.assert_array_equal(sum(_matrices(maps)), expected.numpy())
    index = classification.multiclass_jaccard_index(found, truth, CLASSES, ignore_index=VOID, average="none").numpy()
    present = np.isin(np.arange(CLASSES), [0, 1, 2, 4])
    assert combine("miou")(_matrices(maps)) == pytest.approx(100 * float(index[present].mean()), abs=1e-4)


@pytest.mark.parametrize("measure", ["miou", "macc", "aacc"])
def test_resampled_sets_are_sets(maps: Maps, measure: Measure, rng: np.random.Generator) -> None:
    matrices = _matrices(maps)
    drawn = rng.multinomial(4, np.full(4, 0.25), size=20).astype(np.float64)
    by_hand = [combine(measure)([matrices[k] for k in np.repeat(np.arange(4), row.astype(int))]) for row in drawn]
    np.testing.assert_allclose(resample(measure)(matrices, drawn), by_hand, rtol=1e-12)


def test_void_alone_and_perfection() -> None:
    void = np.full((4, 4), VOID, dtype=np.uint8)
    empty = confusion(void, np.zeros((4, 4), dtype=np.uint8), CLASSES)
    assert empty.sum() == 0
    assert all(np.isnan(combine(measure)([empty])) for measure in ("miou", "macc", "aacc"))
    labels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    right = confusion(labels, labels, CLASSES)
    assert all(combine(measure)([right]) == 100 for measure in ("miou", "macc", "aacc"))
    # an image without any true pixel changes nothing
    assert combine("miou")([right, empty]) == 100


def test_maps_that_do_not_fit() -> None:
    labels = np.full((2, 2), 7, dtype=np.uint8)
    with pytest.raises(ValueError, match="the truth has class 7"):
        confusion(labels, np.zeros((2, 2), dtype=np.uint8), CLASSES)
    with pytest.raises(ValueError, match="the engine has class 7"):
        confusion(np.zeros((2, 2), dtype=np.uint8), labels, CLASSES)
    with pytest.raises(ValueError, match="pixels cannot be compared"):
        confusion(labels, np.zeros((2, 3), dtype=np.uint8), 8)
