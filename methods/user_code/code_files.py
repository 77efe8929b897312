"""The files behind a module: its package or itself, and what it imports from beside it; nothing is run for that."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ...datasets.fetch.digests import digest_of

MOST_FILES = 20_000
"""Files of code that are read for one object; a package of more is not what somebody means by a method."""
_CODE = (".py", *EXTENSION_SUFFIXES)
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_RECORDED = frozenset({"numpy", "scipy", "pandas", "pillow", "torch", "torchvision", "spandrel", "scikit-image",
                       "diffusers", "peft", "transformers", "accelerate", "safetensors", "pyyaml"})  # fmt: skip
"""Libraries that our own methods need: a run records their versions, and they name no result, ours or others'."""


@dataclass(frozen=True)
class CodeFiles:
    """What an object's code consists of."""

    files: Mapping[str, Path]
    """By name as the code imports it; ``.`` stands for the object's own module or package, whatever it is called."""
    libraries: Mapping[str, str]
    """Distribution to version, of the installed libraries that the files import."""
    unknown: tuple[str, ...]
    """What could not be followed."""


@dataclass(frozen=True)
class _Unit:
    """A package, or a module without one."""

    name: str
    files: Mapping[str, Path]
    folder: Path
    """Where its neighbours are."""
    distributions: frozenset[str]
    """That installed it; empty: none did."""


def code_files(module: ModuleType, also: Iterable[str] = ()) -> CodeFiles:
    """All code that a module consists of, and that of other modules, given by their top-level names.

    A module in a package brings all files of code of its top-level package, one without a package brings itself. Both
    bring what they import, at any depth, from outside the standard library and the installed libraries; of an installed
    library it is the version that is kept.
    """
    top = module.__name__.partition(".")[0]
    unit = _unit(top, _spec_of(module), ".")
    if unit is None:
        return CodeFiles({}, {}, (f"the source of module '{module.__name__}' is not in a file here",))
    return _followed(unit, {top}, also, _resolve)


def script_files(script: Path) -> Mapping[str, Path]:
    """A file that another Python runs, with all that it imports from its own folder."""
    unit = _Unit(script.stem, {f".{script.suffix}": script}, script.parent, frozenset())
    return _followed(unit, {script.stem}, (), _beside).files


def _followed(
    unit: _Unit, known: set[str], also: Iterable[str], resolve: Callable[[str, _Unit], _Unit | frozenset[str]]
) -> CodeFiles:
    """A unit and everything that it imports, at any depth."""
    files: dict[str, Path] = {}
    libraries: dict[str, str] = {}
    unknown: list[str] = []
    waiting = [unit]

    def follow(names: Iterable[str], importer: _Unit) -> None:
        for name in sorted({*names} - known):
            known.add(name)
            found = resolve(name, importer)
            if isinstance(found, _Unit):
                waiting.append(found)
            else:
                libraries.update({each: version(each) for each in found - _RECORDED})

    follow(also, unit)
    while waiting:
        unit = waiting.pop()
        files |= unit.files
        if len(files) > MOST_FILES:
            return CodeFiles({}, {}, (f"package '{unit.name}' has more than {MOST_FILES:,} files of code",))
        for path in unit.files.values():
            imported, computed = _imports(path, digest_of(path)) if path.suffix == ".py" else (frozenset(), 0)
            if computed and len(unit.files) == 1:  # those of a package load its own modules, which are all here
                unknown.append(f"{path.name} loads code by a computed name (line {computed})")
            follow(imported, unit)
    return CodeFiles(files, libraries, tuple(sorted(set(unknown))))


def _spec_of(module: ModuleType) -> ModuleSpec | None:
    """Of the top-level package that a module belongs to, or of itself."""
    spec: ModuleSpec | None = getattr(sys.modules.get(module.__name__.partition(".")[0], module), "__spec__", None)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return spec
    if spec is None:  # it was run instead of imported
        return ModuleSpec(module.__name__, None, origin=file)
    if spec.origin is None:  # of the folders that share the name, the one with this module
        one = ModuleSpec(spec.name, None, is_package=True)
        one.submodule_search_locations = [place for place in _places(spec) if Path(file).is_relative_to(place)][:1]
        return one
    return spec


def _resolve(name: str, importer: _Unit) -> _Unit | frozenset[str]:
    """What an import of a top-level name means to a module: code to read, or the distributions of a library."""
    if name in sys.stdlib_module_names or name == "asasr_bench":
        return frozenset()
    installed = _distributions(name)
    if installed and not installed & importer.distributions and _is_installed(_spec(name)):
        return installed
    beside = None if importer.distributions else _spec_beside(name, importer)
    if beside is not None and beside.origin:
        return _unit(name, beside, name) or frozenset()
    elsewhere = _spec(name)
    if elsewhere is not None and (elsewhere.origin or beside is None):
        return _unit(name, elsewhere, name) or frozenset()
    return _unit(name, beside, name) or frozenset()  # a folder without __init__.py


def _beside(name: str, importer: _Unit) -> _Unit | frozenset[str]:
    return _unit(name, _spec_beside(name, importer), name) or frozenset()


def _spec_beside(name: str, importer: _Unit) -> ModuleSpec | None:
    return PathFinder.find_spec(name, [str(importer.folder)])


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)  # of a top-level name: nothing is imported for it
    except (ImportError, ValueError, AttributeError):
        return None


def is_library(file: str) -> bool:
    """Whether a path is in a folder for installed packages."""
    return any(f"{os.sep}{name}{os.sep}" in file for name in _LIBRARIES)


def _is_installed(spec: ModuleSpec | None) -> bool:
    return spec is not None and is_library(spec.origin or next(_places(spec), ""))


def _places(spec: ModuleSpec) -> Iterator[str]:
    yield from spec.submodule_search_locations or ()


def _unit(name: str, spec: ModuleSpec | None, label: str) -> _Unit | None:
    if spec is None:
        return None
    folders = [Path(place) for place in _places(spec)]
    installed = _distributions(name) if _is_installed(spec) else frozenset()
    if folders:
        files = {
            f"{label}/{path.relative_to(folder).as_posix()}": path for folder in folders for path in code_below(folder)
        }
        return _Unit(name, files, folders[0].parent, installed)
    file = Path(spec.origin or "")
    if not file.is_file():
        return None
    return _Unit(name, {label + file.suffix: file}, file.parent, installed)


def code_below(folder: Path) -> Iterator[Path]:
    """Files of code below a folder, without environments and hidden folders in it."""
    seen: set[str] = set()  # links may lead back
    count = 0
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if _is_code_folder(Path(place, name)))
        for name in sorted(names) if real not in seen else ():
            if name.endswith(_CODE) and Path(place, name).is_file():
                count += 1
                if count > MOST_FILES + 1:
                    return
                yield Path(place, name)
        seen.add(real)


def _is_code_folder(folder: Path) -> bool:
    """Not hidden, no cache, and no environment with libraries."""
    name = folder.name
    foreign = name.startswith(".") or name in ("__pycache__", "node_modules", *_LIBRARIES)
    return not foreign and not (folder / "pyvenv.cfg").is_file()


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(each.lower() for each in names) for name, names in packages_distributions().items()}


def _distributions(name: str) -> frozenset[str]:
    return _installed().get(name, frozenset())


@lru_cache(maxsize=2 * MOST_FILES)
def _imports(path: Path, digest: str) -> tuple[frozenset[str], int]:
    """Top-level names that a file imports anywhere in it, and a line that imports by a computed name (0: none)."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(), 0  # it cannot be imported either
    names: set[str] = set()
    computed = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Call) and _loads_code(node.func):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and _last_name(node.func) in _IMPORTERS:
                names.add(first.value)
            else:
                computed = node.lineno
    return frozenset(name.partition(".")[0] for name in names), computed


_IMPORTERS = frozenset({"import_module", "__import__"})
_LOADERS = _IMPORTERS | {"spec_from_file_location", "run_path", "run_module"}


def _loads_code(function: ast.expr) -> bool:
    """Whether a call of it imports or runs code that its arguments name."""
    if isinstance(function, ast.Name):
        return function.id in _LOADERS or function.id == "exec"
    if isinstance(function, ast.Attribute):
        return function.attr in _LOADERS or (function.attr == "load" and _last_name(function.value) == "hub")
    return False


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
