"""A method as a function of images: the pixels of a run, from whatever holds the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench import evaluate, load_method, open_store
from asasr_bench.bench.api.images import ImageInputError
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.errors import MethodError
from PIL import Image


@pytest.mark.parametrize("id", ["lanczos", "compact-gan"])
def test_pixels_are_those_of_a_run(id: str, photo: np.ndarray, tmp_path: Path) -> None:
    lq = np.ascontiguousarray(photo[:24, :32])
    write_png(tmp_path / "lq" / "a.png", lq)
    write_png(tmp_path / "hr" / "a.png", np.ascontiguousarray(photo[:96, :128]))
    evaluate(
        {"protocol": "osediff-512", "scale": 4},
        tmp_path / "s",
        methods=id,
        metrics="psnr_y",
        progress=False,
        datasets={"P": (tmp_path / "lq", tmp_path / "hr")},
        device="cpu",
    )
    with open_store(tmp_path / "s") as store:
        stored = store.objects.get(store.outputs()["sr"].iloc[0])
    method = load_method(id, device="cpu")
    for image in (lq, lq / 255, Image.fromarray(lq), torch.from_numpy(lq).permute(2, 0, 1), tmp_path / "lq" / "a.png"):
        np.testing.assert_array_equal(method(image, 4), stored)
    both = method([lq, lq], 4)
    assert [image.shape for image in both] == [(96, 128, 3)] * 2
    np.testing.assert_array_equal(both[1], stored)


def test_a_method_says_what_it_is() -> None:
    method = load_method("compact-gan", device="cpu")
    assert repr(method) == "<method compact-gan(lq, scale) of family gan, x4, on cpu>"
    assert method.card.id == "compact-gan"
    assert method(np.zeros((8, 8, 3), np.uint8)).shape == (32, 32, 3)  # it has one scale alone
    assert method.restore(torch.zeros(1, 3, 8, 8), 4, [0]).shape == (1, 3, 32, 32)  # what is inside is there


def test_what_restores_no_images_is_said(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MethodError, match="is a folder of finished images"):
        load_method(f"predictions:{tmp_path}")
    with pytest.raises(MethodError, match="is HR itself"):
        load_method("hr")
    with pytest.raises(MethodError, match=r"method 'bicubic': give its scale \(any\)"):
        load_method("bicubic")(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MethodError, match=r"give its scale \(4\), not 2"):
        load_method("compact-gan", device="cpu")(np.zeros((8, 8, 3), np.uint8), 2)
    with pytest.raises(ImageInputError, match=r"LQ: floating point images are in 0\.\.1"):
        load_method("bicubic")(np.full((8, 8, 3), 200.0), 4)
