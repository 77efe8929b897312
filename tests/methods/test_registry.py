"""Finding methods: references, the registry, third parties."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.errors import (
    MethodError,
    MethodReferenceError,
    MissingWeightsError,
    UnknownMethodError,
)
from asasr_bench.methods.networks.interpolation import KERNELS
from asasr_bench.methods.networks.published import compact_gan_file
from asasr_bench.methods.reference import parse_reference, with_absolute_paths
from asasr_bench.methods.registry import REGISTRY, Registry, resolve, resolve_and_load
from asasr_bench.methods.sources import Source, sources


def test_the_first_source_that_knows_a_reference_has_it() -> None:
    lanczos = REGISTRY.get("lanczos")
    also = Source(lambda reference: lanczos if reference.id in ("bicubic", "own") else None, lambda: ("own",))
    registry = Registry([*sources(), also])
    assert registry.get("own").card.id == "lanczos"
    assert registry.get("bicubic").card.id == "bicubic"
    assert registry.names() == [*REGISTRY.names(), "own"]
    assert len(set(registry.names())) == len(registry.names())
    with pytest.raises(UnknownMethodError, match="unknown method 'onw'; did you mean 'own'"):
        registry.get("onw")


@pytest.mark.parametrize(
    "reference",
    [
        "bicubic",
        "mine=predictions:out/{image}_x4.png",
        {"command": "run {lq} {sr}", "env": {"A": "1"}, "files": [], "scales": [4], "timeout": 3},
        {"object": "net:Net", "args": {"depth": [1, {"a": None}]}},
    ],
)
def test_a_reference_travels_and_means_the_same_from_any_folder(reference, tmp_path: Path) -> None:
    parsed = parse_reference(reference)
    assert pickle.loads(pickle.dumps(parsed)) == parsed
    placed = with_absolute_paths(parsed, tmp_path)
    assert replace(with_absolute_paths(placed, Path("elsewhere")), path=placed.path) == placed
    assert parse_reference(parsed.changed_fields()) == parsed


def test_a_name_is_only_a_label() -> None:
    assert resolve("mine=bicubic").card.id == "mine"
    assert resolve("mine=bicubic").identity("x", 4) == resolve("bicubic").identity("x", 4)
    assert resolve("bicubic").identity("x", 4) != resolve("lanczos").identity("x", 4)


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("bicubc", UnknownMethodError, "did you mean 'bicubic'"),
        ("nowhere/net.pth", MissingWeightsError, "nowhere/net.pth is missing"),
        ("no_such_module:thing", MethodError, "cannot be imported"),
        ("json:dumps", MethodError, r"dumps\(\) cannot be made .*missing 1 required positional argument"),
        ("json:dumps", MethodError, "a function of LQ is a method from Python"),
        ("Mine=command:python infer.py {lq} {sr}", MethodReferenceError, "a program is a mapping in a spec"),
        ("json:JSONEncoder", MethodError, "is no method: it needs a MethodCard named 'card' and 'restore'"),
        ({"weigths": "x.pth"}, MethodReferenceError, "did you mean 'weights'"),
        ({"name": "x"}, MethodReferenceError, "exactly one"),
        ({"object": "net:Net", "args": {"since": date(2024, 5, 1)}}, MethodReferenceError, "'args' must be numbers"),
        ({"command": "run --in {lq}"}, MethodReferenceError, "needs {lq} and {sr}"),
    ],
)
def test_wrong_references_are_named(reference, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve(reference)


def test_a_torch_module_in_a_file_is_told_where_it_is_a_method(tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text("from torch import nn\n\nup = nn.Upsample(scale_factor=4)\n")
    with pytest.raises(MethodError, match=r"a torch module is a method from Python \(evaluate.* 'restore' of a class"):
        resolve(f"{tmp_path / 'network.py'}:up")


def test_changed_predictions_change_the_identity(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    before = resolve(f"predictions:{tmp_path}").identity("a", 4)
    write_png(tmp_path / "a.png", np.ones((4, 4, 3), np.uint8))
    assert resolve(f"predictions:{tmp_path}").identity("a", 4) != before
    with pytest.raises(MethodError, match="'b' is missing"):
        resolve(f"predictions:{tmp_path}").identity("b", 4)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", list(KERNELS))
def test_tensors_and_pixels_agree(name: str, scale: int, rng: np.random.Generator) -> None:
    import torch

    method = resolve_and_load(name)
    lq = rng.random((9, 7, 3))
    sr = method.restore(torch.from_numpy(lq).permute(2, 0, 1)[None], scale, [0])
    assert tuple(sr.shape) == (1, 3, 9 * scale, 7 * scale)
    expected = np.clip(method.restore_pixels(lq, scale), 0, 1)
    np.testing.assert_allclose(sr[0].permute(1, 2, 0).numpy(), expected, atol=1e-12)


def test_a_third_party_joins_by_installing_a_package(tmp_path: Path) -> None:
    module = (
        "from asasr_bench.methods.interface import MethodCard\n"
        "class Repeat:\n"
        "    card = MethodCard('repeat', 'regression', 'Repeats pixels')\n"
        "    def restore(self, lq, scale, seeds):\n"
        "        return lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)\n"
    )
    info = "throwaway_sr-1.0.dist-info"
    wheel = tmp_path / "throwaway_sr-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("throwaway_sr.py", module)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: throwaway-sr\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[asasr_bench.methods]\nrepeat = throwaway_sr:Repeat\n")
        archive.writestr(f"{info}/RECORD", "")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    write_png(tmp_path / "lq.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv = ['asasr-bench', 'restore', 'repeat',"
        f" {str(tmp_path / 'lq.png')!r}, {str(tmp_path / 'sr.png')!r}, '--scale', '2', '--device', 'cpu'];"
        "from asasr_bench.bench.cli.main import main; main()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    from asasr_bench.datasets.images import read_image

    expected = np.arange(48, dtype=np.uint8).reshape(4, 4, 3).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "sr.png"), expected)


def test_a_known_file_is_what_its_card_says_and_others_are_networks(tmp_path: Path) -> None:
    shipped = compact_gan_file()
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(shipped.read_bytes())
    by_id, by_path = resolve("compact-gan"), resolve(str(copy))
    assert by_path.identity("x", 4) == by_id.identity("x", 4)
    assert replace(by_path.card, id="compact-gan") == by_id.card
    copy.write_bytes(shipped.read_bytes()[:-1])
    assert resolve(str(copy)).card.family == "network"
    assert resolve({"weights": str(copy), "family": "regression"}).card.family == "regression"


def test_a_published_file_given_by_its_path_is_the_published_network(shared: Path, monkeypatch) -> None:
    file = shared / "weights" / "realesr-animevideov3.pth"
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(file.parent))
    by_id, by_path = resolve("realesr-animevideov3"), resolve(str(file))
    assert by_path.identity("x", 4) == by_id.identity("x", 4)
    assert by_path.card == by_id.card


def test_families_are_those_of_tables(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    assert resolve({"predictions": str(tmp_path), "family": "diffusion"}).card.family == "diffusion"
    for family in ("reference", "published", "nonsense"):
        with pytest.raises(MethodReferenceError, match="family"):
            resolve({"predictions": str(tmp_path), "family": family})


def test_tables_show_the_name_of_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pointed.py").write_text(
        "from asasr_bench.methods.interface import MethodCard\n"
        "class Net:\n"
        "    card = MethodCard('othername', 'regression', 'Nothing')\n"
        "    def restore(self, lq, scale, seeds): ...\n"
    )
    info = tmp_path / "pointed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pointed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[asasr_bench.methods]\nmismatch = pointed:Net\nbroken = pointed:None_\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = resolve("mismatch")
    assert entry.card.id == "mismatch"
    assert "does not declare its weight files" in entry.card.incomplete
    assert resolve("mine=mismatch").identity("x", 4) == resolve("pointed:Net").identity("x", 4)
    with pytest.raises(MethodError, match=r"'broken' of pointed:None_ does not load"):
        resolve("broken")
