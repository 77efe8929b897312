"""Centre crops: both sides of a pair show the same place, and the numbers are those of images cropped before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from asasr_bench import evaluate, open_store
from asasr_bench.bench.plan.experiment import input_of
from asasr_bench.bench.plan.inputs import InputError, load_input
from asasr_bench.bench.spec import SpecError, parse_spec
from asasr_bench.datasets.dataset import Sample
from asasr_bench.datasets.images import write_png
from asasr_bench.datasets.imresize import imresize
from numpy.typing import NDArray


@pytest.fixture
def hr(tmp_path: Path, rng: np.random.Generator) -> Path:
    write_png(tmp_path / "hr" / "a.png", rng.integers(0, 256, (70, 90, 3), dtype=np.uint8))
    return tmp_path / "hr" / "a.png"


def test_a_pair_is_cropped_at_one_place(hr: Path, tmp_path: Path) -> None:
    """LQ whose every pixel is the top left one of its block in HR stays so."""
    from asasr_bench.datasets.images import read_image

    write_png(tmp_path / "lq" / "a.png", np.ascontiguousarray(read_image(hr)[:68:4, :88:4]))
    item = input_of(Sample("a", hr, tmp_path / "lq" / "a.png"), "files", 4, on_luma=False, crop=32)
    lq, cropped = load_input(item)
    assert cropped is not None
    assert cropped.shape == (32, 32, 3)
    np.testing.assert_array_equal(lq, cropped[::4, ::4])


def test_lq_is_made_from_the_crop(hr: Path) -> None:
    item = input_of(Sample("a", hr, None), "matlab-bicubic", 2, on_luma=False, crop=24)
    lq, cropped = load_input(item)
    assert cropped is not None
    np.testing.assert_array_equal(lq, imresize(cropped, 0.5))
    assert item.key({}) != input_of(Sample("a", hr, None), "matlab-bicubic", 2, on_luma=False).key({})


def test_tables_name_the_crop(hr: Path, tmp_path: Path) -> None:
    evaluate(
        "classic-x2", tmp_path / "s", datasets=[f"A={hr.parent}"], methods=["bicubic"], metrics=["psnr_y"], crop=24
    )
    with open_store(tmp_path / "s") as store:
        assert list(store.scores()["dataset"]) == ["A (crop 24)"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("device", "quantum", r"'device': .*no device 'quantum' \(auto, cpu, cuda, cuda:1, mps, xpu\)$"),
        ("seeds", [-1], r"'seeds.0': should be greater than or equal to 0, not -1$"),
        ("seeds", [], r"'seeds': Tuple should have at least 1 item"),
    ],
)
def test_a_wrong_value_is_told_once(key: str, value: object, told: str) -> None:
    content = {"name": "x", "protocol": "asasr", "datasets": ["D=d"], "metrics": ["psnr_y"], key: value}
    with pytest.raises(SpecError, match=rf"^x: {told}"):
        parse_spec(yaml.safe_dump(content), origin="x")


def test_crops_that_do_not_fit_are_told(hr: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png: 90x70 is smaller than the crop of 80"):
        load_input(input_of(Sample("a", hr, None), "matlab-bicubic", 2, on_luma=False, crop=80))
    with pytest.raises(SpecError, match=r"^x: a crop of 30 pixels is no multiple of the scale 4$"):
        parse_spec("{name: a, protocol: asasr, metrics: [psnr_y], crop: 30}", origin="x")


@pytest.mark.parametrize(
    ("text", "overrides", "scale", "protocol"),
    [
        ("protocol: classic-x2", {}, 2, "classic-x2"),
        ("protocol: osediff-512", {}, 4, "osediff-512"),
        ("protocol: classic-x2\nscale: 2", {"scale": 3}, 3, "classic-x3"),
        ("protocol: osediff-512\nscale: 4", {"protocol": "classic-x3-float"}, 3, "classic-x3-float"),
    ],
)
def test_scale_and_protocol_follow_each_other(text: str, overrides: dict, scale: int, protocol: str) -> None:
    spec = parse_spec(f"name: x\nmetrics: [psnr_y]\n{text}", origin="x", overrides=overrides)
    assert (spec.scale, spec.protocol) == (scale, protocol)


def test_outputs_of_former_values_of_a_degradation_are_not_taken_for_those_of_its_present_ones(
    tmp_path: Path, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asasr_bench.datasets.degradation import settings

    write_png(tmp_path / "hr" / "a.png", np.ascontiguousarray(photo[:64, :64]))

    def lqs(*methods: str) -> dict[str, str]:
        evaluate(
            "realsr",
            tmp_path / "store",
            datasets=[f"D={tmp_path / 'hr'}"],
            methods=methods,
            metrics=["psnr_y"],
            lq_rule="degradation:seesr-x4",
        )
        with open_store(tmp_path / "store") as store:
            return {str(row.method): str(row.lq) for row in store.outputs().itertuples()}

    first = replace(settings.preset("osediff-x4"), name="seesr-x4")  # revision 0 had these values
    with monkeypatch.context() as patched:
        patched.setitem(settings._PRESETS, "seesr-x4", first)
        before = lqs("bicubic", "nearest")
    after = lqs("bicubic")
    assert list(after) == ["bicubic"]  # that of the other method is left out until it runs again
    assert after["bicubic"] != before["bicubic"]
