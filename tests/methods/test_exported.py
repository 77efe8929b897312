"""Networks of ONNX and ncnn as methods: the pixels of torch, tiles, sizes, identities, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MethodError, MissingWeightsError
from asasr_bench.methods.networks import exported_entry
from asasr_bench.methods.registry import resolve, resolve_and_load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import read_or_refused
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("ncnn")

LQ = torch.rand(1, 3, 21, 34, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network() -> SRVGGNetCompact:
    """A tiny x2 network of the kind that Real-ESRGAN's small models are, with random weights."""
    torch.manual_seed(0)
    return SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).eval()


@pytest.fixture(scope="module")
def by_torch(network: SRVGGNetCompact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That network as torch's own exporter writes it, of any height and width."""
    path = tmp_path_factory.mktemp("onnx") / "compact.onnx"
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        network, (LQ,), str(path), dynamo=True, dynamic_shapes=(sides,), external_data=False, verbose=False
    )
    return path


def ncnn_pair(network: SRVGGNetCompact, folder: Path, *, half: bool = False, channels: int = 3) -> Path:
    """That network as ncnn's converters write it."""
    state, scale = network.state_dict(), network.upscale
    lines = [f"Input in 0 1 data 0=0 1=0 2={channels}", "Split split 1 2 data first skip"]
    content = b""
    blob = "first"
    for number in range(len(network.body)):
        weight = state[f"body.{number}.weight"].numpy()
        if weight.ndim == 1:
            lines.append(f"PReLU prelu{number} 1 1 {blob} b{number} 0={len(weight)}")
            content += weight.tobytes()
        else:
            lines.append(f"Convolution conv{number} 1 1 {blob} b{number} 0={len(weight)} 1=3 4=1 5=1 6={weight.size}")
            content += (0x01306B47 if half else 0).to_bytes(4, "little")
            content += weight.astype(np.float16 if half else np.float32).tobytes()
            content += b"\0" * (-len(content) % 4) + state[f"body.{number}.bias"].numpy().tobytes()
        blob = f"b{number}"
    lines += [
        f"PixelShuffle shuffle 1 1 {blob} detail 0={scale}",
        f"Interp nearest 1 1 skip enlarged 0=1 1={scale} 2={scale}",
        "BinaryOp sum 2 1 detail enlarged output",
    ]  # fmt: skip
    blobs = 3 + len(network.body) + 3
    (folder / "compact.param").write_text("\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""]))
    (folder / "compact.bin").write_bytes(content)
    return folder / "compact.param"


def graph(
    path: Path, nodes: Sequence[Any], shape: Sequence[Any] = (1, 3, "h", "w"), *, kind: str = "FLOAT",
    inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",), constants: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A small graph from ``x`` to ``y``."""
    helper, type = onnx.helper, getattr(onnx.TensorProto, kind)
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    whole = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, type, shape) for name in inputs],
        [helper.make_tensor_value_info(name, type, None) for name in outputs], tensors,
    )  # fmt: skip
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, list(inputs), [output], **attributes)


def doubled(path: Path, shape: Sequence[Any] = (1, 3, "h", "w"), kind: str = "FLOAT") -> Path:
    """Nearest neighbour x2."""
    scales = [1, 2, 2, 1] if shape[-1] == 3 else [1, 1, 2, 2]
    inner = [
        node("Cast", ["x"], "f", to=onnx.TensorProto.FLOAT),
        node("Resize", ["f", "", "scales"], "r", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("Cast", ["r"], "y", to=getattr(onnx.TensorProto, kind)),
    ]  # fmt: skip
    return graph(path, inner, shape, kind=kind, constants={"scales": np.array(scales, np.float32)})


def nearest(lq: torch.Tensor) -> torch.Tensor:
    return lq.repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_onnx_is_the_network_in_torch(network: SRVGGNetCompact, by_torch: Path) -> None:
    """Sums in another order: a few units in the last place of float32 (1e-5 of values near 1)."""
    method = resolve(str(by_torch)).load("cpu")
    with torch.inference_mode():
        torch.testing.assert_close(method.restore(LQ, 2, [0]), network(LQ), atol=1e-5, rtol=0)
    with pytest.raises(MethodError, match="compact is a network for scale 2, not 4; give --scale"):
        method.restore(LQ, 4, [0])


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 2e-3)])
def test_ncnn_is_the_network_in_torch(network: SRVGGNetCompact, tmp_path: Path, half: bool, tolerance: float) -> None:
    """Half precision keeps 11 bits of each weight: 5e-4 of it, through three layers."""
    path = ncnn_pair(network, tmp_path, half=half)
    for file in (path, path.with_suffix(".bin")):
        method = resolve_and_load(str(file))
        with torch.inference_mode():
            expected = network(LQ)
        torch.testing.assert_close(method.restore(LQ, 2, [0]), expected, atol=tolerance, rtol=0)


def test_real_weights_are_the_same_in_all_three(shared: Path, tmp_path: Path) -> None:
    """realesr-animevideov3 by spandrel, and written for ncnn."""
    official = shared / "weights" / "realesr-animevideov3.pth"
    network = SRVGGNetCompact(upscale=4)
    network.load_state_dict(torch.load(official, map_location="cpu", weights_only=True)["params"])
    photo = read_image(shared / "data" / "RealSR_512" / "test_LR" / "Canon_001_LR4.png")[:48, :40]
    lq = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected = resolve_and_load(str(official)).restore(lq, 4, [0])
        sr = resolve_and_load(str(ncnn_pair(network, tmp_path))).restore(lq, 4, [0])
    torch.testing.assert_close(sr.clamp(0, 1), expected, atol=2e-5, rtol=0)


def test_published_weights_of_ncnn_are_those_that_were_converted(published_weights: Path) -> None:
    """Real-ESRGAN x4plus as its authors give it for ncnn, and the tensors that we read from it, in torch."""
    lq = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(2))
    sr = resolve_and_load(str(published_weights / "ncnn" / "realesrgan-x4plus.param")).restore(lq, 4, [0])
    with torch.inference_mode():
        expected = resolve_and_load("realesrgan-x4plus").restore(lq, 4, [0])
    torch.testing.assert_close(sr.clamp(0, 1), expected, atol=1e-4, rtol=0)


def test_large_images_go_in_tiles(by_torch: Path, network: SRVGGNetCompact, tmp_path: Path) -> None:
    """Four 3x3 convolutions see four pixels: with 16 more than are blended, tiles are the whole image."""
    lq = torch.rand(2, 3, 90, 70, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = network(lq)
    for path in (by_torch, ncnn_pair(network, tmp_path)):
        tiled = resolve_and_load({"weights": str(path), "tile": 24, "overlap": 24}).restore(lq, 2, [0, 0])
        torch.testing.assert_close(tiled, expected, atol=1e-5, rtol=0)
    assert resolve({"weights": str(by_torch), "tile": 24}).settings["tile"] == 24


@pytest.mark.parametrize(
    ("shape", "kind", "tolerance"),
    [
        ((1, 3, "h", "w"), "FLOAT", 0.0), ((None, None, None, None), "FLOAT", 0.0), (("n", "h", "w", 3), "FLOAT", 0.0),
        (("n", 3, "h", "w"), "FLOAT16", 5e-4), ((1, "h", "w", 3), "UINT8", 0.5 / 255 + 1e-6),
        ((1, 3, "h", "w"), "DOUBLE", 1e-7), ((1, 3, 64, 64), "FLOAT", 0.0), ((1, 40, 24, 3), "FLOAT", 0.0),
    ],
)  # fmt: skip
def test_layouts_precisions_and_fixed_sizes(
    tmp_path: Path, shape: tuple[Any, ...], kind: str, tolerance: float
) -> None:
    method = resolve_and_load(str(doubled(tmp_path / "net.onnx", shape, kind)))
    for height, width in ((1, 1), (21, 34), (100, 70)):
        lq = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(4))
        torch.testing.assert_close(method.restore(lq, 2, [0]), nearest(lq), atol=max(tolerance, 1e-6), rtol=0)


def test_sizes_that_a_network_wants_divisible_are_filled_up(tmp_path: Path) -> None:
    """Blocks of 8x8 pixels become channels, and their blocks of 16x16 the image."""
    nodes = [node("SpaceToDepth", ["x"], "s", blocksize=8), node("Concat", ["s"] * 4, "c", axis=1),
             node("DepthToSpace", ["c"], "y", blocksize=16, mode="DCR")]  # fmt: skip
    method: Any = resolve_and_load(str(graph(tmp_path / "net.onnx", nodes)))
    assert method._sizes.multiple == 8
    lq = torch.rand(1, 3, 21, 34)
    assert method.restore(lq, 2, [0]).shape == (1, 3, 42, 68)
    whole = torch.rand(1, 3, 24, 40)
    torch.testing.assert_close(
        method.restore(whole[..., :21, :], 2, [0])[..., :16, :], method.restore(whole, 2, [0])[..., :16, :]
    )


def average(path: Path) -> Path:
    return graph(path, [node("GlobalAveragePool", ["x"], "y")])


def one_number(path: Path) -> Path:
    return graph(path, [node("ReduceMean", ["x"], "y", keepdims=0)])


def two_inputs(path: Path) -> Path:
    return graph(path, [node("Add", ["x", "mask"], "y")], inputs=("x", "mask"))


def two_outputs(path: Path) -> Path:
    return graph(path, [node("Identity", ["x"], "y"), node("Identity", ["x"], "z")], outputs=("y", "z"))


def not_finite(path: Path) -> Path:
    return graph(path, [node("Sub", ["x", "x"], "o"), node("Div", ["o", "o"], "y")])


def enlarged_by_half(path: Path) -> Path:
    nodes = [node("Resize", ["x", "", "scales"], "y", mode="nearest")]
    return graph(path, nodes, constants={"scales": np.array([1, 1, 1.5, 1.5], np.float32)})


def text(path: Path) -> Path:
    path.write_text("not a network")
    return path


def cut(path: Path) -> Path:
    doubled(path)
    path.write_bytes(path.read_bytes()[:150])
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            average,
            "not a network from one RGB image to one that is larger by a whole number: from 3x33x35 it makes 3x1x1",
        ),
        (one_number, "it makes one number"),
        (two_inputs, r"has 2 inputs \(x, mask\)"),
        (two_outputs, r"has 2 outputs \(y, z\)"),
        (not_finite, "numbers that are not finite; export it in float32"),
        (enlarged_by_half, "larger by a whole number"),
        (text, r"onnxruntime .* cannot load it"),
        (cut, r"onnxruntime .* cannot load it"),
        (lambda path: doubled(path, (1, 1, "h", "w")), "takes images of 1 channels, not RGB"),
        (lambda path: doubled(path, (8, 3, "h", "w")), "takes 8 images at a time"),
        (lambda path: graph(path, [node("Identity", ["x"], "y")], (3, "h", "w")), "takes a tensor of 3 dimensions"),
        (lambda path: doubled(path, (1, 3, 8, 8)), "takes images of 8x8 alone, too small for tiles"),
        (lambda path: doubled(path, (1, 3, 64, "w")), "fixes one of height and width"),
        (lambda path: doubled(path, kind="INT64"), r"takes a tensor\(int64\)"),
    ],
)
def test_what_is_no_network_for_images_is_told(write: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx")
    with pytest.raises(MethodError, match=rf"net\.onnx: .*{message}"):
        resolve_and_load(str(path))


def test_weights_beside_an_onnx_file_are_part_of_it(tmp_path: Path) -> None:
    def written(name: str, weight: float = 1.0) -> Path:
        nodes = [node("Mul", ["x", "gain"], "y")]
        path = graph(tmp_path / "plain.onnx", nodes, constants={"gain": np.full((1, 3, 1, 1), weight, np.float32)})
        onnx.save(onnx.load(str(path)), str(tmp_path / "net.onnx"), save_as_external_data=True, location=name,
                  size_threshold=0)  # fmt: skip
        return tmp_path / "net.onnx"

    path = written("net.data", 0.5)
    entry = resolve(str(path))
    assert entry.card.weights == ("net.onnx", "net.data")
    torch.testing.assert_close(entry.load("cpu").restore(LQ, 1, [0]), LQ / 2)
    (tmp_path / "net.data").write_bytes(np.full(3, 0.25, np.float32).tobytes())
    assert resolve(str(path)).weights_digest != entry.weights_digest
    with pytest.raises(MethodError, match="was replaced while it was read"):
        entry.load("cpu")
    (tmp_path / "net.data").unlink()
    with pytest.raises(MethodError, match=r"its weights are in net\.data, which is not beside it"):
        resolve(str(path))
    path.write_bytes(path.read_bytes().replace(b"net.data", b"../e.dat"))
    with pytest.raises(MethodError, match=r"refused, its weights are said to be in '\.\./e\.dat'"):
        resolve(str(path))


def test_a_pair_is_known_by_both_files(network: SRVGGNetCompact, tmp_path: Path) -> None:
    path = ncnn_pair(network, tmp_path)
    before = resolve(str(path))
    assert before.weights_digest == resolve(str(path.with_suffix(".bin"))).weights_digest
    assert before.identity_of_all()["origin"] == "ncnn"
    content = bytearray(path.with_suffix(".bin").read_bytes())
    content[100] ^= 1
    path.with_suffix(".bin").write_bytes(content)
    changed = resolve(str(path)).weights_digest
    path.write_text(path.read_text().replace("conv0", "conv9"))
    assert len({before.weights_digest, changed, resolve(str(path)).weights_digest}) == 3
    path.with_suffix(".bin").unlink()
    with pytest.raises(MissingWeightsError, match=r"compact\.bin is missing; a network of ncnn is a pair"):
        resolve(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda param, numbers: (param, numbers[:-8]), r"compact\.bin: does not fit compact\.param: it ends before"),
        (lambda param, numbers: (param, numbers + b"1234"), "it has 4 bytes more than its layers take"),
        (lambda param, numbers: (b"PK", numbers), "does not begin as ncnn's text files do"),
        (lambda param, numbers: (param.replace(b"PReLU", b"Prelu2"), numbers), "has no layer of type Prelu2"),
        (lambda param, numbers: (param.replace(b"first b0", b"other b0"), numbers), "takes 'other', which no layer"),
        (lambda param, numbers: (param[: param.index(b"PixelShuffle")], numbers), "it is cut or damaged"),
        (lambda param, numbers: (param.replace(b"6=216", b"6=72"), numbers), "takes images of 1 channels, not RGB"),
        (lambda param, numbers: (param.replace(b"enlarged output", b"enlarged b0"), numbers), "gives 'b0', as another"),
        (lambda param, numbers: (param.replace(b" 1 2 data", b" 1 z data"), numbers), "is no layer"),
        (lambda param, numbers: (param.replace(b"detail enlarged output", b"detail detail output"), numbers),
         r"has 2 outputs \(enlarged, output\)"),
        (lambda param, numbers: (param.replace(b"0=1 1=2 2=2", b"0=1 1=3 2=2"), numbers), "compact.param: "),
    ],
)  # fmt: skip
def test_pairs_that_do_not_fit_are_told(
    change: Callable[[bytes, bytes], tuple[bytes, bytes]], message: str, network: SRVGGNetCompact, tmp_path: Path
) -> None:
    path = ncnn_pair(network, tmp_path)
    param, numbers = change(path.read_bytes(), path.with_suffix(".bin").read_bytes())
    path.write_bytes(param)
    path.with_suffix(".bin").write_bytes(numbers)
    with pytest.raises(MethodError, match=message):
        resolve_and_load(str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), shorter=st.integers(0, 400))
def test_damaged_onnx_files_are_read_or_refused(
    place: float, value: int, shorter: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = doubled(tmp_path_factory.mktemp("damaged") / "net.onnx")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = value
    path.write_bytes(content[: len(content) - shorter])
    with read_or_refused(MethodError, "net.onnx"):
        resolve_and_load(str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), value=st.sampled_from(b"0123456789 =-.\n\xff"))
def test_damaged_ncnn_files_are_read_or_refused(
    place: float, value: int, network: SRVGGNetCompact, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = ncnn_pair(network, tmp_path_factory.mktemp("damaged"))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = value
    path.write_bytes(content)
    with read_or_refused(MethodError, "compact"):
        resolve_and_load(str(path))


@pytest.mark.parametrize(("file", "package", "extra"), [("n.onnx", "onnxruntime", "onnx"), ("n.param", "ncnn", "ncnn")])
def test_without_the_extra_its_name_is_told(
    file: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (file, "n.bin"):
        (tmp_path / name).touch()
    monkeypatch.setattr(exported_entry, "find_spec", lambda name: None)
    with pytest.raises(MissingWeightsError, match=f"{package} is not installed; .*asasr-bench\\[{extra}\\]"):
        resolve(str(tmp_path / file))
    with pytest.raises(MissingWeightsError, match=r"weight file .*gone\.onnx is missing; put it there"):
        resolve(str(tmp_path / "gone.onnx"))


def test_a_run_takes_them_like_all_others(
    network: SRVGGNetCompact, by_torch: Path, tmp_path: Path, session: Callable[..., Any], photo: Any
) -> None:
    ncnn_pair(network, tmp_path)
    (tmp_path / "HR").mkdir()
    write_png(tmp_path / "HR" / "a.png", photo[:96, :80])
    told = session(
        "run", "classic-x2", "--dataset", "D=HR", "--method", "compact.param", "--method", f"onnx={by_torch}",
        "--method", "gone=gone.onnx", "--metric", "psnr_y", "--store", "S",
    )  # fmt: skip
    assert "gone.onnx is missing" in told.out + told.err
    values = session("report", "S", "--format", "csv", "--out", os.fspath(tmp_path / "R"))
    assert values.status == 0
    rows = next((tmp_path / "R").glob("*.csv")).read_text()
    assert "compact" in rows
    assert "onnx" in rows
