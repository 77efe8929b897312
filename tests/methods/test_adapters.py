"""Networks from weight files, tiling, and external programs."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.registry import resolve
from safetensors.torch import save_file
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """A tiny x2 network of the kind that Real-ESRGAN's small models are."""
    torch.manual_seed(0)
    return SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2).state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_weight_file_restores(tmp_path: Path, state: dict[str, torch.Tensor], suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save({"params": state}, path)
    else:
        save_file(state, path)
    method = resolve(str(path)).load("cpu")
    lq = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        sr = method.restore(lq, 2, [0])
        network = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2)
        network.load_state_dict(state)
        expected = network.eval()(lq).clamp(0, 1)
    torch.testing.assert_close(sr, expected)
    with pytest.raises(MethodError, match="for scale 2, not 4"):
        method.restore(lq, 4, [0])


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "net.pth").write_bytes(pickle.dumps({"weight": Trap()}))
    with pytest.raises(MethodError, match=r"net\.pth: (refused|damaged)"):
        resolve(str(tmp_path / "net.pth")).load("cpu")
    torch.save({"weight": Trap()}, tmp_path / "zip.pth")
    with pytest.raises(MethodError, match=r"zip\.pth: refused"):
        resolve(str(tmp_path / "zip.pth")).load("cpu")
    assert not (tmp_path / "ran").exists()


def test_a_truncated_weight_file_is_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes((tmp_path / "net.pth").read_bytes()[:2000])
    with pytest.raises(MethodError, match="damaged"):
        resolve(str(tmp_path / "net.pth")).load("cpu")


def test_tiling_real_weights_is_invisible(shared: Path) -> None:
    """realesr-animevideov3 sees 18 pixels to each side; 24 more than are blended leave 1e-3 grey levels."""
    weights = str(shared / "weights" / "realesr-animevideov3.pth")
    lq = torch.from_numpy(read_image(shared / "data" / "RealSR_512" / "test_LR" / "Canon_001_LR4.png"))
    batch = lq.permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        whole = resolve(weights).load("cpu").restore(batch, 4, [0])
        tiled = resolve({"weights": weights, "tile": 32}).load("cpu").restore(batch, 4, [0])
    assert (whole - tiled).abs().max() * 255 < 1e-3


def program(tmp_path: Path, body: str, **more: object):
    script = tmp_path / "program.py"
    script.write_text("import sys, pathlib, time\nlq, sr = map(pathlib.Path, sys.argv[1:3])\n" + body)
    return resolve({"name": "theirs", "command": f"{sys.executable} {script} {{lq}} {{sr}}", **more}).load("cpu")


def folders(tmp_path: Path) -> tuple[Path, Path]:
    write_png(tmp_path / "lq" / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "sr").mkdir()
    return tmp_path / "lq", tmp_path / "sr"


def test_a_program_gets_and_gives_folders(tmp_path: Path) -> None:
    lq, sr = folders(tmp_path)
    program(tmp_path, "for f in lq.iterdir(): (sr / f.name).write_bytes(f.read_bytes())").restore_folder(lq, sr, 1, 0)
    assert [path.name for path in sr.iterdir()] == ["a.png"]


def test_a_failing_program_says_why(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match=r"exit status 3.*no GPU here"):
        program(tmp_path, "print('no GPU here', file=sys.stderr); sys.exit(3)").restore_folder(*folders(tmp_path), 1, 0)


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    start = time.monotonic()
    body = "import subprocess; subprocess.run(['sleep', '60'])"
    with pytest.raises(MethodError, match=r"no end after 1\.5 s"):
        program(tmp_path, body, timeout=1.5).restore_folder(*folders(tmp_path), 1, 0)
    assert time.monotonic() - start < 20


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    method = resolve({"name": "x", "command": "no-such-program {lq} {sr}"}).load("cpu")
    with pytest.raises(MethodError, match="cannot start 'no-such-program'"):
        method.restore_folder(*folders(tmp_path), 1, 0)
