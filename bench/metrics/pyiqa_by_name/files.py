"""Which weight files a metric of pyiqa reads: its network is built without values, and what it asks for is noted."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....datasets.fetch.digests import digest_of
from ....methods.weights.files import WeightFile, WeightsError, find, manifest, verified
from ....methods.weights.model_folders import missing_model, model_digest
from ..library import replaced, verified_files_only
from ..requirements import not_installed
from . import PYIQA
from .tables import LibraryMetric, library_metric

if TYPE_CHECKING:
    import torch

WITHOUT_FILES = frozenset(
    ("PSNR", "SSIM", "MS_SSIM", "CW_SSIM", "FSIM", "VIF", "GMSD", "NLPD", "VSI", "MAD", "PIQE", "Entropy")
)
"""Types that read none. A type that did would be refused the file: see ``verified_files_only``."""

_DIGEST = re.compile(r"-([0-9a-f]{8})\.\w+$")
"""Publishers end the name of a file with the beginning of its SHA-256, as torch's hub does."""
_CLIP_DIGEST = re.compile(r"/clip/models/([0-9a-f]{64})/")
_CLIP_SHAPES: dict[str, tuple[Any, ...]] = {
    "RN50.pt": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "ViT-B-32.pt": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "ViT-L-14.pt": (768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
}
"""What CLIP's constructors take, by the file of the weights; Radford et al. 2021, tables 19 and 20."""


@dataclass(frozen=True)
class AskedFor:
    """What a network reads."""

    files: tuple[WeightFile, ...]
    backbones: tuple[str, ...]
    """Models of timm, by their names on the Hub, whose weights no file of the metric replaces."""


@dataclass(frozen=True)
class LibraryWeights:
    """All weights of a metric of the library; see ``Requirement``."""

    name: str

    def missing(self) -> str:
        """See ``Requirement``."""
        needed = asked_for(self.name)
        try:
            names = [file.file for file in needed.files if find(file) is None]
        except WeightsError as error:
            return str(error)
        command = f"'asasr-bench weights fetch {PYIQA}{self.name}' (under their publishers' licences)"
        files = f"weight files {', '.join(names)} are missing; get them with {command}" if names else ""
        return "; ".join(filter(None, (files, *map(missing_model, needed.backbones))))

    def weights(self) -> str:
        """See ``Requirement``.

        Raises:
            WeightsError: a file is missing or is not the right one.
        """
        needed = asked_for(self.name)
        return " ".join([*(digest_of(verified(file)) for file in needed.files), *map(model_digest, needed.backbones)])


def files_of(name: str) -> tuple[WeightFile, ...]:
    """The files of the metric ``pyiqa:NAME``, to be fetched.

    Raises:
        MetricError: see ``library_metric``; or the library is not installed.
    """
    from ..metric import MetricError

    if gap := not_installed("pyiqa", "iqa"):
        raise MetricError(f"{PYIQA}{name}: {gap}")
    return asked_for(name).files


@lru_cache(maxsize=128)
def asked_for(name: str) -> AskedFor:
    """What the library's metric of this name reads. Nothing is read or downloaded for it."""
    metric = library_metric(name)
    if metric.type in WITHOUT_FILES:
        return AskedFor((), ())
    noted = _Noted()
    with contextlib.redirect_stdout(io.StringIO()), verified_files_only(()), noted.instead_of_reading():
        network = _built_without_values(metric)
    files = tuple(_weight_file(name, file, url) for file, url in noted.urls.items())
    return AskedFor(files, tuple(dict.fromkeys(noted.kept_backbones(network))))


def _weight_file(name: str, file: str, url: str) -> WeightFile:
    """The file as the manifest knows it, or as its name and address tell; the library reads no converted ones."""
    known = next((entry for entry in manifest().values() if entry.file == file), None)
    if known is not None:
        return replace(known, package=None, tensors="", shipped=False)
    digest = _CLIP_DIGEST.search(url) or _DIGEST.search(file)
    return WeightFile(f"{PYIQA}{name}", file, url, "its publisher's", sha256=digest[1] if digest else "")


def _built_without_values(metric: LibraryMetric) -> torch.nn.Module | None:
    """The network without memory for its values; None where it is not whole without them, as tables are not."""
    import torch
    from pyiqa.archs import build_network

    try:
        with torch.device("meta"):
            network: torch.nn.Module = build_network({"type": metric.type, **metric.settings})
    except Exception:  # whatever an empty file leads to: what was asked for until then is noted
        return None
    return network


class _Values(dict[Any, Any]):
    """What stands for the content of a file: it has everything, and holds nothing."""

    def __missing__(self, key: object) -> _Values:
        return self

    def __delitem__(self, key: object) -> None:
        pass


@dataclass
class _Noted:
    """What a network asks for while it is built."""

    urls: dict[str, str] = field(default_factory=dict)
    """By the name of the file."""
    _backbones: list[tuple[str, torch.nn.Module]] = field(default_factory=list)
    _loaded: list[torch.nn.Module] = field(default_factory=list)
    """Modules all of whose values come from a file."""

    def kept_backbones(self, network: torch.nn.Module | None) -> Iterator[str]:
        """Models of timm with values that the network uses and no file replaces."""
        if network is None:
            return
        used = {id(value) for value in network.parameters()}
        replaced_values = {id(value) for module in self._loaded for value in module.parameters()}
        for name, backbone in self._backbones:
            if used.intersection(map(id, backbone.parameters())) - replaced_values:
                yield name

    @contextlib.contextmanager
    def instead_of_reading(self) -> Iterator[None]:
        """Note each download, and let every file be empty and every load do nothing."""
        import clip.clip as openai_clip
        import clip.model as openai_model
        import scipy.io
        import timm.models._builder as timm_builder
        import torch
        from pyiqa.archs import afineclip_model, clip_model
        from pyiqa.utils import download_util

        linspace = torch.linspace
        clips = (
            (clip_model, clip_model.CLIP),
            (afineclip_model, afineclip_model.AFINECLIP),
            (openai_clip, openai_model.CLIP),
        )
        with contextlib.ExitStack() as stack:

            def put(owner: Any, name: str, value: object) -> None:
                stack.enter_context(replaced(owner, name, value))

            put(download_util, "download_url_to_file", self._download)
            put(torch.hub, "download_url_to_file", self._download)
            put(torch, "load", lambda *_, **__: _Values())
            put(torch.jit, "load", lambda *_, **__: torch.nn.Identity())
            put(scipy.io, "loadmat", lambda *_, **__: _Values())
            put(torch.nn.Module, "load_state_dict", lambda *args, **more: self._load(*args, **more))
            put(torch.nn.Module, "to", lambda module, *_, **__: module)
            # Rates of dropped paths are read while networks are built, which numbers without values cannot be.
            put(torch, "linspace", lambda *args, **more: linspace(*args, **{**more, "device": "cpu"}))
            put(timm_builder, "load_pretrained", self._backbone)
            for module, network in clips:
                put(module, "_download", self._clip)
                put(module, "build_model", lambda *_, network=network: network(*_CLIP_SHAPES[[*self.urls][-1]]).eval())
            yield

    def _download(self, url: str, target: str, *_: object, **__: object) -> None:
        self.urls[Path(target).name] = url
        Path(target).touch()

    def _clip(self, url: str, root: str) -> str:
        target = Path(root) / Path(url).name
        target.parent.mkdir(parents=True, exist_ok=True)
        self._download(url, str(target))
        return str(target)

    def _load(self, module: torch.nn.Module, values: object, strict: bool = True, **_: object) -> None:
        if strict:
            self._loaded.append(module)

    def _backbone(self, model: torch.nn.Module, pretrained_cfg: Any = None, **_: object) -> None:
        self._backbones.append((hub_name(model, pretrained_cfg), model))


def hub_name(model: Any, pretrained_cfg: Any) -> str:
    """What the Hub calls the weights of a model of timm, or timm where they are not there."""
    settings = pretrained_cfg or model.pretrained_cfg
    return str(settings.get("hf_hub_id") or settings.get("architecture", ""))
