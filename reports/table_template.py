"""Jinja templates of Markdown and LaTeX tables: the shipped ones, and those that a user gives in their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, get_args

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .board import Board
from .escaping import markdown, markdown_code, plain, tex
from .grid import TEST, grids
from .notes import problems
from .paper_tables.wide import fit_of, wide_tables
from .provenance import provenance_lines
from .ranks import rank_grids

TemplateFormat = Literal["md", "tex"]
TEMPLATE_FORMATS: tuple[TemplateFormat, ...] = get_args(TemplateFormat)
_FILE = "<table template>"
"""What Python's tracebacks call the lines of a template."""


class TableTemplateError(ValueError):
    """A template that Jinja cannot read or fill in; the message begins with the line."""


@dataclass(frozen=True)
class TableTemplate:
    """What turns a board into the text of a Markdown or LaTeX file."""

    format: TemplateFormat
    text: str

    def check(self) -> None:
        """Read the template without filling it in.

        Raises:
            TableTemplateError: its syntax is wrong.
        """
        self._compiled()

    def render(self, board: Board) -> str:
        """The file's text: the template with ``title ranks grids tables problems provenance test`` filled in.

        Raises:
            TableTemplateError: its syntax is wrong, or it asks for what a board does not have.
        """
        template = self._compiled()
        try:
            return template.render(
                title=board.title,
                ranks=list(rank_grids(board)),
                grids=list(grids(board)),
                tables=list(wide_tables(board)),
                problems=list(problems(board)),
                provenance=list(provenance_lines(board)),
                test=TEST,
            )
        except Exception as error:  # whatever an expression of a template may raise
            line = max(_lines(error), default=0)
            raise TableTemplateError(f"line {line}: {error}" if line else str(error)) from error

    def _compiled(self) -> Template:
        try:
            environment = _environment(self.format)
            return Template.from_code(environment, environment.compile(self.text, filename=_FILE), {})
        except TemplateSyntaxError as error:
            raise TableTemplateError(f"line {error.lineno}: {error.message}") from error


def shipped_template(format: TemplateFormat, stem: str = "leaderboard") -> TableTemplate:
    """The template that is used where nobody gives another."""
    return TableTemplate(format, template_text(f"{stem}.{format}.j2"))


def template_text(name: str) -> str:
    """A shipped file of ``templates/``."""
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _environment(format: TemplateFormat) -> ImmutableSandboxedEnvironment:
    """Jinja in its sandbox: somebody else's template reads the board and runs no other code.

    LaTeX is full of braces, so its templates have brackets in their place.
    """
    brackets = {
        "block_start_string": "[%",
        "block_end_string": "%]",
        "variable_start_string": "[[",
        "variable_end_string": "]]",
        "comment_start_string": "[#",
        "comment_end_string": "#]",
    }
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and LaTeX are no HTML: names go through the filters below
        **(brackets if format == "tex" else {}),
    )
    environment.filters.update(
        markdown=markdown,
        code=markdown_code,
        tex=tex,
        tex_number=_tex_number,
        label=_label,
        comment=_one_line,
        fit=fit_of,
    )
    return environment


def _label(text: object) -> str:
    """A name as a part of ``\\label``: letters, digits and dashes."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in str(text)).strip("-").lower()


def _one_line(text: object) -> str:
    """Text as a comment of one line."""
    return plain(" ".join(str(text).split()))


def _tex_number(text: str) -> str:
    """A score or the word in its place."""
    return tex(text).replace("∞", r"$\infty$").replace("–", "--")


def _lines(error: BaseException) -> Iterator[int]:
    """Lines of the template that an error passed through."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            yield trace.tb_lineno
        trace = trace.tb_next
