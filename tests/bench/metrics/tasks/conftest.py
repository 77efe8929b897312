"""Small label sets and weight files made by the tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import write_png
from numpy.typing import NDArray

CLASSES = ("sky", "road", "tree")


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No engine opens a connection or looks up a name, not even one that would go on without."""
    tried: list[str] = []

    def refuse(*given: object, **_: object) -> None:
        tried.append(str(given[-1]))
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not tried, f"tried to connect: {tried}"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where weight files are looked for."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def street(tmp_path: Path, photo: NDArray[np.uint8]) -> Path:
    """Three images of 96x64 in ``images`` with label maps of three classes in ``labels``, 11 is void."""
    for number in range(3):
        pixels = np.ascontiguousarray(photo[32 * number : 32 * number + 64, 32 * number : 32 * number + 96])
        grey = pixels.astype(float).mean(-1)
        labels = np.digitize(grey, (85, 170)).astype(np.uint8)
        labels[:4] = 11
        write_png(tmp_path / "images" / f"{number}.png", pixels)
        write_png(tmp_path / "labels" / f"{number}.png", labels)
    return tmp_path


@pytest.fixture
def referee(weights: Path, street: Path) -> Path:
    """A small segmenter, trained for a moment on the street images, in the place of the CamVid referee."""
    from asasr_bench.bench.train.referees.segmenter import SegmenterTraining, train_segmenter

    settings = SegmenterTraining(classes=CLASSES, void=(11,), steps=30, batch=4, crop=48, width=4, save_every=10)
    trained = train_segmenter(street / "images", street / "labels", settings, street / "training")
    return trained.rename(weights / "referee-camvid.safetensors")
