"""The metric of ``pyiqa:NAME``: the library's own call on one image at a time, with one seed for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from ..batches import TOLERANCE, measure_batch, rgb_tensors
from ..card import MetricCard
from ..metric import Metric, Score
from ..metric_input import MetricInput
from ..requirements import Library, library_version
from . import PYIQA
from .files import WITHOUT_FILES, LibraryWeights
from .network import load_network
from .seed import SEED, seeded
from .tables import LibraryMetric, library_metric

VERSION = "1"

_LIBRARY = Library("pyiqa", "iqa", " (pyiqa is for non-commercial use)")
_COUNT = WITHOUT_FILES | {"NIQE", "ILNIQE", "BRISQUE", "NRQM", "PI"}
"""Types that round and count instead of asking a network, which a GPU does otherwise: they take the CPU."""


def metric_of_library(id: str) -> Metric:
    """The metric of ``pyiqa:NAME``. Where the library is not installed, no more than its name is known.

    Raises:
        MetricError: the library has no such metric, or it cannot be measured here (``library_metric``).
    """
    name = id.removeprefix(PYIQA)
    if _LIBRARY.missing():
        card = MetricCard(id, id, note="pyiqa is not installed and tells what it is", needs="nothing")
        return Metric(card, partial(_measure, name, "nothing"), requires=(_LIBRARY,))
    metric = library_metric(name)
    needs = "reference" if metric.full_reference else "nothing"
    network = metric.type not in _COUNT
    card = MetricCard(
        id,
        f"{name} (pyiqa)",
        direction=metric.direction,
        note=_note(metric),
        range=metric.range,
        needs=needs,
        tolerance=TOLERANCE if network else 0.0,
        version=_version(metric),
    )
    return Metric(card, partial(_measure, name, needs), requires=(_LIBRARY, LibraryWeights(name)), batched=network)


def _version(metric: LibraryMetric) -> str:
    """All that determines values beside images and weights: the library, the variant, the input and the seed."""
    settings = json.dumps(dict(metric.settings), sort_keys=True, separators=(",", ":"))
    library = f"pyiqa {library_version('pyiqa')} {metric.name} {metric.type}{settings}"
    return f"{VERSION}, {library}, RGB float32 0..1, seed {SEED}"


def _note(metric: LibraryMetric) -> str:
    own_id_note = f"this package's own id of it is '{metric.own_id}'" if metric.own_id else ""
    return "; ".join(filter(None, (own_id_note, "pyiqa is for non-commercial use")))


def _measure(name: str, needs: str, inputs: Sequence[MetricInput], device: str) -> list[Score]:
    """Image by image: some of the library's metrics mix the images of a batch, or take one alone."""
    network = load_network(name, LibraryWeights(name).weights(), device)
    scores = []
    for image in inputs:
        with seeded(device):
            (value,) = measure_batch(network, rgb_tensors([image], needs), device)
        scores.append(Score(value))
    return scores
