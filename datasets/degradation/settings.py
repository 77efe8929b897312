"""Settings of the second-order degradation of Real-ESRGAN, and the published ones by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

Range = tuple[float, float]
"""Least and greatest value; draws are uniform between them."""

KERNEL_SIZES = (7, 9, 11, 13, 15, 17, 19, 21)
"""Sides of blur kernels in pixels (Real-ESRGAN, section 3.2; StableSR and SeeSR draw from them for both passes)."""


@dataclass(frozen=True)
class BlurSettings:
    """How a blur kernel is drawn."""

    probability: float
    """Share of images that are blurred at all."""
    sigma: Range
    """Standard deviation along each axis, in pixels."""
    generalised_beta: Range
    """Shape of generalised Gaussians; half of the draws are below 1, half above."""
    plateau_beta: Range
    """Shape of plateau kernels, drawn in the same way."""
    sinc: float = 0.1
    """Share of blurred images whose kernel is a sinc low-pass."""
    kinds: tuple[tuple[str, float], ...] = (
        ("iso", 0.45),
        ("aniso", 0.25),
        ("generalised-iso", 0.12),
        ("generalised-aniso", 0.03),
        ("plateau-iso", 0.12),
        ("plateau-aniso", 0.03),
    )
    """Kinds of the other kernels with their shares."""


@dataclass(frozen=True)
class PassSettings:
    """One pass: blur, resize, noise, JPEG."""

    blur: BlurSettings
    resize: tuple[float, float, float]
    """Shares of up, down and keep."""
    resize_range: Range
    """Least factor of down, greatest factor of up."""
    gaussian_sigma: Range
    """Standard deviation of Gaussian noise, in levels of 255."""
    poisson_scale: Range
    """Strength of Poisson noise; 1 is that of the photon counts themselves."""
    jpeg: Range
    """JPEG quality."""
    gaussian: float = 0.5
    """Share of images with Gaussian noise; the others have Poisson noise."""
    grey_noise: float = 0.4
    """Share of images whose channels have one and the same noise."""


@dataclass(frozen=True)
class DegradationSettings:
    """A whole degradation from HQ to LQ."""

    name: str
    scale: int
    sharpen: bool
    """HQ is sharpened by an unsharp mask before it is degraded."""
    first: PassSettings
    second: PassSettings
    final_sinc: float
    """Share of images with a sinc filter at the end."""
    source: str
    """Whose values these are, in which of their files, and what of that is left out."""
    revision: int = 0
    """Raised with every change of the values under this name; see ``lq.rule_version``."""

    @property
    def identity(self) -> str:
        """Name and revision, by which what was made with other values is told from what these make."""
        return self.name if self.revision == 0 else f"{self.name}, revision {self.revision}"


_REALESRGAN = DegradationSettings(
    name="realesrgan-x4",
    scale=4,
    sharpen=True,
    first=PassSettings(
        blur=BlurSettings(1.0, sigma=(0.2, 3.0), generalised_beta=(0.5, 4.0), plateau_beta=(1.0, 2.0)),
        resize=(0.2, 0.7, 0.1),
        resize_range=(0.15, 1.5),
        gaussian_sigma=(1.0, 30.0),
        poisson_scale=(0.05, 3.0),
        jpeg=(30.0, 95.0),
    ),
    second=PassSettings(
        blur=BlurSettings(0.8, sigma=(0.2, 1.5), generalised_beta=(0.5, 4.0), plateau_beta=(1.0, 2.0)),
        resize=(0.3, 0.4, 0.3),
        resize_range=(0.3, 1.2),
        gaussian_sigma=(1.0, 25.0),
        poisson_scale=(0.05, 2.5),
        jpeg=(30.0, 95.0),
    ),
    final_sinc=0.8,
    source="xinntao/Real-ESRGAN, options/train_realesrgan_x4plus.yml",
)

_OSEDIFF = replace(
    _REALESRGAN, name="osediff-x4", sharpen=False, source="cswry/OSEDiff, dataloaders/params_realesrgan.yml"
)

_SEESR = DegradationSettings(
    name="seesr-x4",
    scale=4,
    sharpen=False,
    first=replace(
        _REALESRGAN.first,
        resize_range=(0.3, 1.5),
        gaussian_sigma=(1.0, 15.0),
        poisson_scale=(0.05, 2.0),
        jpeg=(60.0, 95.0),
    ),
    second=replace(
        _REALESRGAN.second,
        blur=replace(_REALESRGAN.second.blur, probability=0.5),
        resize_range=(0.6, 1.2),
        gaussian_sigma=(1.0, 12.0),
        poisson_scale=(0.05, 1.0),
        jpeg=(60.0, 100.0),
    ),
    final_sinc=0.8,
    source="cswry/SeeSR, dataloaders/params_realesrgan.yml; its script that makes training pairs,"
    " utils_data/make_paired_data.py, has the values of realesrgan-x4 instead",
    revision=1,  # revision 0 had OSEDiff's values
)

_STABLESR = DegradationSettings(
    name="stablesr-x4",
    scale=4,
    sharpen=True,
    first=PassSettings(
        blur=BlurSettings(1.0, sigma=(0.2, 1.5), generalised_beta=(0.5, 2.0), plateau_beta=(1.0, 1.5)),
        resize=(0.2, 0.7, 0.1),
        resize_range=(0.3, 1.5),
        gaussian_sigma=(1.0, 15.0),
        poisson_scale=(0.05, 2.0),
        jpeg=(60.0, 95.0),
    ),
    second=PassSettings(
        blur=BlurSettings(0.5, sigma=(0.2, 1.0), generalised_beta=(0.5, 2.0), plateau_beta=(1.0, 1.5)),
        resize=(0.3, 0.4, 0.3),
        resize_range=(0.6, 1.2),
        gaussian_sigma=(1.0, 12.0),
        poisson_scale=(0.05, 1.0),
        jpeg=(60.0, 100.0),
    ),
    final_sinc=0.8,
    source="IceClear/StableSR, configs/stableSRNew/v2-finetune_text_T_512.yaml (without its no_degradation_prob: 0.01)",
)

_PRESETS = {settings.name: settings for settings in (_REALESRGAN, _OSEDIFF, _SEESR, _STABLESR)}


def preset_names() -> tuple[str, ...]:
    """Names of the published settings."""
    return tuple(_PRESETS)


def preset(name: str) -> DegradationSettings:
    """Published settings by name.

    Raises:
        KeyError: there are none of this name.
    """
    return _PRESETS[name]
