"""``list`` and ``show``: what there is to choose from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

listing = typer.Typer(no_args_is_help=True, help="List methods, datasets, metrics, protocols or specs.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(listing, name="list")
    app.command()(show)
