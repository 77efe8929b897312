"""Radial log spectra of a store: what the metric ``lsd`` kept, brought to common frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .leaderboard import name_scales
from .metrics.spectrum import FLOOR
from .store import Store

Floats = NDArray[np.float64]

FREQUENCIES: Floats = np.linspace(0, 1, 256)
"""Relative to Nyquist; spectra of images of different sizes are interpolated to these."""

Profiles = dict[str, dict[str, tuple[Floats, Floats]]]
"""Method to image to natural logarithms of SR's and HR's power at ``FREQUENCIES``."""


def log_profiles(store: Store) -> dict[tuple[str, str], Profiles]:
    """By protocol and dataset, datasets named as in tables; seeds of an image are averaged."""
    outputs = name_scales(store.outputs())
    columns = (outputs[name] for name in ("protocol", "set", "scale", "dataset"))
    names = {
        (str(protocol), str(one), int(scale)): str(shown) for protocol, one, scale, shown in zip(*columns, strict=True)
    }
    seeds: dict[tuple[str, str], dict[str, dict[str, list[tuple[Floats, Floats]]]]] = {}
    for (protocol, scale, dataset, image, method, _), payload in store.payloads("lsd"):
        sr, hr = (_on_grid(profile) for profile in payload.astype(np.float64))
        place = protocol, names[protocol, dataset, scale]
        seeds.setdefault(place, {}).setdefault(method, {}).setdefault(image, []).append((sr, hr))
    return {
        place: {
            method: {image: (np.mean([sr for sr, _ in pairs], axis=0), pairs[0][1]) for image, pairs in images.items()}
            for method, images in methods.items()
        }
        for place, methods in seeds.items()
    }


def _on_grid(profile: Floats) -> Floats:
    own = np.linspace(0, 1, len(profile))
    return np.asarray(np.interp(FREQUENCIES, own, np.log(profile + FLOOR)), dtype=np.float64)
