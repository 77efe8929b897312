"""Options of ``restore``: each method has its own, and refuses the others by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MethodError, MethodReferenceError
from asasr_bench.methods.options import with_options
from asasr_bench.methods.reference import parse_reference
from numpy.typing import NDArray

SMALL = "asasr:small-prior"


def changed(reference: str, **options: Any) -> Any:
    return with_options(parse_reference(reference), {name.replace("_", "-"): value for name, value in options.items()})


def test_options_become_keys_of_the_reference() -> None:
    asked = changed("asasr:flux", steps=8, guidance=2.0, tile=128, offload="model", prompt_file="own.safetensors")
    assert asked.sampling == {"steps": 8, "guidance": 2.0, "tile": 64, "overlap": 16}
    assert asked.running == {"offload": "model", "prompt_file": "own.safetensors"}
    assert changed("asasr:flux", tile=32).sampling == {"tile": 16, "overlap": 4}
    assert changed(SMALL, tile=64, tiles=2).sampling["tile"] == 256
    assert changed("sd-x4-upscaler", steps=10, guidance=3.0).sampling == {"steps": 10, "guidance_scale": 3.0}
    assert changed("network.pth", tile=64).tile == 64
    assert changed("bicubic") == parse_reference("bicubic")


@pytest.mark.parametrize(
    ("reference", "options", "words"),
    [
        ("bicubic", {"steps": 3}, "--steps: 'bicubic' has no such option; it has none of its own"),
        ("network.pth", {"precision": "bf16"}, "--precision: 'network.pth' has no such option; it has --tile"),
        (SMALL, {"prompt": "a"}, "--prompt: 'asasr:small-prior' has no such option; it has --tile, --steps"),
        (SMALL, {"guidance": 2.0}, "--guidance: 'asasr:small-prior'"),
        ("ldm-super-resolution", {"prompt": "a"}, "it has --steps, --tile$"),
    ],
)
def test_options_that_a_method_does_not_have_are_refused(reference: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(MethodReferenceError, match=words):
        changed(reference, **options)


def test_a_tile_has_a_least_size() -> None:
    with pytest.raises(MethodError, match="a tile of 16 LQ pixels is too small; 32 are the fewest"):
        changed("asasr:flux", tile=16)


@pytest.fixture
def photos(tmp_path: Path, photo: NDArray[np.uint8]) -> Path:
    """Three of one size and one of another."""
    for number in range(4):
        side = 16 if number < 3 else 12
        write_png(tmp_path / "lq" / f"{number}.png", photo[20 * number :][:side, :side])
    return tmp_path / "lq"


def test_images_restored_together_are_those_restored_alone(photos: Path, tmp_path: Path, session: Any) -> None:
    """Up to rounding of one grey level, with each image's own noise."""
    options = ("--device", "cpu", "--steps", "2", "--precision", "no", "--seed", "3")
    for out, batch in (("alone", 1), ("together", 3), ("twos", 2)):
        assert session("restore", SMALL, photos, tmp_path / out, *options, "--batch", batch).status == 0
    for number in range(4):
        alone, *others = (
            read_image(tmp_path / out / f"{number}.png").astype(int) for out in ("alone", "together", "twos")
        )
        assert alone.std() > 1
        for other in others:
            assert np.abs(alone - other).max() <= 1


def test_wrong_uses_are_told(photos: Path, tmp_path: Path, session: Any) -> None:
    for arguments, words in (
        (("bicubic", "--steps", "3"), "--steps: 'bicubic' has no such option"),
        (("bicubic", "--batch", "2"), "--batch: 'bicubic' is no network"),
        ((SMALL, "--precision", "half"), "sampling.precision"),
        ((SMALL, "--offload", "disk"), "running: 'offload'"),
    ):
        told = session("restore", *arguments[:1], photos, tmp_path / "out", *arguments[1:], "--device", "cpu")
        assert told.status != 0
        assert words in told.err, told.err


def test_a_damaged_image_costs_none_before_it(photos: Path, tmp_path: Path, session: Any) -> None:
    (photos / "2.png").write_bytes((photos / "2.png").read_bytes()[:60])
    told = session("restore", SMALL, photos, tmp_path / "out", "--steps", 1, "--batch", 8, "--device", "cpu")
    assert told.status == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]
