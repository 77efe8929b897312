"""Names of methods, datasets and images as each format must write them; HTML pages escape all by themselves."""

from __future__ import annotations

import re
from unicodedata import category

_MARKDOWN = re.compile(r"([\\`*_|\[\]])")
_WITHIN_LINE = re.compile(r"[^\n\t]+")
_UNPRINTABLE_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"(?<!\w)'[^'\n]*'|(?<!\w)\"[^\"\n]*\"")
_PATH, _SPACED_PATH = (
    re.compile(
        r"(?P<web>\b(?!file:)[A-Za-z][\w+.-]+://[^\s'\"]*)"
        r"|(?<![^\s=,:;('\"\[<|@])(?:file://)?(?:~[\w.-]+(?=/)|[A-Za-z]:(?=[/\\])|(?=/|\\\\))"
        rf"(?P<path>[/\\]+[^{space},;:'\"()\[\]<>|/\\][^{space},;:'\"()\[\]<>|]*)"
    )
    for space in (r"\s", r"\n")
)
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "†": r"\dag{}",
        "[": "{[}",
        "*": "{*}",  # at the head of a row, the \\ before would take them for its own argument
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


def plain(text: object) -> str:
    """One line in which no sign commands a terminal, forges a line or turns the direction of writing: such signs stand
    in Python's spelling."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() or category(character) == "Zs" else ascii(character)[1:-1]
        for character in line
    )


def _one_line(text: object) -> str:
    return plain(" ".join(str(text).split()))


def markdown(text: object) -> str:
    """One line of text that Markdown, its tables and the HTML inside it leave alone."""
    result = _MARKDOWN.sub(r"\\\1", _one_line(text))
    return result.replace("&", "&amp;").replace("<", "&lt;")


def markdown_code(text: object) -> str:
    """Text as code in a line of Markdown: a fence that is longer than any in it, and no table's bar."""
    line = _one_line(text).replace("|", "¦")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def tex(text: object) -> str:
    """One line of text for LaTeX."""
    return _one_line(text).translate(_TEX)


def csv(value: object) -> object:
    """A cell of CSV: text that a spreadsheet would run as a formula gets an apostrophe, as spreadsheets mark text."""
    if not isinstance(value, str):
        return value
    text = _WITHIN_LINE.sub(lambda match: plain(match[0]), value.replace("\r", " "))  # pandas does not quote it
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def without_folders(text: str) -> str:
    """Text whose absolute paths are their last names: a page tells nobody the folders and users of a machine.

    A home folder itself becomes ``~``. Web addresses and relative paths stay. Paths with spaces are seen within quotes.
    """
    return _PATH.sub(_last_name, _QUOTED.sub(lambda match: _SPACED_PATH.sub(_last_name, match[0]), text))


def _last_name(match: re.Match[str]) -> str:
    if match["web"]:
        return match[0]
    names = [name for name in re.split(r"[/\\]", match["path"]) if name]
    return "~" if len(names) < 3 and names[0] in ("home", "Users", "root") else names[-1]


def xml(text: str) -> str:
    """Text without the signs that no XML file can hold, however they are written."""
    return _UNPRINTABLE_XML.sub("�", text)
