"""Names that files and people bring along: which of them may stand in tables and become names of files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 200
_NEAREST = 3
"""Names that a hint offers."""
_LISTED = 12
"""Names that are listed where none is near."""


def did_you_mean(name: str, known: Iterable[str], listing: str = "") -> str:
    """What follows a name that nobody knows: ``; did you mean 'x'?`` with at most three, or, where none is near, where
    to find one.

    Args:
        name: as it was given; of ``WHAT:DETAIL`` the first part may be what is near.
        known: all that it could have been.
        listing: the command that lists them, named in place of many names.
    """
    ids = {id.lower(): id for id in known}
    whole = difflib.get_close_matches(name.lower(), ids, n=_NEAREST, cutoff=0.5)
    nearest = whole or difflib.get_close_matches(name.partition(":")[0].lower(), ids, n=_NEAREST, cutoff=0.5)
    see = f" see '{listing}'" if listing else ""
    if nearest:
        *others, last = (repr(ids[match]) for match in nearest)
        return f"; did you mean {', '.join(others)}{' or ' * bool(others)}{last}?{see}"
    if listing:
        return f";{see}"
    names = list(ids.values())
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known: {', '.join(names[:_LISTED]) or 'none'}{more}"


def name_problem(name: str, *, file: bool = False) -> str:
    """Why a name cannot be used, as in "NAME is empty"; '' if it can.

    Control characters, line breaks, signs that turn the direction of writing and bytes that are no UTF-8 are refused
    everywhere: they forge lines of tables and logs, or command a terminal.

    Args:
        file: it becomes the name of a file or folder, which must stay where it is put.
    """
    if not name.strip():
        return "is empty"
    if not name.isprintable():
        return "has signs that cannot be printed (control characters, line breaks, or bytes that are no UTF-8)"
    if len(name) > _LONGEST:
        return f"has {len(name)} signs, more than {_LONGEST}"
    if file and ("/" in name or "\\" in name or name in (".", "..")):
        return "would name a place outside its folder"
    return ""


def leaves_folder(place: str) -> bool:
    """Whether a relative path may lead out of the folder that it is meant to be in."""
    parts = place.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or ":" in parts[0] or not place.isprintable()


def printable(text: str) -> str:
    """Text for a terminal, a log or a report: signs that cannot be printed in Python's spelling, line breaks kept."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )
