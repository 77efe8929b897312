"""Figures that show pixels: crops of every version of an image, and their two-dimensional spectra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....datasets.images import to_uint8
from ....reports.figures.artifacts import MarkedVersion, artifacts_figure
from ....reports.figures.crops import Box, Version, crops_figure, most_different_box
from ....reports.figures.spectrum import spectra_2d_figure
from ....reports.grid import number
from ....reports.heat import area_layer, heat_layer
from ...metrics.metric import Metric
from ...metrics.metric_input import MetricInput
from ...metrics.spectrum import power_spectrum
from ...protocols import recorded_protocol
from ...store.images import StoreError
from ..artifact_layers import maps_of, shared_top
from ..gallery import choose_lq
from .data import FigureData, Part
from .options import ArtifactsOptions, CropsOptions, Spectrum2dOptions

Pixels = NDArray[np.uint8]
_VALUES = 2
"""Number of metrics below crops if none are named."""


@dataclass(frozen=True)
class Picture:
    """One image with all its versions; the first seed of seeded methods."""

    image: str
    lq: Pixels
    hr: Pixels | None
    restored: dict[str, Pixels]
    lqs: dict[str, NDArray[np.generic]]
    """LQ in the form that each method was given: RGB, grey, or a float Y plane."""


def crops(data: FigureData, options: CropsOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each image."""
    ids = options.metrics or [str(id) for id in data.board.metrics["metric"]][:_VALUES]
    metrics = [data.metric(id) for id in ids]
    for part, picture in _pictures(data, options):
        hr_sized = [*picture.restored.values(), *([] if picture.hr is None else [picture.hr])]
        whole = hr_sized[-1]
        boxes = [Box(*box) for box in options.boxes] or [most_different_box(hr_sized, options.side)]
        for box in boxes:
            if box.left + box.width > whole.shape[1] or box.top + box.height > whole.shape[0]:
                raise StoreError(
                    f"crops: box {box.left, box.top, box.width, box.height} leaves image '{picture.image}' of"
                    f" {whole.shape[1]}x{whole.shape[0]} pixels"
                )
        values = _values(data, part, picture.image)
        versions = [Version("LQ", picture.lq)]
        for name, pixels in picture.restored.items():
            versions.append(Version(name, pixels, _captions(values, name, list(picture.restored), metrics)))
        if picture.hr is not None:
            versions.append(Version("HR", picture.hr))
        title = f"{part.dataset}: {picture.image}"
        yield (
            f"crops-{part.dataset}-{picture.image}-{part.protocol}",
            crops_figure(whole, versions, boxes, title, options.paper, options.per_row),
        )


def spectrum2d(data: FigureData, options: Spectrum2dOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each image."""
    for part, picture in _pictures(data, options):
        protocol = recorded_protocol(part.protocol, (run.spec.conventions for run in data.store.runs()))
        images = {
            name: MetricInput(sr, picture.hr, protocol, picture.lqs[name]) for name, sr in picture.restored.items()
        }
        planes = {name: image.sr_luma for name, image in images.items()}
        if picture.hr is not None:
            planes = {"HR": next(iter(images.values())).luma[1], **planes}
        powers = {name: power_spectrum(plane / 255) for name, plane in planes.items()}
        title = f"{part.dataset}: {picture.image}, {part.protocol}"
        yield (
            f"spectrum2d-{part.dataset}-{picture.image}-{part.protocol}",
            spectra_2d_figure(powers, title, options.paper),
        )


def artifacts(data: FigureData, options: ArtifactsOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each image."""
    for part, picture in _pictures(data, options):
        if picture.hr is None:
            raise StoreError(f"{data.store.root}: image '{picture.image}' has no HR, and artifact maps compare with it")
        if options.stable and options.stable not in picture.restored:
            known = ", ".join(picture.restored)
            raise StoreError(
                f"{data.store.root}: artifacts: no method '{options.stable}' restored image '{picture.image}' (it has:"
                f" {known})"
            )
        stable = picture.restored.get(options.stable)
        maps = {
            name: maps_of(sr, picture.hr, stable) for name, sr in picture.restored.items() if name != options.stable
        }
        top = shared_top(maps)
        versions = [
            MarkedVersion(
                name,
                picture.restored[name],
                heat_layer(method_maps.ldl, top),
                area_layer(method_maps.areas, method_maps.excess),
                float(method_maps.areas.mean()),
            )
            for name, method_maps in maps.items()
        ]
        title = f"{part.dataset}: {picture.image}" + (f", against {options.stable}" if options.stable else "")
        yield (
            f"artifacts-{part.dataset}-{picture.image}-{part.protocol}",
            artifacts_figure(picture.hr, versions, title, options.paper),
        )


def _pictures(
    data: FigureData, options: CropsOptions | Spectrum2dOptions | ArtifactsOptions
) -> Iterator[tuple[Part, Picture]]:
    found_images: set[str] = set()
    for part in data.parts(options):
        outputs = data.outputs
        rows = outputs[
            (outputs["protocol"] == part.protocol)
            & (outputs["dataset"] == part.dataset)
            & (outputs["status"] == "done")
            & outputs["method"].isin(part.methods)
        ]
        for image in options.images or rows["image"].iloc[:1]:
            image_rows = rows[rows["image"] == image].drop_duplicates("method")
            if image_rows.empty:
                continue
            found_images.add(str(image))
            objects = data.store.objects
            by_method = image_rows.set_index("method")
            names = [name for name in part.methods if name in by_method.index]
            reference = image_rows["reference"].iloc[0]
            lqs = {str(digest): objects.get(str(digest)) for digest in image_rows["lq"].unique()}
            yield (
                part,
                Picture(
                    str(image),
                    to_uint8(lqs[choose_lq(lqs)]),
                    None if reference is None else objects.get(str(reference)),
                    {name: objects.get(str(by_method.loc[name, "sr"])) for name in names},
                    {name: lqs[str(by_method.loc[name, "lq"])] for name in names},
                ),
            )
    lost = [image for image in options.images if image not in found_images]
    if lost:
        raise StoreError(f"{data.store.root}: no method restored an image '{lost[0]}' of these datasets")


def _values(data: FigureData, part: Part, image: str) -> dict[tuple[str, str], float]:
    """Value of this image by method and metric, averaged over seeds."""
    scores = data.scores
    of_image = (scores["protocol"] == part.protocol) & (scores["dataset"] == part.dataset) & (scores["image"] == image)
    means = scores[of_image & scores["value"].notna()].groupby(["method", "metric"])["value"].mean().reset_index()
    return {
        (str(method), str(metric)): float(value)
        for method, metric, value in zip(means["method"], means["metric"], means["value"], strict=True)
    }


def _captions(
    values: dict[tuple[str, str], float], method: str, methods: Sequence[str], metrics: Sequence[Metric]
) -> tuple[tuple[str, bool], ...]:
    captions = []
    for metric in metrics:
        printed = {
            name: round(values[name, metric.id], metric.card.digits) for name in methods if (name, metric.id) in values
        }
        if method not in printed:
            continue
        losses = {name: float(metric.card.losses(np.array(value))) for name, value in printed.items()}
        best = metric.card.direction != "none" and losses[method] == min(losses.values()) and len(losses) > 1
        captions.append((f"{metric.card.title} {number(values[method, metric.id], metric.card.digits)}", best))
    return tuple(captions)
