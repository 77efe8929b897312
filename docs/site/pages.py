"""Pages of the documentation site that are made from what they describe: a hook of MkDocs (``mkdocs.yml``).

The home page is README.md, the reference of specs comes from the models that read them, the reference of commands from
the commands themselves.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
       "SECURITY.md": "security.md"}  # fmt: skip
"""Files of the repository's top level to their pages."""
_LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made; called by MkDocs."""
    from mkdocs.structure.files import File

    pages = {page: top_level_page(name) for name, page in TOP.items()}
    pages |= {"reference/specs.md": spec_reference(), "reference/commands.md": command_reference()}
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links of a page that leave ``docs/`` lead to the pages made of the top level, or are words; called by MkDocs."""
    for name, page in TOP.items():
        markdown = markdown.replace(f"](../{name}", f"]({page}")
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", markdown)


def top_level_page(name: str) -> str:
    """A file of the top level as a page: links into ``docs/`` lose this folder, links to code become words."""

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if target in TOP:
            return match[1] + TOP[target]
        return match[1] + target.removeprefix("docs/")

    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\[([^\]]+)\]\((?!https?:|#|docs/|[A-Z]+\.md)[^)]+\)", r"\1", text)
    return _LINK.sub(moved, text)


def command_reference() -> str:
    """Every command with its options, as Typer writes them."""
    command = [sys.executable, "-m", "typer", "asasr_bench.bench.cli.main", "utils", "docs"]
    command += ["--name", "asasr-bench", "--title", "Commands"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sentences = {
        name: " ".join(first.split())
        for name, first in re.findall(r"(?m)^#+ `asasr-bench ((?:[\w-]+ ?)+)`\n\n((?:.+\n)+)", text)
    }

    def whole(match: re.Match[str]) -> str:
        """Typer cuts what the list of commands says of each."""
        names = [name for name in sentences if name.split()[-1] == match[1]]
        return f"* `{match[1]}`: {sentences[names[0]]}" if len(names) == 1 else match[0]

    return re.sub(r"(?m)^\* `([\w-]+)`: .*\.\.\.$", whole, text)


def spec_reference() -> str:
    """Keys of a spec, and of the mappings in it, from the models that read them."""
    from asasr_bench.bench.protocols import Protocol
    from asasr_bench.bench.spec import DatasetEntry, Spec
    from asasr_bench.datasets.card import DatasetCard

    parts = [
        "# Specs",
        "",
        "A spec is a YAML file that `asasr-bench run FILE.yaml` reads. Keys that no model knows are refused.",
        "",
        *section("Spec", Spec),
        *section("A dataset of `datasets`", DatasetEntry),
        *section("A card of a dataset", DatasetCard),
    ]
    if isinstance(Protocol, type) and issubclass(Protocol, BaseModel):
        parts += section("A protocol", Protocol)
    return "\n".join(parts) + "\n"


def section(title: str, model: type[BaseModel]) -> list[str]:
    """A model's keys as a table."""
    described = docstrings_of_fields(model)
    lines = [
        f"## {title}",
        "",
        first_line(model.__doc__),
        "",
        "| key | type | default | what it is |",
        "|---|---|---|---|",
    ]
    for name, info in model.model_fields.items():
        default = default_of(info)
        what = " ".join(described.get(name, "").replace("``", "`").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {type_of(info.annotation)} | {default} | {what} |")
    return [*lines, ""]


def docstrings_of_fields(model: type[BaseModel]) -> dict[str, str]:
    """The strings under the fields of a class and of what it inherits."""
    described: dict[str, str] = {}
    for part in reversed([one for one in model.__mro__ if issubclass(one, BaseModel) and one is not BaseModel]):
        body = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                described[field.target.id] = str(ast.literal_eval(text.value))
    return described


def first_line(text: str | None) -> str:
    """Of a docstring."""
    return (text or "").strip().splitlines()[0].replace("``", "`") if text else ""


def default_of(info: Any) -> str:
    """A field's default in Markdown; empty collections and None are nothing."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    return "" if value in (None, "", (), {}, [], PydanticUndefined) else f"`{value}`"


def type_of(annotation: Any) -> str:
    """A type in Markdown, without the modules of its parts."""
    plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    text = annotation.__name__ if plain else str(annotation)
    text = re.sub(r"\b[\w.]+\.(\w+)", r"\1", text)
    text = re.sub(r"Annotated\[(.+?), [A-Z]\w+\(.*?\)\]", r"\1", text)
    return f"`{text.replace(' | ', ' or ')}`"
