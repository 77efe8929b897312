"""Whether the code that this process imported is the code that is in its files now."""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from ...datasets.fetch.digests import digest_of
from ..errors import MethodError
from .code_files import is_library

_HEADER = struct.Struct("<4sIII")  # of a .pyc (PEP 552): magic number, flags, time and size of the source or its hash


class ChangedCodeError(MethodError):
    """What this process imported is not what the files say."""


@dataclass
class _Seen:
    """What a module was when it was looked at first after it was imported."""

    spec: ModuleSpec | None
    """A reload replaces it."""
    digest: str
    doubt: str = ""
    """Whether it had changed by then was not to be known."""
    imported: dict[str, ModuleSpec | None] = field(default_factory=dict)
    """Modules that it uses, as they were then."""


_SEEN: dict[str, _Seen] = {}


def require_current(module: ModuleType, files: Mapping[str, Path]) -> list[str]:
    """Check a module and all loaded modules among the files that it consists of.

    Returns:
        Files of which it is not known whether they were changed since their import.

    Raises:
        ChangedCodeError: one was; or a module was reloaded, but not the one that imported from it; or another file was
            imported under the name of one.
    """
    for name, path in files.items():
        _require_itself(name, path)
    paths = {os.path.realpath(path) for path in files.values()}
    names = {path.rpartition(os.sep)[2] for path in paths}  # thousands of modules need no look at the disk
    loaded = {
        name: each
        for name, each in list(sys.modules.items())
        if (file := _file(each)).rpartition(os.sep)[2] in names and os.path.realpath(file) in paths
    }
    doubts = [doubt for name, each in loaded.items() if (doubt := _check(name, each))]
    specs = {name: each.__spec__ for name, each in loaded.items()}
    seen = _SEEN.get(module.__name__)
    if seen is None:
        return doubts
    old = [name for name, spec in seen.imported.items() if name in specs and specs[name] is not spec]
    if old and module.__name__ not in old:
        raise ChangedCodeError(
            f"module '{old[0]}' was reloaded, but '{module.__name__}', which uses it, was not: reload that too"
            f" (importlib.reload), or restart Python"
        )
    seen.imported = specs
    return doubts


def _require_itself(name: str, path: Path) -> None:
    """No other module may have been imported under the name by which code imports this file."""
    parts = name.removesuffix(path.suffix).split("/")
    if parts[0].startswith("."):
        return  # the object's own module or package
    full = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    loaded = _file(sys.modules.get(full))
    if loaded and os.path.realpath(loaded) != os.path.realpath(path):
        raise ChangedCodeError(
            f"module '{full}' is {path} here, but {loaded} was imported under this name before; rename one of the two,"
            " or run them apart"
        )


def _check(name: str, module: ModuleType) -> str:
    file = Path(_file(module))
    seen = _SEEN.get(name)
    if seen is None or seen.spec is not module.__spec__:
        as_imported = _as_imported(module, file)
        if as_imported is False:
            raise _changed(name, file)
        doubt = "" if as_imported else f"whether {file.name} was changed after this process imported it is not known"
        seen = _SEEN[name] = _Seen(module.__spec__, digest_of(file), doubt)
    elif seen.digest != digest_of(file):
        raise _changed(name, file)
    return seen.doubt


def note_imports(before: Set[str]) -> None:
    """Remember the files of all modules that were imported just now, since ``before`` was the set of their names."""
    for name in sys.modules.keys() - before:
        module = sys.modules[name]
        file = _file(module)
        if file and not is_library(file) and Path(file).is_file():
            _SEEN[name] = _Seen(module.__spec__, digest_of(Path(file)))


def is_current(name: str) -> bool:
    """Whether a module's file and the modules that it uses are those of its import; False where it was not noted."""
    module, seen = sys.modules.get(name), _SEEN.get(name)
    if module is None or seen is None or seen.digest != digest_of(Path(_file(module))):
        return False
    return all(name in sys.modules and sys.modules[name].__spec__ is spec for name, spec in seen.imported.items())


def _changed(name: str, file: Path) -> ChangedCodeError:
    return ChangedCodeError(
        f"{file} was changed after this process imported it, so that what runs is not what it says: restart Python, or"
        f" reload it (importlib.reload of '{name}' and of what imports it)"
    )


def _file(module: object) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""


def _as_imported(module: ModuleType, file: Path) -> bool | None:
    """Whether a file is still what this process imported at some earlier time; None: nobody can tell."""
    state = file.stat()
    if max(state.st_mtime, state.st_ctime) < _process_start() - 2:  # the kernel's clock of starts is that coarse
        return True
    cached = getattr(module, "__cached__", None)
    if not cached or not Path(cached).is_file() or sys.dont_write_bytecode:
        return None
    _, flags, first, second = _HEADER.unpack(Path(cached).read_bytes()[: _HEADER.size])
    if flags:
        return struct.pack("<II", first, second) == importlib.util.source_hash(file.read_bytes())
    return (first, second) == (int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)


@lru_cache(maxsize=1)
def _process_start() -> float:
    """When this process began, in seconds since 1970; 0 where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
