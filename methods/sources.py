"""Sources of methods. Each source knows its ids and recognises its own references; none loads a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..datasets.fetch.digests import digest_of
from . import hr
from .asasr_names import PREFIX as ASASR
from .asasr_names import shipped_names
from .diffusion.pipeline_method import pipeline_entry
from .diffusion.pipelines import pipeline_ids
from .entry import MethodEntry
from .errors import MethodError, MissingWeightsError
from .finished.predictions import open_predictions
from .interface import AnyMethod, Interface, MethodCard
from .networks.exported_entry import SUFFIXES as EXPORTED
from .networks.exported_entry import exported_entry
from .networks.interpolation import KERNELS, interpolation
from .networks.ntire_esr import PREFIX as NTIRE
from .networks.ntire_esr import ntire_entry, ntire_ids
from .networks.published import COMPACT_GAN, compact_gan_file, network_cards
from .networks.spandrel_network import OVERLAP, TILE, load_network
from .networks.tiling import blend_of
from .programs.command import ExternalCommand
from .programs.program_files import program_identity
from .programs.recipes import PREFIX as RECIPE
from .programs.recipes import recipe_entry, recipe_ids
from .reference import MethodReference
from .user_code.object_method import object_entry
from .user_code.objects import import_object
from .user_code.references import installed_objects
from .user_code.session import PREFIX as SESSION
from .user_code.session import SESSION_METHODS
from .weights.files import find, weight_file

ENTRY_POINT_GROUP = "asasr_bench.methods"
_LOSSY = "its images may be compressed with loss, which its values include"


@dataclass(frozen=True)
class Source:
    """One kind of method, such as recipes or weight files."""

    entry: Callable[[MethodReference], MethodEntry | None]
    """The method of a reference; None if the reference belongs to another source."""
    ids: Callable[[], Iterable[str]] = tuple
    """Ids that ``list methods`` shows; empty where the methods are files of the user."""


def sources() -> tuple[Source, ...]:
    """All sources in order of precedence, so that no third party's code can take an id of this package."""
    return (
        Source(_interpolation, lambda: KERNELS),
        Source(_ceiling),
        Source(_network, lambda: (COMPACT_GAN.id, *network_cards())),
        Source(_pipeline, pipeline_ids),
        Source(_asasr, shipped_names),
        Source(_recipe, recipe_ids),
        Source(_ntire, ntire_ids),
        Source(_exported),
        Source(_weight_file),
        Source(_command),
        Source(_predictions),
        Source(_object),
        Source(_session),
        Source(_installed, _entry_points),
    )


def _interpolation(reference: MethodReference) -> MethodEntry | None:
    if reference.id not in KERNELS:
        return None
    method = interpolation(reference.id)
    return MethodEntry(method.card, Interface.PIXELS, lambda device: method)


def _ceiling(reference: MethodReference) -> MethodEntry | None:
    def load(device: str) -> AnyMethod:
        raise MethodError("'hr' is HR itself, which only a benchmark has; it restores nothing")

    return MethodEntry(hr.CARD, Interface.HR, load) if reference.id == hr.CARD.id else None


def _network(reference: MethodReference) -> MethodEntry | None:
    """The shipped network or a published one, whether or not its weights are on this machine."""
    if reference.id == COMPACT_GAN.id:
        return _of_spandrel(COMPACT_GAN, compact_gan_file())
    card = network_cards().get(reference.id or "")
    if card is None:
        return None
    file = weight_file(card.id)
    path = find(file)
    return _of_spandrel(card, path, "" if path else f"{card.id}: weight file {file.file} is missing; {file.remedy}")


def _pipeline(reference: MethodReference) -> MethodEntry | None:
    if reference.id not in pipeline_ids():
        return None
    return pipeline_entry(reference.id, reference.folder, reference.sampling)


def _asasr(reference: MethodReference) -> MethodEntry | None:
    id, changes, running = reference.id or "", reference.sampling, reference.running
    if not id.startswith(ASASR) and id not in shipped_names():
        return None
    from . import asasr

    card, settings, digest = asasr.describe(id, changes, running)
    return MethodEntry(
        card,
        Interface.TENSOR,
        lambda device: asasr.load(id, card, device, changes, running),
        settings,
        weights_digest=digest,
        origin="asasr",
    )


def _recipe(reference: MethodReference) -> MethodEntry | None:
    if not (reference.id or "").startswith(RECIPE):
        return None
    assert reference.id is not None
    return recipe_entry(
        reference.id,
        reference.folder,
        python=reference.python,
        timeout=reference.timeout,
        env=reference.env,
        version=reference.version,
    )


def _ntire(reference: MethodReference) -> MethodEntry | None:
    if not (reference.id or "").startswith(f"{NTIRE}#"):
        return None
    assert reference.id is not None
    overlap = OVERLAP if reference.overlap is None else reference.overlap
    return ntire_entry(reference.id, reference.folder, tile=reference.tile, overlap=overlap)


def _exported(reference: MethodReference) -> MethodEntry | None:
    """A network of ONNX or ncnn."""
    path = Path(reference.weights or "")
    if path.suffix.lower() not in EXPORTED:
        return None
    overlap = OVERLAP if reference.overlap is None else reference.overlap
    return exported_entry(
        path, reference.name or path.stem, tuple(reference.scales), tile=reference.tile or TILE, overlap=overlap
    )


def _weight_file(reference: MethodReference) -> MethodEntry | None:
    if reference.weights is None:
        return None
    path = Path(reference.weights)
    name = reference.name or path.stem
    if not path.is_file():
        raise MissingWeightsError(name, f"{name}: weight file {path} is missing; download it there or correct the path")
    published = _card_of(path)
    if published is not None:
        card = replace(published, id=name, scales=tuple(reference.scales) or published.scales)
    else:
        # The file does not say how the network was trained; spandrel's tags describe only the architecture.
        card = MethodCard(name, "network", f"Network from {path.name}", tuple(reference.scales), weights=(path.name,))
    overlap = OVERLAP if reference.overlap is None else reference.overlap
    return _of_spandrel(card, path, tile=reference.tile or TILE, overlap=overlap)


def _card_of(path: Path) -> MethodCard | None:
    """Card of the published or shipped network whose content this file has, whatever its name is."""
    digest = digest_of(path)
    if digest == digest_of(compact_gan_file()):
        return COMPACT_GAN
    return next((card for id, card in network_cards().items() if weight_file(id).sha256 == digest), None)


def _of_spandrel(
    card: MethodCard, path: Path | None, missing: str = "", *, tile: int = TILE, overlap: int = OVERLAP
) -> MethodEntry:
    def load(device: str) -> AnyMethod:
        if path is None:
            raise MissingWeightsError(card.id, missing)
        network = load_network(path, card, device=device, tile=tile, overlap=overlap)
        if digest_of(path) != digest:
            raise MethodError(f"{path} was replaced while it was read; run again")
        return network

    settings = {"tile": tile, "overlap": overlap, "blend": blend_of(overlap)}
    digest = "" if path is None else digest_of(path)
    return MethodEntry(card, Interface.TENSOR, load, settings, digest, missing, origin="spandrel")


def _command(reference: MethodReference) -> MethodEntry | None:
    if reference.command is None:
        return None
    name, command = reference.name or "command", reference.command
    cwd = Path(reference.cwd) if reference.cwd else None
    program = program_identity(name, command, cwd, reference.env, reference.files)
    card = MethodCard(
        name,
        "external",
        command,
        tuple(reference.scales),
        deterministic=not reference.seeded,
        version=reference.version,
        incomplete="; ".join(filter(None, [program.incomplete, _LOSSY if reference.lossy else ""])),
    )
    method = ExternalCommand(card, command, reference.timeout, cwd, reference.env, reference.suffix, reference.lossy)
    settings: dict[str, object] = {"command": list(program.arguments), "code": program.code, "env": dict(reference.env)}
    if reference.suffix:
        settings["suffix"] = reference.suffix
    return MethodEntry(card, Interface.FOLDER, lambda device: method, settings, program.weights, origin="command")


def _predictions(reference: MethodReference) -> MethodEntry | None:
    if reference.predictions is None:
        return None
    folder = Path(reference.predictions)
    method = open_predictions(
        folder, name=reference.name or folder.resolve().name, suffix=reference.suffix, lossy=reference.lossy
    )
    card = replace(method.card, incomplete=_LOSSY if reference.lossy else "")
    return MethodEntry(card, Interface.FINISHED, lambda device: method, origin="predictions")


def _object(reference: MethodReference) -> MethodEntry | None:
    """The user's code in a module or file."""
    if reference.object is None:
        return None
    folders = dict.fromkeys([*(Path(folder).absolute() for folder in reference.path), Path.cwd()])
    try:
        return object_entry(import_object(reference.object, tuple(folders)), reference.args)
    except MissingWeightsError as error:
        raise MissingWeightsError(reference.name or error.method, str(error)) from error
    except MethodError as error:
        raise MethodError(f"method '{reference.object}': {error}") from error


def _session(reference: MethodReference) -> MethodEntry | None:
    """A Python object that was passed to the current run."""
    id = reference.id or ""
    return SESSION_METHODS.find(id) if id.startswith(SESSION) else None


def _installed(reference: MethodReference) -> MethodEntry | None:
    """The code of an installed package, by the name of its entry point."""
    id = reference.id
    if id is None or id not in (points := _entry_points()):
        return None
    place = points[id]
    try:
        entry = object_entry(import_object(place))
    except MissingWeightsError as error:
        raise MissingWeightsError(id, str(error)) from error
    except MethodError as error:
        raise MethodError(f"method '{id}' of {place} does not load ({error})") from error
    return replace(entry, card=replace(entry.card, id=id))  # tables show the id that the user wrote


def _entry_points() -> dict[str, str]:
    return installed_objects(ENTRY_POINT_GROUP)
