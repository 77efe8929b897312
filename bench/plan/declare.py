"""Record what a run takes as present, before it does any work: what its metrics, methods and images are now.

From then on readers leave out whatever is of former metrics, methods or images, however early the run is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ...methods.entry import MethodEntry
from ...methods.errors import MethodError
from ...methods.interface import Interface
from ...methods.reference import MethodReference
from ..store.keys import digest
from ..store.metric_cards import card_of
from ..store.records import Place, SetImage
from ..store.store import Store
from ..store.upgrade import versioned_rule
from .experiment import Experiment
from .image_seed import SEEDING
from .jobs import Job, Task, restoration_of
from .missing import Inputs


def declare_metrics(experiment: Experiment, store: Store) -> None:
    """Keep the cards of the metrics, so that the store can be read without them."""
    known = store.metrics()
    store.add_metrics(card_of(metric, known.get(metric.id)) for metric in experiment.metrics)


def declare_methods(experiment: Experiment, store: Store) -> None:
    """Keep the cards of the methods; where a name stands for another network now, its outputs anywhere are out of date.

    Methods whose weights are missing stay what they were.
    """
    known = store.methods()
    for method in experiment.methods:
        if method.entry is None:
            continue
        identity = identity_of(method.entry)
        before = known.get(method.name)
        if before is None or before.identity != identity:
            store.want(_keys(method.name, method.entry, store))
        store.add_method(method.name, asdict(method.entry.card), method.entry.weights_digest, identity)


def identity_of(entry: MethodEntry) -> str:
    """Digest of what determines the pixels of a method beside image, scale and seed; names and paths do not."""
    seeding = SEEDING if entry.interface == Interface.TENSOR else None
    return digest({"method": entry.identity_of_all(), "seeding": seeding})


def _keys(name: str, entry: MethodEntry, store: Store) -> list[tuple[Place, str]]:
    """The restoration key that each output under a name has if the method restores it now."""
    found: list[tuple[Place, str]] = []
    for output in store.outputs_of(name):
        if not output.lq or not output.restoration:
            continue
        place = output.place
        job = Job(place.dataset, name, MethodReference(), place.protocol, place.scale, place.seed, "", ())
        task = Task(place.image, output.lq, output.reference, "", None, ())
        try:
            found.append((place, restoration_of(entry, job, task)))
        except (MethodError, OSError):  # a finished image is missing: planning says so where the run wants it
            continue
    return found


def declare_images(experiment: Experiment, store: Store, inputs: Inputs, run: int) -> None:
    """Keep which images the datasets have, with the digests of LQ and HR.

    Args:
        experiment: whose datasets are taken.
        store: where it is kept.
        inputs: what was prepared.
        run: number of the run that says so.
    """

    def images() -> Iterator[SetImage]:
        rules = {dataset.lq_rule: versioned_rule(dataset.lq_rule) for dataset in experiment.datasets}
        for dataset, item in experiment.inputs():
            prepared = inputs.find((dataset.name, item.image, item.on_luma))
            rule = rules[item.lq_rule]
            yield SetImage(dataset.name, item.image, item.on_luma, rule, prepared.lq, prepared.reference)

    store.add_set(experiment.protocol.name, experiment.spec.scale, images(), run)
