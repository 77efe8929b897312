"""Rules for names from users and files: which may appear in tables and become file names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 200
_NEAREST = 3
"""Names that a hint offers."""
_LISTED = 12
"""Names that are listed where none is near."""


def did_you_mean(name: str, candidates: Iterable[str], listing: str = "") -> str:
    """End of a message about an unknown name: ``; did you mean 'x'?`` with up to three names, or where to list them.

    Args:
        name: the unknown name; for ``KIND:DETAIL`` the first part is compared too.
        candidates: all known names.
        listing: the command that lists the names; it is mentioned in place of many names.
    """
    ids = {id.lower(): id for id in candidates}
    close_to_name = difflib.get_close_matches(name.lower(), ids, n=_NEAREST, cutoff=0.5)
    nearest = close_to_name or difflib.get_close_matches(name.partition(":")[0].lower(), ids, n=_NEAREST, cutoff=0.5)
    see = f" see '{listing}'" if listing else ""
    if nearest:
        *earlier, last = (repr(ids[match]) for match in nearest)
        return f"; did you mean {', '.join(earlier)}{' or ' * bool(earlier)}{last}?{see}"
    if listing:
        return f";{see}"
    names = list(ids.values())
    remaining = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known: {', '.join(names[:_LISTED]) or 'none'}{remaining}"


def name_problem(name: str, *, file: bool = False) -> str:
    """Why a name cannot be used, to follow the name in a message ("is empty"); '' if it can be used.

    Control characters, line breaks, signs that turn the direction of writing and bytes that are no UTF-8 are refused
    everywhere: they forge lines of tables and logs, or command a terminal.

    Args:
        file: whether it becomes the name of a file or folder, which must not leave its folder.
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
    """Whether a relative path may lead out of its folder."""
    components = place.replace("\\", "/").split("/")
    return ".." in components or not components[0] or ":" in components[0] or not place.isprintable()


def printable(text: str) -> str:
    """Text with unprintable characters escaped as in Python, except line breaks; safe for terminals and logs."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )
