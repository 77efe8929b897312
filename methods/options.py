"""What a command line may ask of any method, put where the method's reference takes it, or refused by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import asasr
from .asasr_names import PREFIX, shipped_names
from .diffusion.pipelines import PIPELINES, pipeline_ids
from .errors import MethodReferenceError
from .reference import MethodReference

_SAMPLING = ("steps", "precision", "prompt", "guidance", "quantize")
_RUNNING = {"offload": "offload", "compile": "compile", "tiles": "tiles", "prompt-file": "prompt_file"}


def with_options(reference: MethodReference, options: Mapping[str, Any]) -> MethodReference:
    """A reference that asks for these options too.

    Args:
        options: those that were given, by the name that they have on the command line. ``tile``: side of a tile in LQ
            pixels.

    Raises:
        MethodReferenceError: the method does not have one of them; all that it has are named.
        MethodError: the file of an ASASR model cannot be read.
    """
    takes = _takes(reference)
    for name in options:
        if name not in takes:
            has = f"it has {', '.join(f'--{one}' for one in takes)}" if takes else "it has none of its own"
            raise MethodReferenceError(
                f"--{name}: '{reference.name or reference.id or reference.weights or reference.object or 'it'}' has no"
                f" such option; {has}"
            )
    if reference.weights is not None:
        return replace(reference, tile=options.get("tile", reference.tile))
    sampling, running = dict(reference.sampling), dict(reference.running)
    for name, value in options.items():
        if name == "tile" and _is_asasr(reference):
            sampling |= asasr.tile_of(str(reference.id), value)
        elif name in _RUNNING:
            running[_RUNNING[name]] = value
        elif name == "guidance" and not _is_asasr(reference):
            sampling["guidance_scale"] = value
        else:
            sampling[name] = value
    return replace(reference, sampling=sampling, running=running)


def _takes(reference: MethodReference) -> tuple[str, ...]:
    """Names of the options that a method has."""
    if reference.weights is not None:
        return ("tile",)
    if reference.id in pipeline_ids():
        call = PIPELINES[str(reference.id)].call
        more = {"prompt": "prompt" in call, "guidance": "guidance_scale" in call}
        return ("steps", "tile", *(name for name, there in more.items() if there))
    if not _is_asasr(reference):
        return ()
    family = asasr.family_of(str(reference.id))
    left = {"guidance"} if family != "flux" else set()
    left |= {"prompt", "prompt-file"} if family == "small" else set()
    return tuple(name for name in ("tile", *_SAMPLING, *_RUNNING) if name not in left)


def _is_asasr(reference: MethodReference) -> bool:
    return (reference.id or "").startswith(PREFIX) or reference.id in shipped_names()
