"""Record the present metrics, methods and images of a run in the store, before the run does any work.

From then on, readers leave out results of former metrics, methods and images, even if the run is stopped early.
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
    """Store the cards of the metrics, so that the store can be read where their code is not installed."""
    known = store.metrics()
    store.add_metrics(card_of(metric, known.get(metric.id)) for metric in experiment.metrics)


def declare_methods(experiment: Experiment, store: Store) -> None:
    """Store the cards of the methods; if a name stands for another network now, all its outputs become out of date.

    Methods whose weights are missing are not changed.
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
    """Digest of everything that determines the pixels of a method except image, scale and seed."""
    seeding = SEEDING if entry.interface == Interface.TENSOR else None
    return digest({"method": entry.identity_of_all(), "seeding": seeding})


def _keys(name: str, entry: MethodEntry, store: Store) -> list[tuple[Place, str]]:
    """The restoration key that each stored output of a method would have if the method restored it now."""
    keys: list[tuple[Place, str]] = []
    for output in store.outputs_of(name):
        if not output.lq or not output.restoration:
            continue
        place = output.place
        job = Job(place.dataset, name, MethodReference(), place.protocol, place.scale, place.seed, "", ())
        task = Task(place.image, output.lq, output.reference, "", None, ())
        try:
            keys.append((place, restoration_of(entry, job, task)))
        except (MethodError, OSError):  # a finished image is missing: planning reports it if the run needs the image
            continue
    return keys


def declare_images(experiment: Experiment, store: Store, inputs: Inputs, run: int) -> None:
    """Store the images of the datasets, with the digests of LQ and HR.

    Args:
        experiment: the experiment with the datasets.
        store: store that is open for writing.
        inputs: prepared inputs.
        run: number of the run.
    """

    def images() -> Iterator[SetImage]:
        rules = {dataset.lq_rule: versioned_rule(dataset.lq_rule) for dataset in experiment.datasets}
        for dataset, item in experiment.inputs():
            prepared = inputs.find((dataset.name, item.image, item.on_luma))
            rule = rules[item.lq_rule]
            yield SetImage(dataset.name, item.image, item.on_luma, rule, prepared.lq, prepared.reference)

    store.add_set(experiment.protocol.name, experiment.spec.scale, images(), run)
