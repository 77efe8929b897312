"""The COCO detector that OpenCV runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.tasks.detection import ssd
from asasr_bench.bench.metrics.tasks.detection.engines import detector
from asasr_bench.bench.metrics.tasks.engine import Detector, EngineError, engine_of
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.methods.weights.files import verified, weight_file
from measured import measured
from numpy.typing import NDArray

Photo = NDArray[np.uint8]


@pytest.fixture
def real(published_weights: Path) -> Detector:
    """The engine with its published weights."""
    pytest.importorskip("cv2")
    entry = detector("ssd-coco", "")
    assert entry.missing() == ""
    assert len(entry.weights()) == 32
    engine = engine_of(entry)
    assert isinstance(engine, Detector)
    return engine


def test_the_astronaut_is_a_person(real: Detector) -> None:
    """As OpenCV's own examples call it: BGR from a file, red and blue exchanged on the way in."""
    import cv2
    from skimage import data

    photo = data.astronaut()[:480]
    (found,) = real.detect([photo])
    person = max(found, key=lambda each: each.score)
    assert person.category == "person"
    assert person.score > 0.7
    network = cv2.dnn.readNetFromTensorflow(*(str(verified(weight_file(id))) for id in ssd._FILES))
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    network.setInput(cv2.dnn.blobFromImage(bgr, size=(300, 300), swapRB=True, crop=False))
    rows = network.forward()[0, 0]
    rows = rows[rows[:, 2] >= 0.001]
    np.testing.assert_allclose([each.score for each in found], rows[:, 2], atol=1e-6)
    np.testing.assert_allclose([each.box for each in found], rows[:, 3:] * [512, 480, 512, 480], atol=1e-3)


def test_cats_and_cups_have_the_right_names(real: Detector) -> None:
    """COCO's categories are numbered with gaps: a list without them would call a cup something else."""
    from skimage import data

    seen = [
        {each.category for each in found if each.score > 0.4}
        for image in (data.chelsea(), data.coffee())
        for found in real.detect([image])
    ]
    assert "cat" in seen[0]
    assert "cup" in seen[1]


def test_hr_agrees_with_itself_and_its_blur_does_not(real: Detector) -> None:
    from scipy.ndimage import gaussian_filter
    from skimage import data

    hr = np.ascontiguousarray(data.astronaut())
    blurred = gaussian_filter(hr, (12, 12, 0))
    metric = get_metric("ap_box:ssd-coco:hr")
    assert measured(metric, MetricInput(hr, hr, get_protocol("asasr", None))) == pytest.approx(100)
    assert measured(metric, MetricInput(blurred, hr, get_protocol("asasr", None))) < 99


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What OpenCV was given; it answers with one bottle at .6 and a shadow of one below the least score."""
    given: dict[str, Any] = {}
    rows = np.array([[0, 44, 0.6, 0.25, 0.5, 0.75, 1.0], [0, 44, 0.0005, 0, 0, 1, 1]], np.float32)

    def blob(image: Photo, **options: Any) -> str:
        given.update(image=image, **options)
        return "blob"

    network = SimpleNamespace(setInput=lambda blob: given.update(blob=blob), forward=lambda: rows[None, None])
    dnn = SimpleNamespace(readNetFromTensorflow=lambda *files: network, blobFromImage=blob)
    monkeypatch.setitem(
        sys.modules, "cv2", SimpleNamespace(dnn=dnn, setNumThreads=lambda count: given.update(threads=count))
    )
    return given


def test_boxes_are_pixels_of_the_image(stand_in: dict[str, Any], photo: Photo) -> None:
    (found,) = ssd.SsdDetector("weights", "graph").detect([photo[:100, :200]])
    assert [(each.category, each.box, each.mask) for each in found] == [("bottle", (50.0, 50.0, 150.0, 100.0), None)]
    assert stand_in["size"] == (300, 300)
    np.testing.assert_array_equal(stand_in["image"], photo[:100, :200])


def test_masks_are_not_asked_of_it(stand_in: dict[str, Any], monkeypatch: pytest.MonkeyPatch, photo: Photo) -> None:
    pytest.importorskip("pycocotools")
    monkeypatch.setattr(ssd, "_load", lambda device: ssd.SsdDetector("weights", "graph"))
    image = MetricInput(photo, photo, get_protocol("asasr", None))
    with pytest.raises(ValueError, match="ssd-coco gives boxes alone"):
        measured(get_metric("ap_mask:ssd-coco:hr"), image)
    assert measured(get_metric("ap_box50:ssd-coco:hr"), image) == pytest.approx(100)


def test_what_it_lacks_is_told(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssd, "not_installed", lambda module, extra, note="": f"{module} of {extra}{note}")
    assert detector("ssd-coco", "").missing() == "cv2 of detection (or opencv-python-headless)"
    monkeypatch.setattr(ssd, "not_installed", lambda *_: "")
    missing = detector("ssd-coco", "").missing()
    assert "ssd_mobilenet_v2_coco_2018_03_29.pb, ssd_mobilenet_v2_coco_2018_03_29.pbtxt are missing" in missing
    assert "weights fetch ssd-coco ssd-coco-graph" in missing
    assert detector("ssd-coco", "").weights() == ""
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(EngineError, match=r"OpenCV does not load .* opencv-python-headless in place of opencv-python"):
        ssd.SsdDetector("weights", "graph")
