"""The table of pyiqa's metrics, read without importing the library or torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal

from ....datasets.names import did_you_mean
from ..metric import MetricError
from . import PYIQA

_OWN_IDS = {
    "psnr": "psnr_rgb",
    "psnry": "psnr_y",
    "ssim": "ssim_y",
    "ssimc": "ssim_rgb",
    "ms_ssim": "ms_ssim",
    "fsim": "fsim",
    "gmsd": "gmsd",
    "lpips": "lpips_alex",
    "lpips-vgg": "lpips_vgg",
    "dists": "dists",
    "vif": "vif",
    "vsi": "vsi",
    "niqe": "niqe",
    "brisque": "brisque",
    "piqe": "piqe_pyiqa",
    "musiq": "musiq_koniq",
    "maniqa": "maniqa_koniq",
    "maniqa-pipal": "maniqa_pipal",
    "clipiqa": "clipiqa",
    "clipiqa+": "clipiqa+",
    "topiq_fr": "topiq_fr_kadid",
    "topiq_nr": "topiq_nr_koniq",
    "afine_all_scale": "afine_all_scale",
    "afine_fr": "afine_fr",
    "afine_nr": "afine_nr",
}
"""The package's own id of the same metric, by the library's name."""

_OF_SETS = "is a value of whole sets of images; this package has 'fid' and 'kid'"
_HUB = "loads a whole model from the Hub, whose files are not verified here; measure it with 'judge:FILE.yaml'"
_FACES = "cuts faces out of images with a detector whose weights are not verified here"
_REFUSED_TYPES = {
    "FID": _OF_SETS,
    "InceptionScore": _OF_SETS,
    "CLIPScore": "compares images with captions, which no set has here",
    "QAlign": _HUB,
    "QReAlign": _HUB,
    "Compare2Score": _HUB,
    "FGResQ": _HUB,
}
_REFUSED_NAMES = dict.fromkeys(("topiq_nr-face", "topiq_nr-face-v1", "topiq_nr_swin-face"), _FACES)


@dataclass(frozen=True)
class LibraryMetric:
    """One row of the library's table."""

    name: str
    type: str
    """The class of its network."""
    settings: Mapping[str, Any]
    """Arguments of its constructor, which determine the variant."""
    full_reference: bool
    direction: Literal["higher", "lower"]
    range: str

    @property
    def own_id(self) -> str:
        """Id of the same metric in this package; '' where it has none."""
        return _OWN_IDS.get(self.name, "")


def library_metric(name: str) -> LibraryMetric:
    """The row of this name; the library must be installed.

    Raises:
        MetricError: no row has it, or it is a metric that cannot be measured image by image from verified files.
    """
    table = _table()
    if name not in table:
        near = did_you_mean(name, table)
        raise MetricError(f"metric '{PYIQA}{name}': pyiqa has no metric '{name}'{near}")
    row = table[name]
    settings = dict(row["metric_opts"])
    type = str(settings.pop("type"))
    refusal = _REFUSED_NAMES.get(name) or _REFUSED_TYPES.get(type)
    if refusal:
        raise MetricError(f"metric '{PYIQA}{name}' {refusal}")
    return LibraryMetric(
        name=name,
        type=type,
        settings=settings,
        full_reference=row["metric_mode"] == "FR",
        direction="lower" if row.get("lower_better") else "higher",
        range=row.get("score_range", ""),
    )


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Mapping[str, Any]]:
    """The library's table by name. Its file is run alone: importing the package would import torch."""
    package = find_spec("pyiqa")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "default_model_configs.py"
    spec = spec_from_file_location("pyiqa_default_model_configs", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    table: Mapping[str, Mapping[str, Any]] = module.DEFAULT_CONFIGS
    return table
