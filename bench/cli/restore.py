"""``restore``: one image or a folder through one method, without a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(restore)


def restore(
    method: Annotated[str, typer.Argument(help="Method id, weight file or module:object.")],
    source: Annotated[Path, typer.Argument(help="LQ image, or a folder of them.")],
    target: Annotated[Path, typer.Argument(help="SR image (PNG), or a folder for them.")],
    scale: Annotated[int, typer.Option(help="Scale.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of a seeded method.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Restore images and write them as PNG."""
    from ...datasets.dataset import image_files
    from ...datasets.images import read_image, write_png
    from ...methods.errors import MethodReferenceError
    from ...methods.protocol import Method, PixelMethod
    from ...methods.registry import resolve
    from ..restoring import restore_image, torch_device

    entry = resolve(method)
    if entry.interface not in ("tensor", "pixels"):
        raise MethodReferenceError(f"'{method}' restores no single images; use it in 'run'")
    place = torch_device(device) if entry.interface == "tensor" else "cpu"
    loaded = entry.load(place)
    assert isinstance(loaded, Method | PixelMethod)
    if source.is_dir():
        work = [(path, target / f"{stem}.png") for stem, path in image_files(source).items()]
    else:
        work = [(source, target)]
    for lq, sr in work:
        write_png(sr, restore_image(loaded, read_image(lq), scale, seed, place))
        typer.echo(sr)
