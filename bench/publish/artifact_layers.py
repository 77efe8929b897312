"""Artifact maps of restored images as transparent layers, for pages and figures.

A page gets the layers of all methods of an image and puts each over its SR::

    for method, layers in artifact_layers({"bicubic": sr}, hr).items():
        show(method, layers["LDL"])  # and "DeSRA": uint8 [H, W, 4], mostly clear
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np
from PIL import Image

from ...datasets.images import as_rgb
from ...reports.heat import Layer, area_layer, heat_layer, indexed
from ..metrics.faithfulness.artifact_maps import ArtifactMaps, artifact_maps
from ..store.images import Pixels
from .small_maps import SmallMaps, small_maps

_TOP = 99.5
"""Percentile of LDL's maps at which their layers reach the highest opacity."""


def artifact_layers(restored: Mapping[str, Pixels], hr: Pixels) -> dict[str, dict[str, Layer]]:
    """The layers of one image by method and name; all methods have the same scale of opacity.

    Args:
        restored: SR of each method, uint8 ``[H, W]`` or ``[H, W, 3]``, all of the same size.
        hr: the HR image.
    """
    maps = {name: maps_of(sr, hr) for name, sr in restored.items()}
    top = shared_top(maps) if maps else 0
    return {
        name: {"LDL": heat_layer(method_maps.ldl, top), "DeSRA": area_layer(method_maps.areas, method_maps.excess)}
        for name, method_maps in maps.items()
    }


def layers_of_page(restored: Mapping[str, Pixels], hr: Pixels, most: int) -> dict[str, dict[str, Image.Image]]:
    """The layers of one image at no more than half of ``most`` pixels along its longer side, as a page holds them.

    Args:
        restored, hr: see ``artifact_layers``.
        most: pixels along the longer side of images that have layers of half their size; larger ones are taken in
            strips, and their layers are smaller parts of them.
    """
    times = max(2, ceil(2 * max(hr.shape[:2]) / most))
    if times == 2:
        layers = artifact_layers(restored, hr)
        return {name: {key: indexed(layer) for key, layer in each.items()} for name, each in layers.items()}
    small = {name: small_maps(as_rgb(sr), as_rgb(hr), times) for name, sr in restored.items()}
    top = shared_top(small) if small else 0
    return {
        name: {"LDL": indexed(heat_layer(each.ldl, top), 1), "DeSRA": indexed(area_layer(each.areas, each.excess), 1)}
        for name, each in small.items()
    }


def maps_of(sr: Pixels, hr: Pixels, stable: Pixels | None = None) -> ArtifactMaps:
    """``artifact_maps`` of images that may be grey."""
    return artifact_maps(as_rgb(sr), as_rgb(hr), None if stable is None else as_rgb(stable))


def shared_top(maps: Mapping[str, ArtifactMaps] | Mapping[str, SmallMaps]) -> float:
    """The value of LDL's maps with the highest opacity, the same for all methods, so that they can be compared."""
    return float(np.percentile(np.stack([each.ldl for each in maps.values()]), _TOP))
