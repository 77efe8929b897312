"""How the command line and specs refer to methods."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import Field, create_model

from ..datasets.images import SUFFIXES as IMAGE_SUFFIXES
from ..datasets.names import name_problem
from ..datasets.scales import Scale
from ..datasets.strict import Strict, validated
from .asasr_names import PREFIX as ASASR
from .asasr_names import SMALL_DIFFUSION, shipped_names
from .diffusion.pipelines import pipeline_ids
from .errors import MethodReferenceError
from .interface import OWN_FAMILIES, Family
from .networks.exported_entry import SUFFIXES as EXPORTED
from .networks.ntire_esr import PREFIX as NTIRE
from .networks.ntire_esr import split as split_ntire
from .networks.spandrel_network import SUFFIXES
from .programs.recipes import PREFIX as RECIPE
from .user_code.session import PREFIX as SESSION

_IMAGE = "{image}"
_KINDS = ("id", "predictions", "weights", "command", "object")


@dataclass(frozen=True)
class MethodReference:
    """A reference to a method by exactly one of ``id predictions weights command object``.

    Its fields are the keys of a method's mapping in YAML. Workers receive it unchanged.
    """

    name: str | None = None
    """Name of the method in tables."""
    id: str | None = None
    predictions: str | None = None
    """Folder of finished images."""
    suffix: str = ""
    """Text that names of finished images, or of outputs of ``command``, add to the names of the dataset's images."""
    lossy: bool = False
    """Accept finished images or outputs that are JPEG or lossy WebP; by default they are an error."""
    weights: str | None = None
    """Weight file of a network that spandrel knows, or of ONNX or ncnn."""
    family: Family | None = None
    """Family in tables, in place of the one on its card."""
    tile: Annotated[int, Field(ge=16)] | None = None
    overlap: Annotated[int, Field(ge=0)] | None = None
    command: str | None = None
    """Command line with {lq} {sr} {scale} {seed}."""
    cwd: str | None = None
    timeout: Annotated[float, Field(gt=0, strict=False)] = 3600.0
    """Seconds for one dataset."""
    env: dict[str, str] = field(default_factory=dict)
    seeded: bool = False
    version: str = "1"
    """To be raised when the program behind ``command`` changes in a way that none of its files shows."""
    files: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """Files and folders that ``command`` reads besides its code, such as weights; ``[]``: none; None: not declared."""
    scales: Annotated[tuple[Scale, ...], Field(strict=False)] = ()
    object: str | None = None
    """``module:attribute`` or ``FILE.py:attribute``."""
    args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for ``object``, if it is a class or a function."""
    path: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Folders in which the module of ``object`` is searched, besides the working folder and Python's path."""
    sampling: dict[str, Any] = field(default_factory=dict)
    """For an ``asasr:`` model or a diffusion pipeline: keys of its sampling to replace, such as ``{steps: 8}``."""
    running: dict[str, Any] = field(default_factory=dict)
    """For an ``asasr:`` model: how it is stored and run, such as ``{offload: model}``; see ``asasr.running``."""
    folder: str | None = None
    """Your clone of a recipe's repository, or your copy of a diffusion pipeline."""
    python: str | None = None
    """Interpreter of the environment in which a recipe runs."""

    def changed_fields(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by name."""
        blank = MethodReference()
        values = {key.name: getattr(self, key.name) for key in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(blank, name)}


@lru_cache(maxsize=1)
def _mapping() -> type[Strict]:
    """Pydantic model of a reference's mapping in YAML: the fields of ``MethodReference`` and no others."""
    hints, blank = get_type_hints(MethodReference, include_extras=True), MethodReference()
    keys: dict[str, Any] = {key.name: (hints[key.name], getattr(blank, key.name)) for key in fields(MethodReference)}
    return create_model("MethodReference", __base__=Strict, **keys)


def parse_reference(reference: str | Mapping[str, Any]) -> MethodReference:
    """Read a reference of the command line or of a spec.

    Strings: registry id, weight file, ``predictions:DIR``, ``predictions:DIR/{image}_out.png``,
    ``recipe:NAME@CLONE``, ``NTIRE-ESR@CLONE#TEAM``, ``module:object``, ``FILE.py:object``; each may follow ``NAME=``.

    Raises:
        MethodReferenceError: a key is unknown, or the reference does not name exactly one kind of method.
    """
    if isinstance(reference, str):
        parsed = _from_text(reference)
        _require_a_name(parsed.name)
        return parsed
    origin = f"method {dict(reference)}"
    parsed = MethodReference(**dict(validated(_mapping(), dict(reference), origin, MethodReferenceError)))
    _require_a_name(parsed.name)
    kinds = [kind for kind in _KINDS if getattr(parsed, kind) is not None]
    if len(kinds) != 1:
        raise MethodReferenceError(f"method {dict(reference)}: give exactly one of {', '.join(_KINDS)}")
    ours = (parsed.id or "").startswith(ASASR) or parsed.id in shipped_names()
    samples = ours or parsed.id in pipeline_ids()
    recipe = (parsed.id or "").startswith(RECIPE)
    for key, allowed, expected in (
        ("sampling", samples, f"an id that begins with '{ASASR}', {SMALL_DIFFUSION} or a diffusion pipeline"),
        ("running", ours, f"an id that begins with '{ASASR}' or {SMALL_DIFFUSION}"),
        (
            "folder",
            recipe or (parsed.id or "").startswith(NTIRE) or parsed.id in pipeline_ids(),
            f"an id that begins with '{RECIPE}' or '{NTIRE}', or names a pipeline",
        ),
        ("python", recipe, f"an id that begins with '{RECIPE}'"),
        ("suffix", parsed.predictions is not None or parsed.command is not None, "'predictions' or 'command'"),
        ("lossy", parsed.predictions is not None or parsed.command is not None, "'predictions' or 'command'"),
        ("args", parsed.object is not None, "'object'"),
        ("path", parsed.object is not None, "'object'"),
        ("files", parsed.command is not None, "'command'"),
    ):
        if getattr(parsed, key) and not allowed:
            raise MethodReferenceError(f"method {dict(reference)}: '{key}' goes with {expected}")
    try:
        json.dumps(parsed.args, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise MethodReferenceError(
            f"method {dict(reference)}: 'args' must be numbers, texts, lists and mappings ({error})"
        ) from None
    if parsed.family in OWN_FAMILIES:
        raise MethodReferenceError(f"method {dict(reference)}: no method has the family '{parsed.family}'")
    if parsed.command is not None and not ("{lq}" in parsed.command and "{sr}" in parsed.command):
        raise MethodReferenceError(f"method {dict(reference)}: 'command' needs {{lq}} and {{sr}}")
    return parsed


def _require_a_name(name: str | None) -> None:
    problem = "" if name is None else name_problem(name)
    if problem:
        raise MethodReferenceError(f"method '{ascii(name)[1:-1]}': its name {problem}; give it another one")


def anchored(reference: str | Mapping[str, Any], folder: Path) -> str | Mapping[str, Any]:
    """The same reference with relative paths made absolute, so that it is valid in every working folder.

    Args:
        reference: a reference; a malformed one is returned unchanged.
        folder: where relative paths start, and where its modules are searched.
    """
    try:
        parsed = parse_reference(reference)
    except MethodReferenceError:
        return reference
    changes = _absolute_paths(parsed, folder)
    if not changes:
        return reference
    return {**(parsed.changed_fields() if isinstance(reference, str) else reference), **changes}


def with_absolute_paths(reference: MethodReference, folder: Path) -> MethodReference:
    """The same reference with relative paths made absolute; see ``anchored``."""
    return replace(reference, **_absolute_paths(reference, folder))


def _absolute_paths(reference: MethodReference, folder: Path) -> dict[str, Any]:
    """The fields of a reference that hold paths, each with its absolute path starting from this folder."""
    changes: dict[str, Any] = {}
    for key in ("predictions", "weights", "cwd", "folder"):
        path = getattr(reference, key)
        if path is not None:
            changes[key] = str(folder.absolute() / path)
    if reference.files is not None:
        changes["files"] = tuple(str(folder.absolute() / file) for file in reference.files)
    if reference.object is not None:
        file, _, attribute = reference.object.rpartition(":")
        if file.endswith(".py"):
            changes["object"] = f"{folder.absolute() / file}:{attribute}"
        else:
            changes["path"] = tuple(dict.fromkeys([*reference.path, str(folder.absolute())]))
    return changes


def _finished(text: str) -> MethodReference:
    """Reference to a folder of finished images, read from ``DIR`` or ``DIR/{image}_out.png``."""
    folder, name = os.path.split(text)
    if not name.startswith(_IMAGE):
        return MethodReference(predictions=text)
    stem = name if Path(name).suffix.lower() not in IMAGE_SUFFIXES else Path(name).stem
    return MethodReference(predictions=folder or ".", suffix=stem.removeprefix(_IMAGE))


def name_of(reference: str | Mapping[str, Any]) -> str:
    """Name of a method in tables if its reference contains it, else ''."""
    try:
        parsed = parse_reference(reference)
    except MethodReferenceError:
        return ""
    return parsed.name or parsed.id or ""


def _from_text(text: str) -> MethodReference:
    name, equals, unnamed = text.partition("=")
    if equals and name and not set(name) & set("/\\:"):
        return replace(_from_text(unnamed), name=name)
    if text.startswith("predictions:"):
        return _finished(text.removeprefix("predictions:"))
    if text.startswith("command:"):
        raise MethodReferenceError(
            f"method '{text}': a program is a mapping in a spec, such as"
            ' {name: Mine, command: "python infer.py {lq} {sr}"}'
        )
    if text.startswith((ASASR, SESSION)):
        return MethodReference(id=text)
    if text.startswith(RECIPE):
        id, _, folder = text.partition("@")
        return MethodReference(id=id, folder=folder or None)
    if text.startswith((f"{NTIRE}@", f"{NTIRE}#")):
        id, clone = split_ntire(text)
        return MethodReference(id=id, folder=clone)
    if Path(text).suffix.lower() in SUFFIXES | EXPORTED:
        return MethodReference(weights=text)
    if ":" in text:
        return MethodReference(object=text)
    return MethodReference(id=text)
