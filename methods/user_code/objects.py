"""Objects of other people's code, by ``module:object`` or ``./file.py:object``: importing them, and what they are.

Used for methods, metrics, engines, datasets and protocols. What such an object computes is determined by its code, the
arguments it was made with, and the files that it reads: ``identity_of`` digests all three, and says what of them it
cannot know.
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
"""Attribute by which an object declares every file that it reads; ``()`` says that it reads none."""
_PRIVATE = "_asasr_bench_file_"


class CodeError(MethodError):
    """Code of somebody else that cannot be imported or used; the message says where it was looked for."""


@dataclass(frozen=True)
class Imported:
    """An object and where it was imported from."""

    value: Any
    module: ModuleType
    attribute: str


@dataclass(frozen=True)
class Identity:
    """What determines what an object computes. Names and paths are no part of it."""

    code: str
    """SHA-256 of its code, its attribute's path and its arguments."""
    weights: str
    """SHA-256 of the files that it declares; '' if it declares none."""
    incomplete: str
    """What is not known of it, for tables; '' if nothing is missing."""


def import_object(text: str, folders: Sequence[Path] = ()) -> Imported:
    """Import ``module:attribute`` or ``file.py:attribute``.

    Args:
        folders: where modules are looked for beside Python's own path.

    Raises:
        CodeError: it cannot be imported, or another module of its name was imported before.
    """
    name, _, attribute = text.rpartition(":")
    try:
        module = _import_file(Path(name)) if name.endswith(".py") else _import_module(name, folders)
        value: Any = module
        for part in attribute.split("."):
            value = getattr(value, part)
    except CodeError:
        raise
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}"
        raise CodeError(f"'{text}' cannot be imported ({what}){_looked(name, error, folders)}") from error
    return Imported(value, module, attribute)


def constructed(imported: Imported, arguments: Mapping[str, Any], *, ready: bool) -> Any:
    """An object as it is where it is ready to use, else what it gives when it is called with arguments.

    Raises:
        CodeError: it takes no arguments, or the call fails.
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
        wanted = PathFinder.find_spec(top, [place for place in sys.path if place not in _ADDED])
    note_imports(before)
    loaded = getattr(sys.modules[top], "__file__", None)
    if wanted is not None and wanted.origin and loaded and not _same(wanted.origin, loaded):
        raise CodeError(
            f"module '{top}' is {wanted.origin} here, but {loaded} was imported under this name before; rename one of"
            " the two, or run them apart"
        )
    return module


def _import_file(file: Path) -> ModuleType:
    """A file's module. One of a package is imported as such, so that its relative imports work.

    Others get a private name, so that a file called ``utils.py`` hides no installed module, and are imported anew when
    they were changed.
    """
    file = file.absolute()
    if not file.is_file():
        raise CodeError(f"no file {file}; code in a file is given as FILE.py:NAME")
    folder, parts = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    if len(parts) > 1:
        return _import_module(".".join(parts if parts[-1] != "__init__" else parts[:-1]), [folder])
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
    """Remove what Python would run in place of newer code in a folder, and in its package.

    Python takes compiled code for that of its source if whole seconds and size agree: an edit of a number within the
    second would be identified by its new text and run by its old one.
    """
    for compiled in (*folder.glob("__pycache__/*.pyc"), *(folder / package).glob("**/__pycache__/*.pyc")):
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            source = Path(importlib.util.source_from_cache(str(compiled)))
            if compiled.stat().st_mtime_ns < source.stat().st_mtime_ns:
                compiled.unlink()


_ADDED: list[str] = []
"""What we put at the end of Python's path."""


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    """Import from folders as a script in them does: they come first.

    Afterwards they come last for good, since methods import when they run, too, and a ``utils.py`` of theirs must hide
    nothing from others.
    """
    own = [place for place in sys.path if place not in _ADDED]
    new = [str(folder) for folder in folders if str(folder) not in own]
    others = [place for place in _ADDED if place not in new]
    _ADDED[:] = others
    sys.path[:] = [*new, *own, *others]
    importlib.invalidate_caches()
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_none
        _ADDED[:] = [*new, *others]
        kept = [place for place in sys.path if place not in _ADDED]  # code may add places of its own
        sys.path[:] = [*kept, *_ADDED]


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def identity_of(
    imported: Imported, arguments: Mapping[str, Any] | None = None, instance: object = None,
    weight_files: Sequence[str | os.PathLike[str]] | None = None,
) -> Identity:  # fmt: skip
    """What determines what an imported object computes.

    Args:
        imported: a class, a factory, an instance or a function.
        arguments: that it was or will be called with; JSON-able.
        instance: what that call returned. Files are those in its attribute ``weight_files``, else the object's.
        weight_files: files, for an object that has no such attribute; paths as ``open`` takes them.

    Raises:
        CodeError: a file of its code was changed after it was imported.
        MissingWeightsError: a file that it declares is not there.
    """
    code, doubts = _all_code(imported, instance)
    unknown = [*code.unknown, *doubts]
    digests: list[str] = []
    declared = weight_files if weight_files is not None else _declared(imported, instance)
    named: dict[str, str] = {}
    if declared is None:
        unknown.append(f"it does not declare its weight files ('{WEIGHT_FILES} = ()' says it has none)")
    else:
        named = {os.fspath(path): _content(Path(path), imported) for path in declared}
        digests = list(named.values())
    content = {
        "attribute": [imported.module.__name__.partition(".")[2], imported.attribute],
        "arguments": _without_paths(dict(arguments or {}), named),
        "files": {name: digest_of(path) for name, path in sorted(code.files.items())},
        "libraries": dict(sorted(code.libraries.items())),
    }
    return Identity(
        _digest(content), _digest(digests) if digests else "",
        f"identity incomplete: {'; '.join(dict.fromkeys(unknown))}" if unknown else "",
    )  # fmt: skip


def _all_code(imported: Imported, instance: object) -> tuple[CodeFiles, list[str]]:
    """Code of the module it was found in, and of all classes and functions of it that come from elsewhere."""
    kinds = (kind for value in (imported.value, instance) for kind in _kinds(value))
    names = {(getattr(kind, "__module__", None) or "builtins").partition(".")[0] for kind in kinds}
    code = code_files(imported.module, {name for name in names if not name.startswith(_PRIVATE)})
    return code, require_current(imported.module, code.files)


def _kinds(value: object) -> Iterable[object]:
    """The classes and functions that a value's behaviour comes from."""
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
    """Digest of a file, or of all files in a folder."""
    if path.is_file():
        return digest_of(path)
    if path.is_dir():
        inside = sorted(each for each in path.rglob("*") if each.is_file())
        return _digest([[each.relative_to(path).as_posix(), digest_of(each)] for each in inside])
    raise MissingWeightsError(
        imported.attribute,
        f"{imported.attribute}: file {path.absolute()} of its '{WEIGHT_FILES}' is missing; get it, or correct the path",
    )


def _without_paths(value: Any, named: Mapping[str, str]) -> Any:
    """Arguments, with files that are declared replaced by what is in them."""
    if isinstance(value, str):
        return {"file": named[value]} if value in named else value
    if isinstance(value, dict):
        return {key: _without_paths(each, named) for key, each in value.items()}
    return [_without_paths(each, named) for each in value] if isinstance(value, list | tuple) else value


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
