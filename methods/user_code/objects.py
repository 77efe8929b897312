"""Import objects of user code by ``module:object`` or ``./file.py:object``, and identify what they compute.

Used for methods, metrics, engines, datasets and protocols. The result of such an object is determined by its code, its
arguments and the files that it reads. ``identity_of`` computes a digest of all three, and reports what it cannot know.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from ...datasets.fetch.digests import digest_of
from ..errors import MethodError, MissingWeightsError
from .code_files import CodeFiles, code_files
from .loaded_code import is_current, note_imports, require_current

WEIGHT_FILES = "weight_files"
"""Attribute with which an object declares every file that it reads; ``()``: it reads none."""
_PRIVATE = "_asasr_bench_file_"


class CodeError(MethodError):
    """User code that cannot be imported or used; the message says where it was searched."""


@dataclass(frozen=True)
class Imported:
    """An imported object and its module."""

    value: Any
    module: ModuleType
    attribute: str


@dataclass(frozen=True)
class Identity:
    """Identity of what an object computes. Names and paths are no part of it."""

    code: str
    """SHA-256 of its code, the path of its attribute and its arguments."""
    weights: str
    """SHA-256 of the files that it declares; '' if there are none."""
    incomplete: str
    """What is unknown, as a note for tables; '' if nothing is."""


def import_object(text: str, folders: Sequence[Path] = ()) -> Imported:
    """Import ``module:attribute`` or ``file.py:attribute``.

    Args:
        text: the reference.
        folders: folders in which modules are searched, besides Python's own path.

    Raises:
        CodeError: the object cannot be imported, or another module of this name was imported before.
    """
    name, _, attribute = text.rpartition(":")
    try:
        module = _import_file(Path(name)) if name.endswith(".py") else _import_module(name, folders)
        value: Any = module
        for attribute_name in attribute.split("."):
            value = getattr(value, attribute_name)
    except CodeError:
        raise
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CodeError(f"'{text}' cannot be imported ({reason}){_looked(name, error, folders)}") from error
    return Imported(value, module, attribute)


def constructed(imported: Imported, arguments: Mapping[str, Any], *, ready: bool) -> Any:
    """The object itself if it is ready to use, else the result of calling it with the arguments.

    Args:
        imported: the object.
        arguments: keyword arguments of the call.
        ready: the object is used as it is.

    Raises:
        CodeError: arguments for an object that is used as it is, or a call that fails.
    """
    value = imported.value
    if ready:
        if arguments:
            raise CodeError(f"'{imported.attribute}' takes no 'args': it is neither a class nor a function")
        return value
    try:
        return value(**arguments)
    except (Exception, SystemExit) as error:
        hint = "; its arguments go into 'args' of its mapping in a spec" if isinstance(error, TypeError) else ""
        raise CodeError(
            f"{imported.attribute}({', '.join(arguments)}) cannot be made ({type(error).__name__}: {error}){hint}"
        ) from error


def _looked(name: str, error: BaseException, folders: Sequence[Path]) -> str:
    if not isinstance(error, ModuleNotFoundError) or error.name != name.partition(".")[0]:
        return ""
    places = [str(folder) for folder in folders if str(folder) in sys.path]
    return f"; looked for it in {', '.join([*places, 'the installed packages and PYTHONPATH'])}; or give ./FILE.py:NAME"


def _import_module(name: str, folders: Sequence[Path]) -> ModuleType:
    top = name.partition(".")[0]
    before = sys.modules.keys() - set()
    for folder in folders:
        _drop_outdated_bytecode(folder, top)
    with _importable(folders):
        module = importlib.import_module(name)
        expected = PathFinder.find_spec(top, [place for place in sys.path if place not in _ADDED])
    note_imports(before)
    loaded = getattr(sys.modules[top], "__file__", None)
    if expected is not None and expected.origin and loaded and not _same(expected.origin, loaded):
        raise CodeError(
            f"module '{top}' is {expected.origin} here, but {loaded} was imported under this name before; rename one of"
            " the two, or run them apart"
        )
    return module


def _import_file(file: Path) -> ModuleType:
    """Import a file as a module.

    A file in a package is imported as part of it, so that its relative imports work. Any other file gets a private
    module name, so that ``utils.py`` hides no installed module, and is imported anew after a change.
    """
    file = file.absolute()
    if not file.is_file():
        raise CodeError(f"no file {file}; code in a file is given as FILE.py:NAME")
    folder, module_path = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():
        folder, module_path = folder.parent, [folder.name, *module_path]
    if len(module_path) > 1:
        return _import_module(".".join(module_path if module_path[-1] != "__init__" else module_path[:-1]), [folder])
    name = _PRIVATE + hashlib.sha256(str(file).encode()).hexdigest()[:16]
    if not is_current(name):
        before = sys.modules.keys() - {name}
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        _drop_outdated_bytecode(folder)
        try:
            with _importable([folder]):
                spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        note_imports(before)
    return sys.modules[name]


def _drop_outdated_bytecode(folder: Path, package: str = "") -> None:
    """Remove compiled code that is older than its source, in a folder and in a package in it.

    Python uses compiled code if size and time in whole seconds agree with the source. After an edit of a digit within
    the same second, the identity would be that of the new text while the old code runs.
    """
    for compiled in (*folder.glob("__pycache__/*.pyc"), *(folder / package).glob("**/__pycache__/*.pyc")):
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            source = Path(importlib.util.source_from_cache(str(compiled)))
            if compiled.stat().st_mtime_ns < source.stat().st_mtime_ns:
                compiled.unlink()


_ADDED: list[str] = []
"""Folders that this module appended to Python's path."""


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    """Put folders first on Python's path inside the block, as for a script in them.

    Afterwards they stay at the end of the path, because methods may import while they run, and a ``utils.py`` in them
    must not hide a module of others.
    """
    original = [place for place in sys.path if place not in _ADDED]
    first = [str(folder) for folder in folders if str(folder) not in original]
    added_before = [place for place in _ADDED if place not in first]
    _ADDED[:] = added_before
    sys.path[:] = [*first, *original, *added_before]
    importlib.invalidate_caches()
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_none
        _ADDED[:] = [*first, *added_before]
        remaining = [
            place for place in sys.path if place not in _ADDED
        ]  # the imported code may have added folders itself
        sys.path[:] = [*remaining, *_ADDED]


def _same(path: str, other_path: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other_path)


def identity_of(
    imported: Imported,
    arguments: Mapping[str, Any] | None = None,
    instance: object = None,
    weight_files: Sequence[str | os.PathLike[str]] | None = None,
) -> Identity:
    """Identify what an imported object computes.

    Args:
        imported: a class, a factory, an instance or a function.
        arguments: keyword arguments with which it was or will be called; serialisable as JSON.
        instance: result of that call. Its attribute ``weight_files`` takes precedence over the object's.
        weight_files: the files, in place of such an attribute.

    Raises:
        CodeError: a file of its code changed after it was imported.
        MissingWeightsError: a file that it declares is missing.
    """
    code, doubts = _all_code(imported, instance)
    unknown = [*code.unknown, *doubts]
    digests: list[str] = []
    declared = weight_files if weight_files is not None else _declared(imported, instance)
    file_digests: dict[str, str] = {}
    if declared is None:
        unknown.append(f"it does not declare its weight files ('{WEIGHT_FILES} = ()' says it has none)")
    else:
        file_digests = {os.fspath(path): _content(Path(path), imported) for path in declared}
        digests = list(file_digests.values())
    content = {
        "attribute": [imported.module.__name__.partition(".")[2], imported.attribute],
        "arguments": _without_paths(dict(arguments or {}), file_digests),
        "files": {name: digest_of(path) for name, path in sorted(code.files.items())},
        "libraries": dict(sorted(code.libraries.items())),
    }
    return Identity(
        _digest(content),
        _digest(digests) if digests else "",
        f"identity incomplete: {'; '.join(dict.fromkeys(unknown))}" if unknown else "",
    )


def _all_code(imported: Imported, instance: object) -> tuple[CodeFiles, list[str]]:
    """Code of the object's module and of the modules that define its class and base classes."""
    kinds = (kind for value in (imported.value, instance) for kind in _kinds(value))
    names = {(getattr(kind, "__module__", None) or "builtins").partition(".")[0] for kind in kinds}
    code = code_files(imported.module, {name for name in names if not name.startswith(_PRIVATE)})
    return code, require_current(imported.module, code.files)


def _kinds(value: object) -> Iterable[object]:
    """The classes and functions that define the behaviour of a value."""
    if inspect.isclass(value):
        return inspect.getmro(value)
    if inspect.isroutine(value):
        return (inspect.unwrap(value),) if callable(value) else ()
    return inspect.getmro(type(value))


def _declared(imported: Imported, instance: object) -> Sequence[str | os.PathLike[str]] | None:
    for value in (instance, imported.value):
        files = getattr(value, WEIGHT_FILES, None)
        if isinstance(files, str | os.PathLike):
            return (files,)
        if isinstance(files, list | tuple):
            return files
        if files is not None:
            raise CodeError(f"{imported.attribute}: '{WEIGHT_FILES}' must be a tuple of paths, not {files!r}")
    return None


def _content(path: Path, imported: Imported) -> str:
    """SHA-256 of a file, or of all files in a folder."""
    if path.is_file():
        return digest_of(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _digest([[file.relative_to(path).as_posix(), digest_of(file)] for file in files])
    raise MissingWeightsError(
        imported.attribute,
        f"{imported.attribute}: file {path.absolute()} of its '{WEIGHT_FILES}' is missing; get it, or correct the path",
    )


def _without_paths(value: Any, file_digests: Mapping[str, str]) -> Any:
    """Arguments with the paths of declared files replaced by the digests of their content."""
    if isinstance(value, str):
        return {"file": file_digests[value]} if value in file_digests else value
    if isinstance(value, dict):
        return {key: _without_paths(element, file_digests) for key, element in value.items()}
    return [_without_paths(element, file_digests) for element in value] if isinstance(value, list | tuple) else value


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
