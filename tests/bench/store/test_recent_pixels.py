"""Pixels that are kept in memory: those of the files, never anybody else's array, and never more than fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.store.images import DamagedObjectError, Objects, RecentPixels
from asasr_bench.datasets import images
from hypothesis import given
from hypothesis import strategies as st


@given(sizes=st.lists(st.integers(1, 30), max_size=40))
def test_no_more_bytes_than_fit_and_the_last_ones_stay(sizes: list[int]) -> None:
    recent = RecentPixels(capacity=64)
    for number, size in enumerate(sizes):
        recent.put(str(number), np.full(size, number, np.uint8))
    kept = [number for number in range(len(sizes)) if recent.get(str(number)) is not None]
    assert sum(sizes[number] for number in kept) <= 64
    assert kept == list(range(len(sizes)))[len(sizes) - len(kept) :]
    assert not sizes or kept


def test_arrays_are_copies_on_the_way_in_and_out() -> None:
    recent, pixels = RecentPixels(), np.zeros(4)
    recent.put("a", pixels)
    pixels[:] = 1
    first = recent.get("a")
    assert first is not None
    first[:] = 2
    np.testing.assert_array_equal(recent.get("a"), np.zeros(4))
    recent.drop("a")
    recent.drop("a")
    assert recent.get("a") is None


def test_an_image_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    digest = Objects(tmp_path).put(pixels)
    decoded = []
    load = images.load_upright
    monkeypatch.setattr(images, "load_upright", lambda image: decoded.append(image) or load(image))
    objects = Objects(tmp_path)
    for _ in range(3):
        np.testing.assert_array_equal(objects.get(digest), pixels)
    assert len(decoded) == 1
    assert pickle.loads(pickle.dumps(objects)).root == tmp_path  # travels to workers, without pixels


def test_a_file_that_is_gone_is_missing_though_its_pixels_are_known(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    digest = objects.put(np.zeros((3, 3), np.uint8))
    path = objects.path(digest)
    assert path is not None
    path.unlink()
    with pytest.raises(DamagedObjectError, match="missing"):
        objects.get(digest)
