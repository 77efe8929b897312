"""Names of methods, datasets and images as each format must write them; HTML pages escape all by themselves."""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"([\\`*_|\[\]])")
_UNPRINTABLE_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "*": "{*}",  # at the head of a row, the \\ before would take them for its own argument
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
})  # fmt: skip


def markdown(text: object) -> str:
    """One line of text that Markdown, its tables and the HTML inside it leave alone."""
    result = _MARKDOWN.sub(r"\\\1", str(text))
    return " ".join(result.replace("&", "&amp;").replace("<", "&lt;").split())


def markdown_code(text: object) -> str:
    """Text as code in a line of Markdown: a fence that is longer than any in it, and no table's bar."""
    line = " ".join(str(text).split()).replace("|", "¦")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def tex(text: object) -> str:
    """One line of text for LaTeX."""
    return " ".join(str(text).split()).translate(_TEX)


def csv(value: object) -> object:
    """A cell of CSV: text that a spreadsheet would run as a formula gets an apostrophe, as spreadsheets mark text."""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split("\r"))  # pandas does not quote it
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def xml(text: str) -> str:
    """Text without the signs that no XML file can hold, however they are written."""
    return _UNPRINTABLE_XML.sub("�", text)
