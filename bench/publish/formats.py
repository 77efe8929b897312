"""Formats of leaderboards, and templates of users for some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.errors import UsageError
from ...datasets.strict import read_file
from ...reports.board import Board
from ...reports.paper_tables.flat import to_json, to_wide_csv
from ...reports.table_template import TEMPLATE_FORMATS, TableTemplate, TableTemplateError
from ...reports.tables import to_csv, to_latex, to_markdown, to_wide_latex

FORMATS = ("md", "csv", "tex", "html")
"""Formats that are written by default."""
ALL_FORMATS = (*FORMATS, "wide-tex", "wide-csv", "json")
_RENDERERS: Mapping[str, Callable[[Board], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "tex": to_latex,
    "wide-tex": to_wide_latex,
    "wide-csv": to_wide_csv,
    "json": to_json,
}


class FormatError(UsageError, ValueError):
    """A format, template or kind of figure does not exist or cannot be used."""


@dataclass(frozen=True)
class TableFormats:
    """Formats to write, checked, and the user's templates for some of them."""

    names: tuple[str, ...] = FORMATS
    templates: tuple[tuple[Path, TableTemplate], ...] = ()
    """Files that replace the shipped templates, at most one for each format."""

    def render(self, name: str, board: Board) -> str:
        """A board in any format but HTML.

        Raises:
            FormatError: a user's template uses a value that a board does not have.
        """
        for path, template in self.templates:
            if template.format == name:
                try:
                    return template.render(board)
                except TableTemplateError as error:
                    raise _broken(path, error) from None
        return _RENDERERS[name](board)


def file_end(name: str) -> str:
    """The end of a file's name in a format: ``-wide.tex`` for ``wide-tex``."""
    layout, dash, suffix = name.rpartition("-")
    return f"{dash}{layout}.{suffix}"


def table_formats(names: Sequence[str] = FORMATS, template: Path | None = None) -> TableFormats:
    """Check formats and read templates, before anything else is done.

    Args:
        names: formats to write.
        template: a file ``*.md.j2`` or ``*.tex.j2``, or a folder with ``leaderboard.md.j2``, ``leaderboard.tex.j2`` or
            both, which replace the shipped templates; None: the shipped templates.

    Raises:
        FormatError: a format is unknown, or no template is for a format to write.
    """
    for name in names:
        if name not in ALL_FORMATS:
            raise FormatError(f"unknown report format '{name}' (known: {', '.join(ALL_FORMATS)})")
    templates = () if template is None else _templates(template)
    if template is not None and not any(user_template.format in names for _, user_template in templates):
        written = ", ".join(user_template.format for _, user_template in templates)
        raise FormatError(f"{template}: is a template of {written}, which is not among the formats to write")
    return TableFormats(tuple(names), templates)


def _templates(place: Path) -> tuple[tuple[Path, TableTemplate], ...]:
    templates = []
    for format in TEMPLATE_FORMATS:
        path = place / f"leaderboard.{format}.j2" if place.is_dir() else place
        if path.name.endswith(f".{format}.j2") and (path == place or path.exists()):
            template = TableTemplate(format, read_file(path, FormatError))
            try:
                template.check()
            except TableTemplateError as error:
                raise _broken(path, error) from None
            templates.append((path, template))
    if not templates:
        names = " or ".join(f"{'leaderboard' if place.is_dir() else 'NAME'}.{format}.j2" for format in TEMPLATE_FORMATS)
        raise FormatError(f"{place}: no template of tables; it is called {names} (docs/reports.md)")
    return tuple(templates)


def _broken(path: Path, error: TableTemplateError) -> FormatError:
    return FormatError(f"{path}, {error}; docs/reports.md lists the values that a template can use")
