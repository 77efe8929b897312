"""The source files that a module consists of: its package or itself, and what they import. No code is run."""

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
"""Largest number of source files that are read for one object; a larger package is hardly one method."""
_CODE = (".py", *EXTENSION_SUFFIXES)
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
RECORDED = frozenset(
    [
        "numpy",
        "scipy",
        "pandas",
        "pillow",
        "torch",
        "torchvision",
        "spandrel",
        "scikit-image",
        "diffusers",
        "peft",
        "transformers",
        "accelerate",
        "safetensors",
        "pyyaml",
    ]
)
"""Libraries that the shipped methods need. A run records their versions, and they are part of no method's identity."""


@dataclass(frozen=True)
class CodeFiles:
    """The source files and libraries of an object's code."""

    files: Mapping[str, Path]
    """Path by the name under which the code imports it; ``.`` stands for the object's own module or package."""
    libraries: Mapping[str, str]
    """Distribution to version of the installed libraries that the files import."""
    unknown: tuple[str, ...]
    """Imports that could not be resolved, as messages."""


@dataclass(frozen=True)
class _Unit:
    """A package, or a module without one."""

    name: str
    files: Mapping[str, Path]
    folder: Path
    """Folder that contains it, and the modules beside it."""
    distributions: frozenset[str]
    """Installed distributions that it belongs to; empty: none."""


def code_files(module: ModuleType, extra_modules: Iterable[str] = ()) -> CodeFiles:
    """Collect all source files that a module consists of.

    A module in a package counts with all files of its top-level package, a module without a package by itself. To these
    come their imports, at any depth, from outside the standard library and installed libraries. For an installed
    library its version is recorded instead of its files.

    Args:
        module: the module.
        extra_modules: top-level names of further modules to include.
    """
    top = module.__name__.partition(".")[0]
    unit = _unit(top, _spec_of(module), ".")
    if unit is None:
        return CodeFiles({}, {}, (f"the source of module '{module.__name__}' is not in a file here",))
    return _followed(unit, {top}, extra_modules, _resolve)


def script_files(script: Path) -> Mapping[str, Path]:
    """A script and all files that it imports from its own folder; another Python may run it."""
    unit = _Unit(script.stem, {f".{script.suffix}": script}, script.parent, frozenset())
    return _followed(unit, {script.stem}, (), _beside).files


def _followed(
    unit: _Unit,
    visited: set[str],
    extra_modules: Iterable[str],
    resolve: Callable[[str, _Unit], _Unit | frozenset[str]],
) -> CodeFiles:
    """Files of a unit and of everything that it imports, at any depth."""
    files: dict[str, Path] = {}
    libraries: dict[str, str] = {}
    unknown: list[str] = []
    waiting = [unit]

    def follow(names: Iterable[str], importer: _Unit) -> None:
        for name in sorted({*names} - visited):
            visited.add(name)
            code = resolve(name, importer)
            if isinstance(code, _Unit):
                waiting.append(code)
            else:
                libraries.update({library: version(library) for library in code - RECORDED})

    follow(extra_modules, unit)
    while waiting:
        unit = waiting.pop()
        files |= unit.files
        if len(files) > MOST_FILES:
            return CodeFiles({}, {}, (f"package '{unit.name}' has more than {MOST_FILES:,} files of code",))
        for path in unit.files.values():
            imported, computed = _imports(path, digest_of(path)) if path.suffix == ".py" else (frozenset(), 0)
            if computed and len(unit.files) == 1:  # in a package such code loads its own modules, all included already
                unknown.append(f"{path.name} loads code by a computed name (line {computed})")
            follow(imported, unit)
    return CodeFiles(files, libraries, tuple(sorted(set(unknown))))


def _spec_of(module: ModuleType) -> ModuleSpec | None:
    """Import spec of the top-level package that a module belongs to, or of the module itself."""
    spec: ModuleSpec | None = getattr(sys.modules.get(module.__name__.partition(".")[0], module), "__spec__", None)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return spec
    if spec is None:  # the module was run as a script
        return ModuleSpec(module.__name__, None, origin=file)
    if spec.origin is None:  # a namespace package: only the folder that contains this module
        narrowed = ModuleSpec(spec.name, None, is_package=True)
        narrowed.submodule_search_locations = [place for place in _places(spec) if Path(file).is_relative_to(place)][:1]
        return narrowed
    return spec


def _resolve(name: str, importer: _Unit) -> _Unit | frozenset[str]:
    """Resolve an imported top-level name as ``importer`` sees it: code to read, or the distributions of a library."""
    if name in sys.stdlib_module_names or name == "asasr_bench":
        return frozenset()
    installed = _distributions(name)
    if installed and not installed & importer.distributions and _is_installed(_spec(name)):
        return installed
    neighbour = None if importer.distributions else _spec_beside(name, importer)
    if neighbour is not None and neighbour.origin:
        return _unit(name, neighbour, name) or frozenset()
    on_path = _spec(name)
    if on_path is not None and (on_path.origin or neighbour is None):
        return _unit(name, on_path, name) or frozenset()
    return _unit(name, neighbour, name) or frozenset()  # a folder without __init__.py


def _beside(name: str, importer: _Unit) -> _Unit | frozenset[str]:
    return _unit(name, _spec_beside(name, importer), name) or frozenset()


def _spec_beside(name: str, importer: _Unit) -> ModuleSpec | None:
    return PathFinder.find_spec(name, [str(importer.folder)])


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)  # for a top-level name this imports nothing
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
    """Source files below a folder, without those in virtual environments and hidden folders."""
    visited: set[str] = set()  # symbolic links may form loops
    count = 0
    for folder_path, folders, names in os.walk(folder, followlinks=True):
        real_path = os.path.realpath(folder_path)
        folders[:] = (
            [] if real_path in visited else sorted(name for name in folders if _is_code_folder(Path(folder_path, name)))
        )
        for name in sorted(names) if real_path not in visited else ():
            if name.endswith(_CODE) and Path(folder_path, name).is_file():
                count += 1
                if count > MOST_FILES + 1:
                    return
                yield Path(folder_path, name)
        visited.add(real_path)


def _is_code_folder(folder: Path) -> bool:
    """Whether a folder is neither hidden nor a cache nor an environment with libraries."""
    name = folder.name
    foreign = name.startswith(".") or name in ("__pycache__", "node_modules", *_LIBRARIES)
    return not foreign and not (folder / "pyvenv.cfg").is_file()


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, frozenset[str]]:
    return {
        name: frozenset(distribution.lower() for distribution in names)
        for name, names in packages_distributions().items()
    }


def _distributions(name: str) -> frozenset[str]:
    return _installed().get(name, frozenset())


@lru_cache(maxsize=2 * MOST_FILES)
def _imports(path: Path, digest: str) -> tuple[frozenset[str], int]:
    """Top-level names that a file imports anywhere, and the number of a line that imports a computed name (0: none)."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(), 0  # Python cannot import the file either
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
    """Whether calling this function imports or runs code that its arguments name."""
    if isinstance(function, ast.Name):
        return function.id in _LOADERS or function.id == "exec"
    if isinstance(function, ast.Attribute):
        return function.attr in _LOADERS or (function.attr == "load" and _last_name(function.value) == "hub")
    return False


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
