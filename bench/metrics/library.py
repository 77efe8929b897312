"""Networks of pyiqa, built from verified weight files and nothing else."""

from __future__ import annotations

import contextlib
import io
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...methods.weights.files import WeightFile, verified, weight_file
from ..env_vars import environment

_NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@lru_cache(maxsize=32)
def load_network(name: str, files: tuple[str, ...], options: tuple[tuple[str, Any], ...], device: str) -> Any:
    """A network of the library, ready to measure.

    Args:
        name: the library's.
        files: ids of all weight files that it reads.
        options: what the library's constructor takes beside its defaults.

    Raises:
        WeightsError: a file is missing or is not the right one.
        ValueError: the library cannot read one.
    """
    import pyiqa

    entries = [weight_file(id) for id in files]
    with verified_files_only(entries), _backbones_without_weights(), contextlib.redirect_stdout(io.StringIO()):
        try:
            return pyiqa.create_metric(name, device=device, **dict(options)).net
        except Exception as error:
            if not entries:
                raise
            names = ", ".join(entry.file for entry in entries)
            raise ValueError(f"pyiqa cannot build {name} from {names} ({type(error).__name__}: {error})") from error


@contextlib.contextmanager
def verified_files_only(entries: Sequence[WeightFile]) -> Iterator[None]:
    """Let the library see a folder with these files alone, laid out as its caches are, and no network.

    It checks no digest and unpickles: so every file is verified before, one that it would fetch itself stays out, and
    one whose digest nobody published is read as plain tensors only.
    """
    from pyiqa.utils import download_util

    with tempfile.TemporaryDirectory(prefix="asasr-bench-") as name, contextlib.ExitStack() as stack:
        hub = Path(name, "hub")
        for folder in (hub / "pyiqa", hub / "checkpoints", hub / "clip", Path(name, ".cache", "clip")):
            folder.mkdir(parents=True)
            for entry in entries:
                (folder / entry.file).symlink_to(verified(entry).resolve())
        variables = {
            "HOME": name,
            "TORCH_HOME": name,
            "http_proxy": _NOWHERE,
            "https_proxy": _NOWHERE,
            "no_proxy": "",
            "NO_PROXY": "",
        }
        if not all(entry.sha256 for entry in entries):
            variables["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
        stack.enter_context(environment(variables))
        stack.enter_context(replaced(urllib.request, "_opener", None))  # it keeps the proxies that it was made with
        stack.enter_context(replaced(download_util, "DEFAULT_CACHE_DIR", str(hub / "pyiqa")))
        yield


@contextlib.contextmanager
def _backbones_without_weights() -> Iterator[None]:
    """MANIQA's file holds the whole network: the ImageNet weights that it would fetch first are overwritten anyway."""
    import timm

    create = timm.create_model
    with replaced(timm, "create_model", lambda *args, **more: create(*args, **{**more, "pretrained": False})):
        yield


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Another value of an attribute inside of the block."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
