"""Protocols: named and versioned sets of conventions, without which a PSNR has no meaning."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import ceil
from pathlib import Path
from typing import Any

from ..datasets.errors import UsageError
from ..datasets.names import did_you_mean, name_problem
from ..datasets.scales import parse_scale
from ..methods.user_code.objects import CodeError, constructed, import_object
from ..methods.user_code.references import (
    ObjectReference,
    anchored_object,
    installed_objects,
    is_object,
    parse_object,
)

ENTRY_POINT_GROUP = "asasr_bench.protocols"


@dataclass(frozen=True)
class Protocol:
    """Conventions by which outputs are measured. Every score has a protocol, and no table mixes two protocols."""

    name: str
    version: int
    """Version, to be raised when the protocol of the same name would give other values."""
    summary: str
    scale: float | None = None
    """The scale of the protocol; None if it can be used for any scale."""
    shave: int = 0
    """Pixels cut from every side before scoring."""
    shaves_fidelity_alone: bool = False
    """PSNR and SSIM are of shaved images, all other metrics of whole ones."""
    on_luma: bool = False
    """Methods that resample each channel alone (the bicubic row) run on the float Y plane from end to end."""
    grey_as_rgb: bool = True
    """Grey images are replicated to RGB before Y is taken; otherwise their raw values are Y."""
    psnr_rounds_y: bool = False
    ssim_rounds_y: bool = False
    mse_floor: float = 0.0
    """Added to the mean squared error on [0, 1]; 1e-8 caps PSNR at 80 dB for identical images."""
    clamp_contrast: bool = False
    """Negative values of SSIM's contrast-structure map count as 0 (pyiqa)."""
    own: bool = False
    """Whether it is a user's own protocol, which has a digest of its values in its name."""


class ProtocolError(UsageError, ValueError):
    """A protocol is unknown, or is for another scale."""


_OSEDIFF = Protocol(
    name="osediff-512",
    version=1,
    summary="SeeSR, OSEDiff and PiSA-SR tables: studio-range Y, no crop, SSIM on rounded Y",
    ssim_rounds_y=True,
    mse_floor=1e-8,
    clamp_contrast=True,
)


def _as_osediff(name: str, summary: str) -> Protocol:
    """Fidelity as in OSEDiff's tables, under a name of its own: other images, or less that is known of it."""
    return replace(_OSEDIFF, name=name, summary=summary)


_FIXED = {
    protocol.name: protocol
    for protocol in (
        _OSEDIFF,
        Protocol(
            name="asasr",
            version=1,
            summary="The ASASR paper's table: fidelity as osediff-512",
            ssim_rounds_y=_OSEDIFF.ssim_rounds_y,
            mse_floor=_OSEDIFF.mse_floor,
            clamp_contrast=_OSEDIFF.clamp_contrast,
        ),
        Protocol(
            name="ntire-sr-x4",
            version=1,
            summary="NTIRE 2025 and 2026 image SR x4: unrounded studio-range Y shaved by 4; perceptual score of whole"
            " images (github.com/zhengchen1999/NTIRE2026_ImageSR_x4, eval.py)",
            scale=4,
            shave=4,
            shaves_fidelity_alone=True,
        ),
        Protocol(
            name="ntire-esr-x4",
            version=1,
            summary="NTIRE 2026 efficient SR x4: PSNR-RGB shaved by 4; 'asasr-bench cost' gives its cost and score"
            " (github.com/Amazingren/NTIRE2026_ESR, test_demo.py)",
            scale=4,
            shave=4,
            shaves_fidelity_alone=True,
        ),
        replace(
            _as_osediff(
                "seesr-512-crop4",
                "SeeSR's own table: as osediff-512, PSNR and SSIM shaved by 4 (github.com/cswry/SeeSR, issues 30, 60)",
            ),
            shave=4,
            shaves_fidelity_alone=True,
        ),
        _as_osediff(
            "stablesr-512",
            "StableSR's own table: as osediff-512, which prints its row alike (IceClear/StableSR, issue 45)",
        ),
        _as_osediff("dreamclear-1024", "DreamClear, table 1: crops of 1024, PSNR and SSIM on Y (arXiv 2410.18666)"),
        _as_osediff("dreamclear-tasks", "DreamClear, table 2: detection and segmentation (arXiv 2410.18666)"),
        _as_osediff("full-size-nr", "RSD, table 14: whole photos without HR (arXiv 2503.13358)"),
        _as_osediff("realsr-full", "RSD, table 15: whole RealSR images instead of crops (arXiv 2503.13358)"),
        _as_osediff("lucidflux", "LucidFlux's README: no crop is told (github.com/W2GenAI-Lab/LucidFlux)"),
    )
}


def _classic(scale: float) -> Protocol:
    return Protocol(
        name=f"classic-x{scale}",
        version=1,
        summary="SRCNN and VDSR tables: rounded studio-range Y, grey kept raw, shaved by the scale",
        scale=scale,
        shave=ceil(scale),
        on_luma=True,
        grey_as_rgb=False,
        psnr_rounds_y=True,
        ssim_rounds_y=True,
    )


def _classic_float(scale: float) -> Protocol:
    return Protocol(
        name=f"classic-x{scale}-float",
        version=1,
        summary="EDSR, RCAN and IMDN tables: studio-range Y of uint8 RGB, not rounded, shaved by the scale",
        scale=scale,
        shave=ceil(scale),
    )


_SCALED = {"classic-xS": _classic, "classic-xS-float": _classic_float}
_SCALED_NAME = re.compile(r"classic-x(?P<scale>[1-9]\d*(?:\.\d[05]?)?|S)(?P<float>-float)?")


def protocol_names() -> tuple[str, ...]:
    """All protocols; ``S`` stands for the scale."""
    return (*_SCALED, *_FIXED)


def installed_protocols() -> dict[str, str]:
    """Entry points of other packages by the protocol's name, without names of this package's protocols."""
    points = installed_objects(ENTRY_POINT_GROUP, protocol_names())
    return {name: place for name, place in points.items() if not is_shipped(name)}


def is_shipped(name: str) -> bool:
    """Whether a name is that of a protocol of this package, with or without its scale."""
    return name in _FIXED or _SCALED_NAME.fullmatch(name) is not None


def get_protocol(reference: str | Mapping[str, Any] | ObjectReference, scale: float | None) -> Protocol:
    """The protocol of a reference for one scale; ``classic-xS`` takes its ``S`` from the scale.

    Args:
        reference: a name, also that of an entry point; a user's own protocol as ``FILE.py:object``, ``module:object``,
            or a mapping with its arguments (``parse_object``).
        scale: scale of the images; None: the protocol's own.

    Raises:
        ProtocolError: no protocol has the name, the protocol is for another scale, or a user's code cannot be used.
    """
    parsed = (
        ObjectReference(reference) if isinstance(reference, str) else parse_object(reference, "protocol", ProtocolError)
    )
    name = parsed.text
    if not is_shipped(name):
        if is_object(name) or name in installed_protocols():
            return _user_protocol(parsed, scale)
        known = (*protocol_names(), *installed_protocols())
        raise ProtocolError(f"unknown protocol '{name}'{did_you_mean(name, known)}; also your own: FILE.py:NAME")
    if parsed.arguments or parsed.name:
        raise ProtocolError(f"protocol '{name}': 'args' and 'name' go with a protocol of your own")
    if name in _FIXED:
        _require_scale(f"protocol '{name}'", _FIXED[name], scale)
        return _FIXED[name]
    named_scale = protocol_scale(name)
    if named_scale is None and scale is None:
        raise ProtocolError(f"protocol '{name}' needs a scale: write it in place of the S, or give --scale")
    if named_scale is not None and scale is not None and named_scale != scale:
        raise ProtocolError(f"protocol '{name}' is for scale {named_scale}, not {scale}; use '{rescaled(name, scale)}'")
    make = _SCALED["classic-xS-float" if name.endswith("-float") else "classic-xS"]
    return make(parse_scale(named_scale or scale or 1))


def recorded_protocol(name: str, recorded: Iterable[Mapping[str, Any]]) -> Protocol:
    """The protocol of a name in a store: the package's, or somebody's own with the values that a run recorded.

    Raises:
        ProtocolError: neither knows it.
    """
    known = {key.name for key in fields(Protocol)}
    for values in recorded if not is_shipped(name) else ():
        if values.get("name") == name:
            return Protocol(**{key: value for key, value in values.items() if key in known})
    return get_protocol(name, None)


def _user_protocol(reference: ObjectReference, scale: float | None) -> Protocol:
    """Somebody's protocol under a name that holds its values: those of two never share a table, a key or a folder."""
    subject = f"protocol '{reference.text}'"
    place = installed_protocols().get(reference.text) or anchored_object(reference.text, Path.cwd())
    try:
        imported = import_object(place)
        ready = isinstance(imported.value, Protocol)
        protocol = constructed(imported, reference.args, ready=ready)
    except CodeError as error:
        raise ProtocolError(f"{subject}: {error}") from error
    if not isinstance(protocol, Protocol):
        raise ProtocolError(f"{subject} is no Protocol of asasr_bench.bench.protocols, and gives none")
    name = reference.name or protocol.name
    problem = name_problem(name, file=True)
    if problem or is_shipped(name):
        raise ProtocolError(
            f"{subject}: its name '{ascii(name)[1:-1]}' {problem or 'is a protocol of asasr-bench itself'}"
        )
    _require_scale(subject, protocol, scale)
    return replace(protocol, name=f"{name}-{_digest(protocol)}", own=True)


def _require_scale(subject: str, protocol: Protocol, scale: float | None) -> None:
    if scale is not None and protocol.scale not in (None, scale):
        raise ProtocolError(f"{subject} is for scale {protocol.scale}, not {scale}; give --scale {protocol.scale}")


def _digest(protocol: Protocol) -> str:
    """Of the values that can change a score, where they are not the default, so that a new field changes no name."""
    values = {
        key.name: getattr(protocol, key.name) for key in fields(Protocol) if key.name not in ("name", "summary", "own")
    }
    changed = {key: value for key, value in values.items() if value != getattr(_BLANK, key)}
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]


_BLANK = Protocol("", 0, "")


def protocol_scale(name: str) -> float | None:
    """The scale in a protocol's name, if it has one."""
    match = _SCALED_NAME.fullmatch(name)
    return parse_scale(match["scale"]) if match and match["scale"] != "S" else None


def rescaled(name: str, scale: float) -> str:
    """The same protocol for another scale: ``classic-x4-float`` becomes ``classic-x2-float``; others stay."""
    match = _SCALED_NAME.fullmatch(name)
    return name if match is None else f"classic-x{scale}{match['float'] or ''}"
