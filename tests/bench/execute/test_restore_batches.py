"""Images of one size that go through a network together: as each would fare alone, at its share of the cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench import evaluate
from asasr_bench.bench.execute.restore_batches import BatchCheck, Batches
from asasr_bench.bench.execute.restore_image import LqImage, Restored
from asasr_bench.bench.execute.restore_images import restore_images
from asasr_bench.bench.failures import Failure
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.interface import MethodCard
from asasr_bench.methods.registry import resolve
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor


class Recorder:
    """Enlarges, adds an offset drawn from each image's seed, and keeps what it was given."""

    card = MethodCard("recorder", "diffusion", "", deterministic=False)

    def __init__(self, fails: float | None = None, most: int = 99, normalises: bool = False) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.fails, self.most, self.normalises = fails, most, normalises

    def restore(self, lq: Tensor, scale: int, seeds: Sequence[int]) -> Tensor:
        self.shapes.append(tuple(lq.shape))
        if len(lq) > self.most:
            raise MemoryError("too many together")
        if self.fails is not None and bool((lq == self.fails).flatten(1).all(1).any()):
            raise ValueError("this image cannot be restored")
        drawn = torch.stack([torch.rand((), generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        sr = lq.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        sr = sr - sr.mean() + 0.5 if self.normalises else sr
        return 0.5 * sr + 0.3 * drawn[:, None, None, None]


def grey(level: int, height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def outcomes(method: object, images: Sequence[np.ndarray], batches: Batches, check: BatchCheck | None = None) -> list:
    work = [LqImage(str(number), lambda image=image: image) for number, image in enumerate(images)]
    return list(restore_images(method, "m", work, 2, 7, "cpu", batches=batches, check=check))  # type: ignore[arg-type]


sizes = st.lists(st.sampled_from([(4, 6), (6, 4), (5, 5)]), min_size=1, max_size=9)


@given(sizes, st.integers(1, 5), st.sampled_from([None, 48]))
def test_images_come_in_their_order_as_each_is_alone(
    shapes: list[tuple[int, int]], together: int, pixels: int | None
) -> None:
    images = [grey(20 * number, *shape) for number, shape in enumerate(shapes)]
    alone = outcomes(Recorder(), images, Batches())
    method = Recorder()
    batched = outcomes(method, images, Batches(together, pixels), BatchCheck(depends=False))
    for one, other in zip(alone, batched, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    assert sum(shape[0] for shape in method.shapes) == len(images)
    assert all(shape[0] <= together for shape in method.shapes)
    if pixels is not None:
        assert all(shape[0] == 1 or shape[0] * shape[2] * shape[3] <= pixels for shape in method.shapes)


def test_portraits_and_landscapes_in_turn_go_by_two() -> None:
    method = Recorder()
    images = [grey(9, *shape) for shape in ((4, 6), (6, 4)) * 2]
    outcomes(method, images, Batches(4), BatchCheck(depends=False))
    assert method.shapes == [(2, 3, 4, 6), (2, 3, 6, 4)]


def test_an_image_that_fails_costs_itself_alone() -> None:
    results = outcomes(Recorder(fails=102 / 255), [grey(level) for level in (1, 102, 200)], Batches(3))
    assert [type(result) for result in results] == [Restored, Failure, Restored]
    assert results[1].message == "this image cannot be restored"


def test_an_image_that_cannot_be_loaded_costs_itself_alone() -> None:
    def broken() -> np.ndarray:
        raise ValueError("no such image")

    work = [LqImage("a", lambda: grey(1)), LqImage("b", broken), LqImage("c", lambda: grey(2))]
    method = Recorder()
    results = list(restore_images(method, "m", work, 2, 7, "cpu", batches=Batches(3), check=BatchCheck(False)))
    assert [type(result) for result in results] == [Restored, Failure, Restored]
    assert method.shapes == [(2, 3, 4, 6)]


def test_a_store_that_cannot_be_read_ends_the_job() -> None:
    def unreadable() -> np.ndarray:
        raise StoreError("the disk is gone")

    with pytest.raises(StoreError):
        list(restore_images(Recorder(), "m", [LqImage("a", unreadable)] * 2, 2, 7, "cpu", batches=Batches(2)))


def test_a_batch_that_memory_does_not_hold_is_restored_one_by_one() -> None:
    results = outcomes(Recorder(most=1), [grey(1), grey(2)], Batches(2))
    assert all(isinstance(result, Restored) for result in results)


def test_a_method_whose_images_depend_on_their_batch_restores_them_one_by_one() -> None:
    """It subtracts the mean over its batch; tried once, then known."""
    method, check = Recorder(normalises=True), BatchCheck()
    images = [grey(0), grey(200), grey(90), grey(255)]
    results = outcomes(method, images, Batches(2), check)
    assert check.depends
    for result, alone in zip(results, outcomes(Recorder(normalises=True), images, Batches()), strict=True):
        np.testing.assert_array_equal(result.pixels, alone.pixels)
    assert [shape[0] for shape in method.shapes].count(2) == 1


def test_the_check_costs_one_image(rng: np.random.Generator) -> None:
    method, check = Recorder(), BatchCheck()
    outcomes(method, [grey(level) for level in range(6)], Batches(2), check)
    assert check.depends is False
    assert [shape[0] for shape in method.shapes] == [2, 1, 2, 2]


def test_each_image_bears_its_share_of_the_cost() -> None:
    results = outcomes(Recorder(), [grey(1), grey(2)], Batches(2), BatchCheck(depends=False))
    assert results[0].seconds == results[1].seconds > 0
    assert results[0].device == "cpu"


@pytest.mark.parametrize("method", ["compact-gan", {"id": "asasr:small-prior", "sampling": {"steps": 2}}])
def test_networks_and_samplers_give_what_they_give_alone(method: object, rng: np.random.Generator) -> None:
    """Rounding apart; in bfloat16, where the processor has it, that moves more than a few pixels by a level."""
    images = list(rng.integers(0, 256, (3, 16, 24, 3), np.uint8))
    loaded = resolve(method).load("cpu")  # type: ignore[arg-type]

    def restored(batches: Batches) -> np.ndarray:
        work = [LqImage(str(number), lambda image=image: image) for number, image in enumerate(images)]
        results = restore_images(loaded, "m", work, 4, 7, "cpu", batches=batches)
        return np.stack([result.pixels for result in results if isinstance(result, Restored)]).astype(int)

    difference = np.abs(restored(Batches(3)) - restored(Batches()))
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.1


def test_a_run_restores_together_and_writes_the_rows_that_it_writes_alone(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Two sizes in turn, and metrics that are no networks: the job is joined for the method's sake."""
    for number in range(4):
        height, width = ((32, 48), (48, 32))[number % 2]
        write_png(tmp_path / f"hr/{number}.png", rng.integers(0, 256, (height, width, 3), np.uint8))
    values, seconds = {}, {}
    for batch in (1, 4):
        store = tmp_path / f"store{batch}"
        evaluate(
            "classic-x4",
            store,
            datasets=[f"D={tmp_path / 'hr'}"],
            methods=["compact-gan"],
            metrics=["psnr_y"],
            batch=batch,
            device="cpu",
        )
        with open_store(store) as opened:
            values[batch] = opened.scores().sort_values("image")["value"].to_numpy()
            seconds[batch] = opened.outputs().sort_values("image")["seconds"].tolist()
    assert len(values[1]) == 4
    np.testing.assert_allclose(values[4], values[1], atol=1e-3)
    assert len(set(seconds[1])) == 4
    assert len(set(seconds[4])) == 2  # two batches, whose images bear the same share
