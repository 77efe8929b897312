"""Protocols: the named, versioned bundles of conventions without which a PSNR means nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..datasets.errors import UsageError
from ..datasets.names import did_you_mean


@dataclass(frozen=True)
class Protocol:
    """How outputs are turned into scores. Every stored score carries its protocol; no table mixes two."""

    name: str
    version: int
    """Raised when the same name would give another number."""
    summary: str
    scale: int | None = None
    """The scale that belongs to the protocol; None where any scale may use it."""
    shave: int = 0
    """Pixels cut from every side before scoring."""
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


class ProtocolError(UsageError, ValueError):
    """Unknown protocol, or one that contradicts the scale asked for."""


_OSEDIFF = Protocol(
    name="osediff-512",
    version=1,
    summary="SeeSR, OSEDiff and PiSA-SR tables: studio-range Y, no crop, SSIM on rounded Y",
    ssim_rounds_y=True,
    mse_floor=1e-8,
    clamp_contrast=True,
)

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
    )
}


def _classic(scale: int) -> Protocol:
    return Protocol(
        name=f"classic-x{scale}",
        version=1,
        summary="SRCNN and VDSR tables: rounded studio-range Y, grey kept raw, shaved by the scale",
        scale=scale,
        shave=scale,
        on_luma=True,
        grey_as_rgb=False,
        psnr_rounds_y=True,
        ssim_rounds_y=True,
    )


def _classic_float(scale: int) -> Protocol:
    return Protocol(
        name=f"classic-x{scale}-float",
        version=1,
        summary="EDSR, RCAN and IMDN tables: studio-range Y of uint8 RGB, not rounded, shaved by the scale",
        scale=scale,
        shave=scale,
    )


_SCALED = {"classic-xS": _classic, "classic-xS-float": _classic_float}
_SCALED_NAME = re.compile(r"classic-x(?P<scale>[1-9]\d*|S)(?P<float>-float)?")


def protocol_names() -> tuple[str, ...]:
    """All protocols; ``S`` stands for the scale."""
    return (*_SCALED, *_FIXED)


def get_protocol(name: str, scale: int | None) -> Protocol:
    """The protocol of this name for one scale; ``classic-xS`` takes its ``S`` from the scale.

    Raises:
        ProtocolError: no protocol has the name, or its scale is another one.
    """
    if name in _FIXED:
        return _FIXED[name]
    match = _SCALED_NAME.fullmatch(name)
    if match is None:
        raise ProtocolError(f"unknown protocol '{name}'{did_you_mean(name, protocol_names())}")
    own = protocol_scale(name)
    if own is None and scale is None:
        raise ProtocolError(f"protocol '{name}' needs a scale: write it in place of the S, or give --scale")
    if own is not None and scale is not None and own != scale:
        raise ProtocolError(f"protocol '{name}' is for scale {own}, not {scale}; use '{rescaled(name, scale)}'")
    make = _SCALED[f"classic-xS{match['float'] or ''}"]
    return make(own or scale or 1)


def protocol_scale(name: str) -> int | None:
    """The scale in a protocol's name, if it has one."""
    match = _SCALED_NAME.fullmatch(name)
    return int(match["scale"]) if match and match["scale"] != "S" else None


def rescaled(name: str, scale: int) -> str:
    """The same protocol for another scale: ``classic-x4-float`` becomes ``classic-x2-float``; others stay."""
    match = _SCALED_NAME.fullmatch(name)
    return name if match is None else f"classic-x{scale}{match['float'] or ''}"
