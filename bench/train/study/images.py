"""The images of a study, prepared once: one file with LQ and HR of all sets, which can be copied to another machine."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ....datasets.images import as_rgb, pixel_digest, write_atomically
from ...plan.experiment import find_everything
from ...plan.inputs import load_input
from ...spec import SpecError, parse_spec
from ...store.keys import digest
from .spec import Measurement

FILE = "images.npz"
_RECIPE = "recipe"


@dataclass(frozen=True)
class ImageSet:
    """LQ and HR images of a set; all have the same size."""

    name: str
    images: tuple[str, ...]
    lq: NDArray[np.uint8]
    """``[N, h, w, 3]``."""
    hr: NDArray[np.uint8]
    """``[N, scale * h, scale * w, 3]``."""

    @property
    def digest(self) -> str:
        """Digest of all pixels."""
        pairs = zip(self.lq, self.hr, strict=True)
        return digest({"pixels": [pixel_digest(image) for pair in pairs for image in pair]})


def prepared_sets(measurement: Measurement, out: Path, held_out: Path | None) -> dict[str, ImageSet]:
    """The sets of a study by name, from the file in ``out``, which is written first if it is missing.

    Args:
        measurement: names of the sets, scale, crop and LQ rule.
        out: folder of the study.
        held_out: folder of the photos that training leaves out, if a set is ``held-out``.

    Raises:
        SpecError, DatasetError: the images of a set are not available, or the file holds images that were made with
            other settings.
    """
    path = out / FILE
    recipe = {
        "sets": [*measurement.choice, *measurement.report],
        "crop": measurement.crop,
        "lq_rule": measurement.lq_rule,
        "scale": measurement.scale,
    }
    if not path.is_file():
        write_atomically(path, _packed(_read_or_made(measurement, held_out), recipe))
    with np.load(path) as content:
        stored = json.loads(str(content[_RECIPE]))
        if any(stored[key] != recipe[key] for key in recipe if key != "sets") or not (
            set(recipe["sets"]) <= set(stored["sets"])  # type: ignore[arg-type]
        ):
            raise SpecError(f"{path}: holds images made with other settings; remove it, or give another folder (--out)")
        return {name: _read(content, name) for name in stored["sets"]}


def _read(content: Mapping[str, Any], name: str) -> ImageSet:
    return ImageSet(name, tuple(map(str, content[f"{name}.images"])), content[f"{name}.lq"], content[f"{name}.hr"])


def _read_or_made(measurement: Measurement, held_out: Path | None) -> dict[str, ImageSet]:
    """Read or make the LQ and HR images in the same way as an evaluation."""
    sets = {}
    for name in (*measurement.choice, *measurement.report):
        entry: Any = {"name": name, "hr": str(held_out)} if name == "held-out" else name
        content = {
            "name": "images",
            "protocol": measurement.protocol,
            "scale": measurement.scale,
            "crop": measurement.crop,
            "datasets": [entry],
            "methods": ["bicubic"],
            "metrics": ["psnr_y"],
            **({"lq_rule": measurement.lq_rule} if measurement.lq_rule and not _has_lq(name) else {}),
        }
        experiment = find_everything(parse_spec(yaml.safe_dump(content), origin=f"set {name}", base=None))
        pairs = {item.image: load_input(item) for _, item in experiment.inputs()}
        missing = [image for image, (_, hr) in pairs.items() if hr is None]
        if missing:
            raise SpecError(f"set '{name}': {missing[0]} has no HR to compare with")
        sizes = {hr.shape[:2] for _, hr in pairs.values() if hr is not None}
        if len(sizes) > 1:
            raise SpecError(f"set '{name}': its images are of {len(sizes)} sizes; a study needs one, give a 'crop'")
        lq = np.stack([as_rgb(lq) for lq, _ in pairs.values()])
        hr = np.stack([as_rgb(hr) for _, hr in pairs.values() if hr is not None])
        sets[name] = ImageSet(name, tuple(pairs), lq, hr)
    return sets


def _has_lq(name: str) -> bool:
    """Whether a set comes with LQ images of its own."""
    from ....datasets.card import card_ids, load_card

    return name in card_ids() and bool(getattr(load_card(name), "lq", None))


def _packed(sets: Mapping[str, ImageSet], recipe: Mapping[str, Any]) -> bytes:
    arrays: dict[str, Any] = {_RECIPE: np.array(json.dumps(recipe))}
    for name, image_set in sets.items():
        arrays |= {f"{name}.images": np.array(image_set.images), f"{name}.lq": image_set.lq, f"{name}.hr": image_set.hr}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
