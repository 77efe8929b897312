"""Results of HR are computed once for all methods, workers and runs, and never depend on their files."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.metrics import kept
from asasr_bench.bench.metrics.kept import KeptResults
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.set_distances import frechet
from asasr_bench.bench.protocols import get_protocol
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@dataclass(frozen=True)
class Piece:
    """A result of two parts."""

    text: str
    parts: Any = None


class Counter:
    """Computes a value and counts how often."""

    def __init__(self, value: object = "computed") -> None:
        self.value, self.calls = value, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.value


numbers = st.floats() | st.integers(-(2**60), 2**60) | st.floats(width=32).map(np.float32)
arrays = hnp.arrays(
    st.sampled_from([np.uint8, np.float32, np.bool_, np.int64]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)
)
results = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | arrays,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.builds(Piece, st.text(), inner)
    ),
    max_leaves=8,
)


@given(result=results)
def test_what_comes_back_is_what_was_computed(result: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("kept")
    KeptResults(folder, (Piece,)).of_image(IMAGE, ("a",), lambda: result)
    again = Counter()
    assert same(KeptResults(folder, (Piece,)).of_image(IMAGE, ("a",), again), result)
    assert again.calls == 0


def same(a: Any, b: Any) -> bool:
    """Equal, of equal types, to the last bit; NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Piece):
        return same((a.text, a.parts), (b.text, b.parts))
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


@pytest.mark.parametrize(
    ("image", "identity"),
    [
        (IMAGE[::-1], ("a", "1")),
        (IMAGE.reshape(2, 8, 3), ("a", "1")),
        (IMAGE, ("a", "2")),
        (IMAGE, ("a1", "")),
        (IMAGE[..., 0], ("a", "1")),
    ],
    ids=["pixels", "shape", "version", "words", "grey"],
)
def test_another_image_or_identity_is_computed(tmp_path: Path, image: np.ndarray, identity: tuple[str, ...]) -> None:
    results = KeptResults(tmp_path)
    results.of_image(IMAGE, ("a", "1"), Counter())
    other = Counter("other")
    assert results.of_image(image, identity, other) == "other"
    assert other.calls == 1


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_shape(path: Path) -> None:
    packed = KeptResults(path)._packed(None)
    path.write_bytes(packed.replace(b"arr_0", b"arr_1"))


@pytest.mark.parametrize("damage", [shortened, flipped, emptied, of_another_shape, Path.unlink])
def test_a_damaged_file_is_computed_again_and_replaced(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    results, compute = KeptResults(tmp_path), Counter((1, np.ones(9)))
    results.of_image(IMAGE, (), compute)
    (path,) = tmp_path.glob("??/*")
    whole = path.read_bytes()
    damage(path)
    assert same(results.of_image(IMAGE, (), compute), compute.value)
    assert compute.calls == 2
    assert path.read_bytes() == whole
    results.of_image(IMAGE, (), compute)
    assert compute.calls == 2


def test_where_nothing_can_be_written_it_is_computed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    compute = Counter()
    for _ in range(2):
        assert KeptResults(tmp_path / "file").of_image(IMAGE, (), compute) == "computed"
    assert compute.calls == 2


def test_what_cannot_be_read_back_is_not_kept(tmp_path: Path) -> None:
    """Objects of other people's classes, and of ours that nobody named."""
    for value in (Piece("a"), {"a": 1}, np.array([None]), [object()]):
        compute = Counter(value)
        for _ in range(2):
            assert KeptResults(tmp_path).of_image(IMAGE, (), compute) is value
        assert compute.calls == 2
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_read_for_long_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WRITES_BETWEEN_COUNTS", 1)
    noise = np.random.default_rng(0).integers(0, 255, (20, 1000), dtype=np.uint8)
    results = KeptResults(tmp_path, limit=12_000)
    results.of_image(IMAGE, ("read often",), lambda: noise[0])
    for number, row in enumerate(noise):
        results.of_image(IMAGE, (str(number),), Counter(row))
        for path in tmp_path.glob("??/*"):
            status = path.stat()
            os.utime(path, (status.st_atime - 10, status.st_mtime - 10))
        results.of_image(IMAGE, ("read often",), lambda: pytest.fail("it went"))
        assert sum(path.stat().st_size for path in tmp_path.glob("??/*")) <= 12_000
    newest, oldest = Counter(), Counter()
    results.of_image(IMAGE, ("19",), newest)
    results.of_image(IMAGE, ("0",), oldest)
    assert (newest.calls, oldest.calls) == (0, 1)


def work(folder: Path, calls: Any) -> None:
    """What a worker does with ten HR images."""

    def compute(number: int) -> tuple[int, np.ndarray]:
        with calls.get_lock():
            calls.value += 1
        return number, np.full(5000, number)

    for number in range(10):
        result = KeptResults(folder).of_image(
            IMAGE + np.uint8(number), ("work",), lambda number=number: compute(number)
        )
        assert same(result, (number, np.full(5000, number)))


def test_workers_share_them(tmp_path: Path) -> None:
    """Several at once may compute one twice, and never read half of it; a later one computes nothing."""
    context = multiprocessing.get_context("fork")
    calls = context.Value("i", 0)
    workers = [context.Process(target=work, args=(tmp_path, calls)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert 10 <= calls.value <= 30
    calls.value = 0
    late = context.Process(target=work, args=(tmp_path, calls))
    late.start()
    late.join()
    assert (late.exitcode, calls.value) == (0, 0)
    assert len(list(tmp_path.glob("??/*"))) == 10


def test_features_of_sets_are_computed_of_hr_once(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """FID and KID of two methods; under a protocol that shaves, HR is another image."""
    looked: list[int] = []

    def pooled(image: np.ndarray, device: str) -> np.ndarray:
        looked.append(int(image[0, 0, 0]))
        return image.reshape(-1)[:2048].astype(np.float32) / 7

    monkeypatch.setattr(frechet, "_pooled", pooled)
    monkeypatch.setattr(frechet.WeightFiles, "weights", lambda self: "digest")
    hr = np.ascontiguousarray(photo[:64, :64])
    methods = [np.full_like(hr, value) for value in (3, 5)]
    protocol = get_protocol("osediff-512", 4)
    payloads = [frechet.features([MetricInput(sr, hr, protocol)], "cpu")[0].payload for sr in (*methods, methods[0])]
    assert looked == [int(hr[0, 0, 0]), 3, 5, 3]
    assert payloads[0] is not None
    assert payloads[2] is not None
    np.testing.assert_array_equal(payloads[0], np.stack([pooled(methods[0], ""), pooled(hr, "")]))
    np.testing.assert_array_equal(payloads[0], payloads[2])
    looked.clear()
    frechet.features([MetricInput(methods[0], hr, get_protocol("classic-x4-float", 4))], "cpu")
    assert len(looked) == 2
