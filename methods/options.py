"""Options of the command line such as ``--steps`` or ``--tile``, translated into keys of a method's reference."""

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
    """Add options of the command line to a method's reference.

    Args:
        reference: the method.
        options: value by the option's name without the dashes. ``tile`` is the side of a tile in LQ pixels.

    Raises:
        MethodReferenceError: the method does not have one of the options; the message lists those that it has.
        MethodError: the file of an ASASR model cannot be read.
    """
    takes = _takes(reference)
    for name in options:
        if name not in takes:
            has = f"it has {', '.join(f'--{option}' for option in takes)}" if takes else "it has none of its own"
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
    """Names of the options that a method supports."""
    if reference.weights is not None:
        return ("tile",)
    if reference.id in pipeline_ids():
        call = PIPELINES[str(reference.id)].call
        optional = {"prompt": "prompt" in call, "guidance": "guidance_scale" in call}
        return ("steps", "tile", *(name for name, supported in optional.items() if supported))
    if not _is_asasr(reference):
        return ()
    family = asasr.family_of(str(reference.id))
    excluded = {"guidance"} if family != "flux" else set()
    excluded |= {"prompt", "prompt-file"} if family == "small" else set()
    return tuple(name for name in ("tile", *_SAMPLING, *_RUNNING) if name not in excluded)


def _is_asasr(reference: MethodReference) -> bool:
    return (reference.id or "").startswith(PREFIX) or reference.id in shipped_names()
