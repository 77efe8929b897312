"""Find a method by its reference, without loading it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ..datasets.names import suggestion
from . import asasr
from . import hr as ceiling
from .diffusion.pipeline_method import pipeline_entry
from .diffusion.pipelines import pipeline_ids
from .entry import MethodEntry
from .errors import DuplicateMethodError, MethodError, MissingWeightsError, UnknownMethodError
from .finished.predictions import open_predictions
from .interface import AnyMethod, MethodCard
from .networks.interpolation import KERNELS, interpolation
from .networks.published import COMPACT_GAN, compact_gan_file, network_cards
from .networks.spandrel_network import OVERLAP, TILE, blend_of, load_network
from .programs.command import ExternalCommand
from .programs.program_files import program_identity
from .programs.recipes import PREFIX as RECIPE
from .programs.recipes import recipe_entry, recipe_ids
from .reference import MethodReference, parse_reference
from .user_code.object_method import object_entry
from .user_code.objects import import_object
from .weights.files import digest_of, find, weight_file

ENTRY_POINT_GROUP = "asasr_bench.methods"
_LOSSY = "its images may be compressed with loss, which its values include"


class Registry:
    """Methods by id. Registering either succeeds or leaves the registry as it was."""

    def __init__(self, entries: Mapping[str, MethodEntry] | None = None) -> None:
        self._entries = dict(entries or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def register(self, entry: MethodEntry) -> None:
        """Add a method.

        Raises:
            DuplicateMethodError: the id is taken.
        """
        if entry.card.id in self._entries:
            raise DuplicateMethodError(f"method '{entry.card.id}' is registered already; choose another id")
        self._entries = {**self._entries, entry.card.id: entry}

    def get(self, id: str) -> MethodEntry:
        """The method of this id: one of ours, or a third party's entry point.

        Raises:
            UnknownMethodError: there is none; the message names the nearest.
            MethodError: a third party's method does not load.
        """
        if id in self._entries:
            return self._entries[id]
        if id == ceiling.CARD.id:
            return _ceiling_entry()
        if id.startswith(asasr.PREFIX) or id in asasr.shipped_names():
            return _asasr(id)
        if id.startswith(RECIPE):
            return recipe_entry(id)
        if id in network_cards():
            return _published(network_cards()[id])
        if id == COMPACT_GAN.id:
            return _network(COMPACT_GAN, compact_gan_file())
        if id in pipeline_ids():
            return pipeline_entry(id)
        plugins = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if id in plugins:
            try:
                entry = object_entry(import_object(f"{plugins[id].module}:{plugins[id].attr}"))
            except MissingWeightsError as error:
                raise MissingWeightsError(id, str(error)) from error
            except MethodError as error:
                raise MethodError(f"method '{id}' of {plugins[id].value} does not load ({error})") from error
            return replace(entry, card=replace(entry.card, id=id))  # tables show what was asked for
        raise UnknownMethodError(
            f"unknown method '{id}'{suggestion(id, self.names(), 'asasr-bench list methods')}; also a weight file,"
            " predictions:DIR, recipe:NAME@CLONE, module:object, ./FILE.py:object"
        )

    def names(self) -> list[str]:
        """Ids of all methods, third parties' included."""
        networks = (COMPACT_GAN.id, *network_cards())
        ours = (*self._entries, *networks, *pipeline_ids(), *asasr.shipped_names(), *recipe_ids())
        return [*ours, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]


def _interpolation_entry(name: str) -> MethodEntry:
    method = interpolation(name)
    return MethodEntry(method.card, "pixels", lambda device: method)


def _ceiling_entry() -> MethodEntry:
    def load(device: str) -> AnyMethod:
        raise MethodError("'hr' is HR itself, which only a benchmark has; it restores nothing")

    return MethodEntry(ceiling.CARD, "reference", load)


REGISTRY = Registry({name: _interpolation_entry(name) for name in KERNELS})
"""The methods that come with the package."""


def resolve(reference: str | Mapping[str, Any]) -> MethodEntry:
    """Find what a reference of the command line or of a spec means.

    Raises:
        MethodReferenceError: it says nothing sensible.
        UnknownMethodError: no method has the id.
        MissingWeightsError: the weight file is not there.
        MethodError: a folder or a third party's code cannot be used.
    """
    wanted = parse_reference(reference)
    if wanted.predictions is not None:
        entry = _predictions(wanted, Path(wanted.predictions))
    elif wanted.weights is not None:
        entry = _weight_file(wanted, Path(wanted.weights))
    elif wanted.command is not None:
        entry = _command(wanted, wanted.command)
    elif wanted.object is not None:
        entry = _object(wanted, wanted.object)
    else:
        assert wanted.id is not None
        if wanted.id.startswith(RECIPE):
            entry = recipe_entry(
                wanted.id, wanted.folder, python=wanted.python, timeout=wanted.timeout, env=wanted.env,
                version=wanted.version,
            )  # fmt: skip
        elif wanted.id in pipeline_ids():
            entry = pipeline_entry(wanted.id, wanted.folder, wanted.sampling)
        else:
            entry = _asasr(wanted.id, wanted.sampling) if wanted.sampling else REGISTRY.get(wanted.id)
        if entry.missing:
            raise MissingWeightsError(wanted.name or entry.card.id, entry.missing)
    card = replace(entry.card, id=wanted.name or entry.card.id, family=wanted.family or entry.card.family)
    return replace(entry, card=card, origin=entry.origin or entry.card.id)


def _asasr(id: str, sampling: Mapping[str, Any] | None = None) -> MethodEntry:
    changes = dict(sampling or {})
    card, settings, digest = asasr.describe(id, changes)
    return MethodEntry(
        card, "tensor", lambda device: asasr.load(id, card, device, changes), settings, weights_digest=digest,
        origin="asasr",
    )  # fmt: skip


def _published(card: MethodCard) -> MethodEntry:
    """A published network, whether or not its weights are here."""
    file = weight_file(card.id)
    path = find(file)
    return _network(card, path, "" if path else f"{card.id}: weight file {file.file} is missing; {file.remedy}")


def _network(
    card: MethodCard, path: Path | None, missing: str = "", *, tile: int = TILE, overlap: int = OVERLAP
) -> MethodEntry:  # fmt: skip
    def load(device: str) -> AnyMethod:
        if path is None:
            raise MissingWeightsError(card.id, missing)
        network = load_network(path, card, device=device, tile=tile, overlap=overlap)
        if digest_of(path) != digest:
            raise MethodError(f"{path} was replaced while it was read; run again")
        return network

    settings = {"tile": tile, "overlap": overlap, "blend": blend_of(overlap)}
    digest = "" if path is None else digest_of(path)
    return MethodEntry(card, "tensor", load, settings, digest, missing, origin="spandrel")


def _predictions(wanted: MethodReference, folder: Path) -> MethodEntry:
    method = open_predictions(
        folder, name=wanted.name or folder.resolve().name, suffix=wanted.suffix, lossy=wanted.lossy
    )
    card = replace(method.card, incomplete=_LOSSY if wanted.lossy else "")
    return MethodEntry(card, "finished", lambda device: method, origin="predictions")


def _weight_file(wanted: MethodReference, path: Path) -> MethodEntry:
    name = wanted.name or path.stem
    if not path.is_file():
        raise MissingWeightsError(name, f"{name}: weight file {path} is missing; download it there or correct the path")
    published = _card_of(path)
    if published is not None:
        card = replace(published, id=name, scales=tuple(wanted.scales) or published.scales)
    else:
        # Nothing in a file says how it was trained: spandrel's purposes and tags are those of its architecture.
        card = MethodCard(name, "network", f"Network from {path.name}", tuple(wanted.scales), weights=(path.name,))
    overlap = OVERLAP if wanted.overlap is None else wanted.overlap
    return _network(card, path, tile=wanted.tile or TILE, overlap=overlap)


def _card_of(path: Path) -> MethodCard | None:
    """The card of a published or shipped network whose file this is, whatever it is called."""
    digest = digest_of(path)
    if digest == digest_of(compact_gan_file()):
        return COMPACT_GAN
    return next((card for id, card in network_cards().items() if weight_file(id).sha256 == digest), None)


def _command(wanted: MethodReference, command: str) -> MethodEntry:
    name = wanted.name or "command"
    cwd = Path(wanted.cwd) if wanted.cwd else None
    program = program_identity(name, command, cwd, wanted.env, wanted.files)
    card = MethodCard(
        name, "external", command, tuple(wanted.scales), deterministic=not wanted.seeded, version=wanted.version,
        incomplete="; ".join(filter(None, [program.incomplete, _LOSSY if wanted.lossy else ""])),
    )  # fmt: skip
    method = ExternalCommand(card, command, wanted.timeout, cwd, wanted.env, wanted.suffix, wanted.lossy)
    settings: dict[str, object] = {"command": list(program.arguments), "code": program.code, "env": dict(wanted.env)}
    if wanted.suffix:
        settings["suffix"] = wanted.suffix
    return MethodEntry(card, "folder", lambda device: method, settings, program.weights, origin="command")


def _object(wanted: MethodReference, text: str) -> MethodEntry:
    folders = dict.fromkeys([*(Path(folder).absolute() for folder in wanted.path), Path.cwd()])
    try:
        return object_entry(import_object(text, tuple(folders)), wanted.args)
    except MissingWeightsError as error:
        raise MissingWeightsError(wanted.name or error.method, str(error)) from error
    except MethodError as error:
        raise MethodError(f"method '{text}': {error}") from error


def load_method(reference: str | Mapping[str, Any], device: str = "cpu") -> AnyMethod:
    """Find and load a method."""
    return resolve(reference).load(device)
