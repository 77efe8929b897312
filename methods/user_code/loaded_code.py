"""Check that the code which this process imported still equals its source files."""

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
    """The code that this process imported differs from the files."""


@dataclass
class _Record:
    """State of a module when it was first checked after its import."""

    spec: ModuleSpec | None
    """A reload replaces it."""
    digest: str
    doubt: str = ""
    """Message where it is unknown whether the file had changed by then; '' where it had not."""
    imported: dict[str, ModuleSpec | None] = field(default_factory=dict)
    """Import specs of the modules that it uses, by name."""


_RECORDS: dict[str, _Record] = {}


def require_current(module: ModuleType, files: Mapping[str, Path]) -> list[str]:
    """Check a module and all loaded modules among its files.

    Args:
        module: the module.
        files: the files that it consists of; see ``CodeFiles.files``.

    Returns:
        Messages about files of which it is unknown whether they changed since their import.

    Raises:
        ChangedCodeError: a file changed after its import; or a module was reloaded, but not the module that uses it; or
            another file was imported under the same name.
    """
    for name, path in files.items():
        _require_itself(name, path)
    paths = {os.path.realpath(path) for path in files.values()}
    names = {path.rpartition(os.sep)[2] for path in paths}  # comparing names first avoids thousands of file accesses
    loaded = {
        name: loaded_module
        for name, loaded_module in list(sys.modules.items())
        if (file := _file(loaded_module)).rpartition(os.sep)[2] in names and os.path.realpath(file) in paths
    }
    doubts = [doubt for name, loaded_module in loaded.items() if (doubt := _check(name, loaded_module))]
    specs = {name: loaded_module.__spec__ for name, loaded_module in loaded.items()}
    record = _RECORDS.get(module.__name__)
    if record is None:
        return doubts
    old = [name for name, spec in record.imported.items() if name in specs and specs[name] is not spec]
    if old and module.__name__ not in old:
        raise ChangedCodeError(
            f"module '{old[0]}' was reloaded, but '{module.__name__}', which uses it, was not: reload that too"
            f" (importlib.reload), or restart Python"
        )
    record.imported = specs
    return doubts


def _require_itself(name: str, path: Path) -> None:
    """Require that no other file was imported under the name by which the code imports this file."""
    path_parts = name.removesuffix(path.suffix).split("/")
    if path_parts[0].startswith("."):
        return  # the object's own module or package, which was just imported
    full_name = ".".join(path_parts[:-1] if path_parts[-1] == "__init__" else path_parts)
    loaded = _file(sys.modules.get(full_name))
    if loaded and os.path.realpath(loaded) != os.path.realpath(path):
        raise ChangedCodeError(
            f"module '{full_name}' is {path} here, but {loaded} was imported under this name before; rename one of"
            " the two, or run them apart"
        )


def _check(name: str, module: ModuleType) -> str:
    file = Path(_file(module))
    record = _RECORDS.get(name)
    if record is None or record.spec is not module.__spec__:
        as_imported = _as_imported(module, file)
        if as_imported is False:
            raise _changed(name, file)
        doubt = "" if as_imported else f"whether {file.name} was changed after this process imported it is not known"
        record = _RECORDS[name] = _Record(module.__spec__, digest_of(file), doubt)
    elif record.digest != digest_of(file):
        raise _changed(name, file)
    return record.doubt


def note_imports(before: Set[str]) -> None:
    """Record the state of all modules that were imported since ``before``, the earlier set of module names."""
    for name in sys.modules.keys() - before:
        module = sys.modules[name]
        file = _file(module)
        if file and not is_library(file) and Path(file).is_file():
            _RECORDS[name] = _Record(module.__spec__, digest_of(Path(file)))


def is_current(name: str) -> bool:
    """Whether a recorded module's file and the modules that it uses are unchanged; False if it was not recorded."""
    module, record = sys.modules.get(name), _RECORDS.get(name)
    if module is None or record is None or record.digest != digest_of(Path(_file(module))):
        return False
    return all(name in sys.modules and sys.modules[name].__spec__ is spec for name, spec in record.imported.items())


def _changed(name: str, file: Path) -> ChangedCodeError:
    return ChangedCodeError(
        f"{file} was changed after this process imported it, so that what runs is not what it says: restart Python, or"
        f" reload it (importlib.reload of '{name}' and of what imports it)"
    )


def _file(module: object) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""


def _as_imported(module: ModuleType, file: Path) -> bool | None:
    """Whether a file is still the one that this process imported earlier; None: unknown."""
    state = file.stat()
    if max(state.st_mtime, state.st_ctime) < _process_start() - 2:  # the start time is known to about a second
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
    """Start of this process in seconds since 1970; 0 where the system does not report it."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
