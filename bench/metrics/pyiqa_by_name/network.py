"""Networks of pyiqa from verified files, whole: a value that no file gives is NaN, and NaN is refused."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

from ....methods.weights.model_folders import model_folder
from ..library import replaced, verified_files_only
from ..metric import MetricError
from . import PYIQA
from .files import AskedFor, asked_for, hub_name
from .seed import seeded
from .tables import library_metric


@lru_cache(maxsize=8)
def load_network(name: str, weights: str, device: str) -> Any:
    """The network of a metric, ready to measure.

    Args:
        name: name of the metric in the library.
        weights: digests of its files, so that changed files are read again.
        device: torch device.

    Raises:
        WeightsError: a file is missing or is not the right one.
        MetricError: the library cannot build it from its files.
    """
    import pyiqa

    needed = asked_for(name)
    fence = (verified_files_only(needed.files), _given_backbones_only(needed), _no_downloads(name))
    with contextlib.ExitStack() as stack:
        for part in (*fence, contextlib.redirect_stdout(io.StringIO()), seeded(device)):
            stack.enter_context(part)
        try:
            network = pyiqa.create_metric(name, device=device).net
        except MetricError:
            raise
        except Exception as error:
            names = ", ".join([*(file.file for file in needed.files), *needed.backbones]) or "nothing"
            reason = f"{type(error).__name__}: {error}"
            raise MetricError(f"pyiqa cannot build {name} from {names} ({reason})") from error
    if gaps := [key for key, value in network.state_dict().items() if value.isnan().any()]:
        raise MetricError(f"pyiqa's {name} has no values for {gaps[0]} and {len(gaps) - 1} others in its files")
    return network


@contextlib.contextmanager
def _given_backbones_only(needed: AskedFor) -> Iterator[None]:
    """Models of timm come from their folders here; those whose values the metric's own file replaces begin as NaN."""
    import timm.models._builder as builder
    import torch

    load = builder.load_pretrained

    def load_here(model: Any, pretrained_cfg: Any = None, **more: Any) -> None:
        name = hub_name(model, pretrained_cfg)
        folder = model_folder(name) if name in needed.backbones else None
        if folder is not None:
            (file,) = folder.glob("model.safetensors")
            load(model, pretrained_cfg={**dict(pretrained_cfg), "file": str(file)}, **more)
            return
        with torch.no_grad():
            for value in model.parameters():
                value.fill_(torch.nan)

    with replaced(builder, "load_pretrained", load_here):
        yield


@contextlib.contextmanager
def _no_downloads(name: str) -> Iterator[None]:
    """Whatever else the library asks for is refused by name, and it reads no cache but the folder of verified files."""
    import torch
    from pyiqa import archs
    from pyiqa.utils import download_util

    def refuse(url: str, target: str, *_: object, **__: object) -> None:
        raise MetricError(f"{PYIQA}{name} asks for {url}, which is none of its known files; nothing is downloaded here")

    archs._lazy_import_arch(library_metric(name).type)
    with contextlib.ExitStack() as stack:
        put = partial(_put, stack)
        put(download_util, "download_url_to_file", refuse)
        put(torch.hub, "download_url_to_file", refuse)
        for module in [module for key, module in sys.modules.items() if key.startswith("pyiqa.archs.")]:
            if hasattr(module, "DEFAULT_CACHE_DIR"):  # a copy from before; LIQE keeps features of texts there
                put(module, "DEFAULT_CACHE_DIR", download_util.DEFAULT_CACHE_DIR)
        yield


def _put(stack: contextlib.ExitStack, owner: Any, name: str, value: object) -> None:
    stack.enter_context(replaced(owner, name, value))
