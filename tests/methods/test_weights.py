"""Weight files, and the published networks that need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import full_size
import numpy as np
import pytest
import torch
from asasr_bench.bench.cli.main import app
from asasr_bench.datasets.fetch.download import DownloadError
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MissingWeightsError
from asasr_bench.methods.networks.published import network_cards
from asasr_bench.methods.registry import REGISTRY, resolve, resolve_and_load
from asasr_bench.methods.weights import files as weights
from asasr_bench.methods.weights.files import WeightFile, WeightsError, fetch, find, manifest, weight_file
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, no torch cache, no network."""
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("ASASR_BENCH_OFFLINE", "1")
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def tiny_network(id: str) -> torch.nn.Module:
    """A small random network of the architecture that the id stands for."""
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DAT import DAT
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.HAT import HAT
    from spandrel.architectures.RCAN import RCAN
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    if id.startswith("realesr-"):
        return Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=4)
    if id in ("realesrgan-x4plus", "bsrgan", "esrgan"):
        return ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4)
    transformer = {"upscale": 4, "img_size": 16, "window_size": 8, "embed_dim": 12, "depths": [2], "num_heads": [2]}
    if id == "swinir-gan":
        return SwinIR(**transformer, mlp_ratio=2, upsampler="nearest+conv", resi_connection="1conv")
    if id == "swinir-classical":
        return SwinIR(**transformer, mlp_ratio=2, upsampler="pixelshuffle", resi_connection="1conv")
    if id == "hat-gan":
        return HAT(**transformer, mlp_ratio=2, upsampler="pixelshuffle", resi_connection="1conv", compress_ratio=3,
                   squeeze_factor=4, overlap_ratio=0.5)  # fmt: skip
    if id.startswith("dat"):
        return DAT(upscale=network_cards()[id].scales[0], img_size=16, embed_dim=32, depth=[2], num_heads=[2],
                   split_size=[8, 8], expansion_factor=2, resi_connection="1conv",
                   upsampler="pixelshuffle")  # fmt: skip
    return RCAN(scale=4, n_resgroups=1, n_resblocks=1, n_feats=16)


@pytest.mark.parametrize("id", network_cards())
def test_a_published_network_says_what_is_missing_and_runs_once_it_is_there(
    id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real loading path on a file that the test makes and that the manifest then describes."""
    assert id in REGISTRY.names()
    assert REGISTRY.get(id).card.licence
    with pytest.raises(MissingWeightsError, match="is missing") as caught:
        resolve(id)
    assert f"weights fetch {id}" in str(caught.value) or "by hand" in str(caught.value)
    entry = weight_file(id)
    torch.save({"params": tiny_network(id).state_dict()}, folder / entry.file)
    digest = weights.digest_of(folder / entry.file)
    described = {**manifest(), id: replace(entry, sha256=digest)}
    monkeypatch.setattr(weights, "manifest", lambda: described)
    assert resolve(id).weights_digest == digest
    method = resolve_and_load(id)
    (scale,) = network_cards()[id].scales
    assert method.restore(torch.rand(1, 3, 16, 16), scale, [0]).shape == (1, 3, 16 * scale, 16 * scale)


@pytest.mark.parametrize("id", network_cards())
def test_a_card_counts_the_published_networks_parameters(id: str) -> None:
    assert network_cards()[id].parameters == sum(one.numel() for one in full_size.network(id).parameters())


@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-1], lambda content: content[:-1] + b"x", lambda content: b"other"]
)
def test_truncated_tampered_and_swapped_files_are_refused_by_name(
    spoil: Callable[[bytes], bytes], folder: Path, shared: Path, command
) -> None:
    original = (shared / "weights" / "realesr-animevideov3.pth").read_bytes()
    path = folder / "realesr-animevideov3.pth"
    path.write_bytes(original)
    assert resolve("realesr-animevideov3").weights_digest == weight_file("realesr-animevideov3").sha256
    path.write_bytes(spoil(original))
    with pytest.raises(WeightsError, match=r"realesr-animevideov3\.pth: is not realesr-animevideov3"):
        resolve("realesr-animevideov3")
    assert "is not realesr-animevideov3" in command("weights", "verify", status=3).stderr


def test_the_official_file_gives_the_methods_cards_count(folder: Path, shared: Path) -> None:
    (folder / "realesr-animevideov3.pth").write_bytes((shared / "weights" / "realesr-animevideov3.pth").read_bytes())
    method = resolve_and_load("realesr-animevideov3")
    assert method.card.parameters == network_cards()["realesr-animevideov3"].parameters


def test_an_air_gapped_folder_replaces_the_network(folder: Path, shared: Path, tmp_path: Path, command) -> None:
    entry = weight_file("realesr-animevideov3")
    with pytest.raises(DownloadError, match="ASASR_BENCH_OFFLINE"):
        fetch(entry)
    with pytest.raises(WeightsError, match=r"no file realesr-animevideov3\.pth"):
        fetch(entry, source=tmp_path)
    assert str(folder) in command("weights", "fetch", entry.id, "--from", shared / "weights").stdout
    assert find(entry) == folder / entry.file
    assert "ok" in command("weights", "verify", entry.id).stdout
    assert "missing" in command("weights", "verify", "bsrgan", status=3).stderr
    assert "by hand" in command("weights", "fetch", "dat", status=3).stderr


def test_the_manifest_is_whole() -> None:
    for entry in manifest().values():
        assert entry.url.startswith("https://")
        assert entry.licence
        assert len(bytes.fromhex(entry.sha256)) in (0, 4, 32)
        assert entry.by_hand or entry.url.endswith(entry.file)
    assert set(network_cards()) <= set(manifest())


@pytest.mark.parametrize("id", REGISTRY.names())
def test_every_entry_shows_its_card(id: str) -> None:
    result = CliRunner().invoke(app, ["show", id], catch_exceptions=False)
    assert result.exit_code == 0
    assert id in result.output
    assert "summary" in result.output


@pytest.mark.parametrize("id", REGISTRY.names())
def test_every_entry_restores_or_says_what_is_missing(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the command line, on a machine that has no weights but the shipped ones."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    write_png(tmp_path / "lq.png", np.full((8, 8, 3), 100, np.uint8))
    arguments = ["restore", id, str(tmp_path / "lq.png"), str(tmp_path / "sr.png"), "--device", "cpu"]
    if REGISTRY.get(id).missing or id == "asasr:flux":
        with pytest.raises(
            MissingWeightsError, match=r"weights fetch|by hand|hf download|: clone https|licence"
        ) as caught:
            CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert id in str(caught.value)
    else:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert read_image(tmp_path / "sr.png").shape == (32, 32, 3)


def test_doctor_tells_what_is_missing_and_the_remedy(command) -> None:
    output = " ".join(command("doctor").stdout.split())
    assert "torch" in output
    assert "not here" in output
    assert "asasr-bench data fetch" in output


@pytest.mark.parametrize(
    ("size", "told"), [(3 * 2**20, "(MIT, 3 MiB)"), (9_000, "(MIT, less than 1 MiB)"), (None, "(MIT)")]
)
def test_the_remedy_tells_the_size_where_it_is_known(size: int | None, told: str) -> None:
    assert WeightFile("net", "net.pth", "", "MIT", bytes=size).remedy.endswith(told)
