"""Where downloads are kept: a folder that an environment variable names, else the cache folder of the system."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_PROGRAM = "asasr-bench"


def user_folder(kind: str, variable: str) -> Path:
    """The folder of downloads of one kind.

    A folder below ``XDG_CACHE_HOME`` or ``~/.cache`` is used where there is one: releases before this kept their files
    there on every system.

    Args:
        kind: such as ``weights``: the name of the folder.
        variable: environment variable that names another folder.
    """
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    former = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", _PROGRAM, kind)
    if former.is_dir():
        return former
    return Path(platformdirs.user_cache_dir(_PROGRAM, appauthor=False), kind)
