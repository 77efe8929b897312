"""Small weight files that claim a network of any size are refused before they take memory."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.registry import resolve_and_load
from asasr_bench.methods.weights.claims import FalseClaimError
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from spandrel.architectures.SwinIR import SwinIR


def compact() -> dict[str, torch.Tensor]:
    return SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).state_dict()


def many_layers(path: Path) -> None:
    state = compact()
    save_file({**state, "body.999999999.weight": torch.zeros(1), "body.999999999.bias": torch.zeros(12)}, path)


def sparse_layers(path: Path) -> None:
    """As many as the numbering allows, each as wide as the first says."""
    state = {f"body.{16 * number}.bias": torch.zeros(12) for number in range(2000)}
    save_file({**state, "body.0.weight": torch.zeros(4096, 3, 3, 3), "body.1.weight": torch.zeros(1),
               "body.31999.bias": torch.zeros(12)}, path)  # fmt: skip


def wide_layers(path: Path, width: int = 5000) -> None:
    """A first layer of so many channels asks for convolutions of 9 times their square."""
    state = {"body.0.weight": torch.zeros(width, 3, 3, 3), "body.2.bias": torch.zeros(12)}
    save_file({**state, "body.1.weight": torch.zeros(1), "body.4.bias": torch.zeros(12)}, path)


def wider_layers(path: Path) -> None:
    wide_layers(path, 100_000)


def windows() -> dict[str, torch.Tensor]:
    return SwinIR(
        img_size=8, embed_dim=12, depths=[2], num_heads=[2], window_size=4, mlp_ratio=2, upscale=2,
        upsampler="pixelshuffledirect",
    ).state_dict()  # fmt: skip


def wide_windows(path: Path) -> None:
    """An index of 10,000 rows says that windows are 100 pixels wide: tables of 200,000,000 numbers."""
    index = torch.zeros(10_000, 1, dtype=torch.int64)
    save_file({**windows(), "layers.0.residual_group.blocks.0.attn.relative_position_index": index}, path)


def wide_mask(path: Path) -> None:
    """A mask of 250,000 rows says that images are 2,000 pixels wide."""
    save_file({**windows(), "layers.0.residual_group.blocks.1.attn_mask": torch.zeros(250_000, 1)}, path)


def without_strides(path: Path) -> None:
    state = compact()
    torch.save({**state, "body.0.weight": torch.zeros(1).expand(360_000_000, 10, 3, 3)}, path)


def without_strides_legacy(path: Path) -> None:
    state = {**compact(), "body.0.weight": torch.zeros(1).expand(360_000_000, 10, 3, 3)}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def one_storage(path: Path) -> None:
    shared = torch.zeros(10**6)
    torch.save({**compact(), **{f"body.{number}.weight": shared for number in range(2, 2000)}}, path)


def packed(path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"body.0.weight": torch.zeros(5 * 10**7)}, buffer)
    with zipfile.ZipFile(buffer) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in given.namelist():
            archive.writestr(name, given.read(name))


def long_header(path: Path) -> None:
    size = 130 * 10**9
    header = json.dumps({"body.0.weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


def header_without_end(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


FILES = {
    "many.safetensors": many_layers,
    "sparse.safetensors": sparse_layers,
    "wide.safetensors": wide_layers,
    "wider.safetensors": wider_layers,
    "windows.safetensors": wide_windows,
    "mask.safetensors": wide_mask,
    "strides.pth": without_strides,
    "legacy.pth": without_strides_legacy,
    "shared.pth": one_storage,
    "packed.pth": packed,
    "long.safetensors": long_header,
    "endless.safetensors": header_without_end,
}
LOAD = """
import resource, sys, time
import torch, spandrel, safetensors.torch
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.registry import resolve_and_load
now = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (now + 2**30,) * 2)
for name in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    try:
        resolve_and_load(name)
        print(name, "loaded")
    except MethodError as error:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(name, "refused" if grown < 2**20 and time.perf_counter() - start < 20 else f"took {grown} KiB", error)
"""


def test_files_that_claim_more_than_they_hold_take_no_memory(tmp_path: Path) -> None:
    for name, write in FILES.items():
        write(tmp_path / name)
        assert (tmp_path / name).stat().st_size < 16 * 2**20
    names = [str(tmp_path / name) for name in FILES]
    done = subprocess.run([sys.executable, "-c", LOAD, *names], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        assert line.startswith(f"{name} refused {name}: "), line


@pytest.mark.parametrize("name", ["many.safetensors", "sparse.safetensors", "wide.safetensors", "wider.safetensors",
                                  "windows.safetensors", "mask.safetensors", "strides.pth", "legacy.pth",
                                   "shared.pth", "packed.pth"])  # fmt: skip
def test_the_claim_is_named(tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name)
    with pytest.raises(FalseClaimError, match="refused, "):
        resolve_and_load(str(tmp_path / name))


def test_honest_files_load_in_every_format(tmp_path: Path) -> None:
    state = compact()
    save_file(state, tmp_path / "net.safetensors")
    torch.save({"params_ema": state}, tmp_path / "net.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    whole = torch.zeros(8, 3, 3, 4)[..., :3].copy_(state["body.0.weight"])  # a part of a larger tensor
    torch.save({**state, "body.0.weight": whole}, tmp_path / "part.pth")
    lq = torch.rand(1, 3, 6, 7)
    outputs = [resolve_and_load(str(file)).restore(lq, 2, [0]) for file in sorted(tmp_path.iterdir())]
    assert len(outputs) == 4
    assert all(torch.equal(output, outputs[0]) for output in outputs)
    save_file(windows(), tmp_path / "windows.safetensors")
    assert resolve_and_load(str(tmp_path / "windows.safetensors")).restore(lq, 2, [0]).shape == (1, 3, 12, 14)
    assert load_file(tmp_path / "net.safetensors").keys() == state.keys()


def test_a_file_of_something_else_says_what_is_in_it(tmp_path: Path) -> None:
    save_file({"encoder.layer.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(MethodError, match=r"no network that spandrel knows.*'encoder\.layer\.0\.weight'"):
        resolve_and_load(str(tmp_path / "other.safetensors"))
    save_file({}, tmp_path / "empty.safetensors")
    with pytest.raises(MethodError, match="there are none"):
        resolve_and_load(str(tmp_path / "empty.safetensors"))
