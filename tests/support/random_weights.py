"""Weight files with random numbers of the shapes that networks expect, placed as real ones are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.datasets.fetch.digests import digest_of
from asasr_bench.methods.weights import files as weights
from asasr_bench.methods.weights.files import weight_file

TEXT_WIDTH, VOCABULARY = 64, 49408


def place(ids: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write these files into the folder and describe them in the manifest as it describes the real ones."""
    for id in ids:
        write(id, folder / weight_file(id).file)
    describe(ids, folder, monkeypatch)


def describe(ids: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the manifest know these files by the digests that they have."""
    described = dict(weights.manifest())
    for id in ids:
        if described[id].sha256:
            described[id] = replace(described[id], sha256=digest_of(folder / described[id].file))
    monkeypatch.setattr(weights, "manifest", lambda: described)


def write(id: str, path: Path) -> None:
    """Write the file of a manifest id."""
    torch.manual_seed(len(id))
    if id == "niqe":
        from scipy.io import savemat

        rng = np.random.default_rng(0)
        spread = rng.normal(0, 1, (36, 36))
        savemat(path, {"mu_prisparam": rng.normal(0, 1, (1, 36)), "cov_prisparam": spread @ spread.T})
    elif id.startswith("clip-"):
        torch.jit.script(_Module(content(id))).save(path)  # as OpenAI publishes them
    else:
        torch.save(content(id), path)


def content(id: str) -> Any:
    """What the file of a manifest id holds."""
    if id in ("alexnet", "vgg16"):
        return _classifier(id)
    if id.startswith("lpips-"):
        widths = (64, 192, 384, 256, 256) if id == "lpips-alex" else (64, 128, 256, 512, 512)
        return {f"lin{level}.model.1.weight": torch.rand(1, width, 1, 1) for level, width in enumerate(widths)}
    if id == "dists":
        return {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
    if id == "brisque":
        return torch.randn(774), torch.randn(774, 36)
    if id == "musiq-koniq":
        from pyiqa.archs.musiq_arch import MUSIQ

        return _slim(MUSIQ(pretrained=False).state_dict())
    if id.startswith("maniqa"):
        from pyiqa.archs.maniqa_arch import MANIQA

        return _slim(MANIQA(pretrained=False, scale=0.13 if id == "maniqa-pipal" else 0.8).state_dict())
    if id.startswith("topiq"):
        from pyiqa.archs.topiq_arch import CFANet

        network = CFANet(pretrained=False, backbone_pretrain=False, use_ref=id == "topiq-fr-kadid")
        return {"params": _slim(network.state_dict())}
    if id == "clip-rn50":
        from pyiqa.archs.clip_model import CLIP

        network = CLIP(TEXT_WIDTH, 64, (1, 1, 1, 1), 8, None, 77, VOCABULARY, TEXT_WIDTH, 1, 1)
        for name, value in network.named_parameters():  # the last norm of each block starts at zero
            if name.endswith("bn3.weight"):
                torch.nn.init.ones_(value)
        return network.state_dict()
    if id == "clipiqa-plus":
        return torch.randn(2, 16, TEXT_WIDTH)
    if id == "clip-vit-b32":
        return _clip_vit_b32()
    if id == "afine":
        return _afine()
    from pyiqa.archs.inception import fid_inception_v3

    assert id == "fid-inception"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyiqa.archs.inception.load_pretrained_network", lambda *_, **__: None)
        return _slim(fid_inception_v3().state_dict())


class _Module(torch.nn.Module):
    """Modules that have this state and do nothing."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            head, _, rest = key.partition(".")
            if rest:
                parts.setdefault(head, {})[rest] = value
            else:
                self.register_buffer(head, value.detach())
        for name, part in parts.items():
            self.add_module(name, _Module(part))

    def forward(self) -> None:
        """Nothing."""


def _classifier(name: str) -> dict[str, torch.Tensor]:
    """torchvision's network; its classifier, which no metric uses, is one number repeated."""
    from torchvision import models

    with torch.device("meta"):
        network = getattr(models, name)()
    state = {}
    for key, value in network.state_dict().items():
        if key.startswith("features."):
            fan_in = max(1, value[0].numel())
            state[key] = (
                torch.randn(value.shape) * (2 / fan_in) ** 0.5 if value.ndim > 1 else torch.randn(value.shape) / 9
            )
        else:
            state[key] = torch.zeros(1).expand(value.shape)
    return state


def _slim(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same shapes in a small file: layers of one shape and role share their random numbers."""
    shared: dict[tuple[object, ...], torch.Tensor] = {}
    roles = {key: (value.shape, value.dtype, key.rsplit(".", 1)[-1], "norm" in key or "bn" in key or "ln_" in key)
             for key, value in state.items()}  # fmt: skip
    return {key: shared.setdefault(roles[key], value) for key, value in state.items()}


def _clip_vit_b32() -> dict[str, torch.Tensor]:
    from pyiqa.archs.afineclip_model import AFINECLIP

    torch.manual_seed(4)
    return _slim(AFINECLIP(TEXT_WIDTH, 224, 12, 768, 32, 77, 100, TEXT_WIDTH, 1, 1).state_dict())


def _afine() -> dict[str, Any]:
    from pyiqa.archs import afine_arch as arch

    return {
        "finetuned_clip": _clip_vit_b32(),
        "natural": arch.AFINEQhead().state_dict(),
        "fidelity": arch.AFINEDhead().state_dict(),
        "fidelity_scale": arch.AFINENLM_FR_Fit_with_limit(yita3=0.5, yita4=0.15).state_dict(),
        "natural_scale": arch.AFINENLM_NR_Fit(yita3=4.9592, yita4=21.5968).state_dict(),
        "adapter": arch.AFINELearnLambda(k=5).state_dict(),
    }


def sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
