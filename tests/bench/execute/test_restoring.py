"""Seeds of images: equal for equal pixels and seed, else without relation to each other."""

from __future__ import annotations

import numpy as np
import torch
from asasr_bench.bench.execute.restore_image import restore_image
from asasr_bench.bench.plan.image_seed import image_seed
from asasr_bench.datasets.images import pixel_digest
from asasr_bench.methods.interface import MethodCard
from torch import Tensor


class Lucky:
    """Adds one drawn offset to a whole image, as the low frequencies of a sample's noise do."""

    card = MethodCard("lucky", "diffusion", "adds a drawn offset", deterministic=False)

    def restore(self, lq: Tensor, scale: int, seeds: list[int]) -> Tensor:
        offsets = [torch.randn((), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        sr = lq.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        return 0.5 + 0.1 * torch.stack(offsets)[:, None, None, None] + 0 * sr


def offsets(images: list[np.ndarray], seed: int) -> np.ndarray:
    return np.array([restore_image(Lucky(), image, 2, seed, "cpu").mean() for image in images])


def test_the_mean_of_a_set_is_as_certain_as_its_images_say(rng: np.random.Generator) -> None:
    """Were noise shared by images, the mean over 100 of them would vary with the seed as much as one image does."""
    images = list(rng.integers(0, 256, (100, 4, 4, 3), np.uint8))
    by_seed = np.stack([offsets(images, seed) for seed in range(40)])
    expected = by_seed.std(1).mean() / np.sqrt(len(images))
    assert 0.7 * expected < by_seed.mean(1).std() < 1.3 * expected


def test_a_seed_follows_from_pixels_and_seed_alone(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (4, 6, 3), np.uint8)

    def seed(seed: int, pixels: np.ndarray) -> int:
        return image_seed(seed, pixel_digest(pixels))

    assert seed(3, image) == seed(3, np.asfortranarray(image))
    assert len({seed(3, image), seed(4, image), seed(3, image[::-1]), seed(3, image.reshape(6, 4, 3))}) == 4
    assert 0 <= seed(3, image) < 2**32  # NumPy takes no larger ones


def test_a_digest_that_is_known_changes_no_pixel(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (4, 6, 3), np.uint8)
    plain = restore_image(Lucky(), image, 2, 5, "cpu")
    np.testing.assert_array_equal(restore_image(Lucky(), image, 2, 5, "cpu", pixel_digest(image)), plain)
