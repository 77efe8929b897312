"""``init``: write a working example of a user's own method, metric or dataset, with its test."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .terminal import say

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Kind(StrEnum):
    """Kinds of examples."""

    METHOD = "method"
    METRIC = "metric"
    DATASET = "dataset"


class InitError(UsageError, ValueError):
    """The name is not a name of Python, or the file exists already."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    kind: Annotated[Kind, typer.Argument(help="What you want to write.")],
    name: Annotated[str, typer.Argument(help="Its name, such as my_method.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: the name.")] = None,
) -> None:
    """Write a working method, metric or dataset, with its test."""
    module = name.replace("-", "_")
    if not module.isidentifier() or not module.isascii():
        raise InitError(f"name '{ascii(name)[1:-1]}': letters, digits and _ alone, no digit first, such as my_{kind}")
    folder = out or Path(module)
    target = folder / f"{module}.py"
    if target.exists():
        raise InitError(f"{target} exists already; choose another name, or --out")
    folder.mkdir(parents=True, exist_ok=True)
    for example in (f"example_{kind}.py", f"test_example_{kind}.py"):
        file = folder / example.replace(f"example_{kind}", module)
        file.write_text(renamed((_EXAMPLES / example).read_text(encoding="utf-8"), kind, module), encoding="utf-8")
        say(str(file))
    attribute = module if kind == Kind.DATASET else class_name(module)
    say(f"try it:   asasr-bench run demo --{kind} {target if target.is_absolute() else f'./{target}'}:{attribute}")
    say(f"test it:  pytest {folder}")


def class_name(module: str) -> str:
    """``my_method`` as Python writes classes: ``MyMethod``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split("_+", module)) or module


def renamed(text: str, kind: str, module: str) -> str:
    """The text of an example with other names of its module, class and title."""
    words = module.replace("_", " ").strip().capitalize() or module
    return (
        text.replace(f"example_{kind}", module)
        .replace(f"Example{kind.capitalize()}", class_name(module))
        .replace(f"Example {kind}", words)
    )
