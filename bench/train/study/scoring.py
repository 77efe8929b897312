"""Restore and measure a point on a set of images, many images at once, and write one file of scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ....datasets.images import pixel_digest, write_atomically
from ....methods.interface import Method
from ....methods.registry import resolve
from ....reports.tables import csv_text
from ...execute.check_output import tensor_pixels
from ...metrics.measure import measure_each
from ...metrics.metric import Metric, Score
from ...metrics.metric_input import MetricInput
from ...plan.image_seed import SEEDING, image_seed
from ...protocols import get_protocol
from ...store.keys import digest
from .images import ImageSet
from .points import Point
from .spec import Measurement

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Load = Callable[[Mapping[str, Any]], Method]
"""Loads a method reference onto the device."""


def score_point(
    point: Point,
    reference: str,
    training_seed: int,
    image_set: ImageSet,
    seeds: Sequence[int],
    *,
    measurement: Measurement,
    metrics: Sequence[Metric],
    folder: Path,
    device: str,
    batch: int,
    memory: dict[tuple[str, str, int, int], Floats] | None = None,
) -> Path:
    """Score a point on a set with each seed of sampling, unless its file of scores exists.

    Args:
        point: the setting and its number of steps.
        reference: method reference ``asasr:FOLDER`` of the trained model.
        training_seed: seed with which the model was trained.
        image_set: LQ and HR images.
        seeds: seeds of sampling.
        measurement: protocol and scale.
        metrics: metrics that this machine can measure.
        folder: folder for the file of scores.
        device: torch device.
        batch: number of images that are restored at once.
        memory: restorations that several blends share; filled by this function.

    Returns:
        A file with the columns protocol, dataset, setting, point, method, training_seed, steps, evaluations, image,
        seed, metric, value.
    """
    sampling: dict[str, Any] = {"steps": point.steps}
    if point.setting.weight:
        sampling["adversary"] = point.setting.weight
    method = f"{point.name}.seed{training_seed}"
    reference_with_sampling = {"name": method, "id": reference, "sampling": sampling}
    entry = resolve(reference_with_sampling)
    key = digest(
        {
            "identity": entry.identity_of_all(),
            "blend": [point.blend, point.samples],
            "images": image_set.digest,
            "seeds": [SEEDING, "pixels", *seeds],
            "protocol": measurement.protocol,
            "metrics": [[metric.id, metric.card.version, metric.weights()] for metric in metrics],
        }
    )[:12]
    path = folder / f"{method}@{image_set.name}-{key}.csv"
    if path.is_file():
        return path
    loaded = entry.load(device)
    assert isinstance(loaded, Method)
    method_loaded, restorations = loaded, {} if memory is None else memory

    def sample(seed: int) -> Floats:
        place = str(entry.weights_digest), image_set.name, point.steps, seed
        if not point.blend or place not in restorations:
            pixels = restored(method_loaded, image_set, seed, device, batch)
            if not point.blend:
                return pixels
            restorations[place] = pixels
        return restorations[place]

    rows: list[dict[str, Any]] = []
    for seed in seeds:
        pixels = sample(seed)
        if point.blend:
            samples = [pixels, *(sample(_seed_of_sample(seed, number)) for number in range(1, point.samples))]
            pixels = (1 - point.blend) * pixels + point.blend * np.mean(samples, axis=0)
        values = measured(pixels, image_set, measurement, metrics, device)
        for id, column in values.items():
            rows += [
                {
                    "protocol": measurement.protocol,
                    "dataset": image_set.name,
                    "setting": point.setting.name,
                    "point": point.name,
                    "method": method,
                    "training_seed": training_seed,
                    "steps": point.steps,
                    "evaluations": point.evaluations,
                    "image": image,
                    "seed": seed,
                    "metric": id,
                    "value": value,
                }
                for image, value in zip(image_set.images, column, strict=True)
            ]
    write_atomically(path, csv_text(pd.DataFrame(rows)).encode())
    return path


def restored(method: Method, image_set: ImageSet, seed: int, device: str, batch: int) -> Floats:
    """SR images ``[N, H, W, 3]`` in [0, 1], not rounded; each image has the same seed as in an evaluation.

    Args:
        method: the loaded method.
        image_set: LQ images; the HR images give the scale.
        seed: seed of sampling.
        device: torch device.
        batch: number of images that are restored at once.
    """
    import torch

    parts: list[Floats] = []
    scale = image_set.hr.shape[1] // image_set.lq.shape[1]
    for start in range(0, len(image_set.lq), batch):
        lq = image_set.lq[start : start + batch]
        images = torch.from_numpy(np.ascontiguousarray(lq.transpose(0, 3, 1, 2))).to(device).float().div_(255)
        with torch.inference_mode():
            sr: Tensor = method.restore(images, scale, [image_seed(seed, pixel_digest(image)) for image in lq])
        parts.append(sr.float().cpu().numpy().transpose(0, 2, 3, 1))
    return np.concatenate(parts)


def measured(
    pixels: Floats, image_set: ImageSet, measurement: Measurement, metrics: Sequence[Metric], device: str
) -> dict[str, list[float]]:
    """Values of the images by metric, of SR rounded to 8 bits as in a file; NaN where a metric is not defined.

    Args:
        pixels: SR images ``[N, H, W, 3]`` in [0, 1].
        image_set: LQ and HR images.
        measurement: protocol and scale.
        metrics: metrics to measure.
        device: torch device.
    """
    import torch

    protocol = get_protocol(measurement.protocol, measurement.scale)
    inputs = []
    for sr, lq, hr in zip(pixels, image_set.lq, image_set.hr, strict=True):
        tensor = torch.from_numpy(np.ascontiguousarray(sr.transpose(2, 0, 1)))[None]
        restored = tensor_pixels(tensor, lq, hr.shape[0] // lq.shape[0], "a point")
        inputs.append(MetricInput(restored, hr, protocol, lq))
    return {
        metric.id: [
            score.value if isinstance(score, Score) else float("nan") for score in measure_each(metric, inputs, device)
        ]
        for metric in metrics
    }


def _seed_of_sample(seed: int, number: int) -> int:
    """Seed of the sample with this number of the same image."""
    return 1_000_003 * number + seed
