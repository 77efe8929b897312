"""``restore``: one image or a folder through one method, without a store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.progress import stage_progress
from .options.scale import scale_option
from .terminal import say

if TYPE_CHECKING:
    from ...methods.entry import MethodEntry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(restore)


def restore(
    method: Annotated[str, typer.Argument(help="Method id, weight file, recipe:NAME@CLONE or module:object.")],
    source: Annotated[Path, typer.Argument(help="LQ image, or a folder of them.")],
    target: Annotated[Path, typer.Argument(help="SR image (PNG), or a folder for them.")],
    scale: Annotated[float, scale_option("Scale, such as 4 or 1.5.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of a seeded method.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Images of one size that a network restores together.")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a sampler.")] = None,
    tile: Annotated[int | None, typer.Option(min=1, help="Side of a tile in LQ pixels.")] = None,
    tiles: Annotated[int | None, typer.Option(min=1, help="Tiles of an image that go together.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, no (float32), bf16, fp16.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Text of a text-to-image backbone.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="Encoded prompt: no text encoder is loaded.")] = None,
    guidance: Annotated[float | None, typer.Option(min=0, help="Guidance by the text.")] = None,
    offload: Annotated[str | None, typer.Option(help="no, model, layers: what waits in the main memory.")] = None,
    quantize: Annotated[str | None, typer.Option(help="no, int8, nf4: weights, by bitsandbytes.")] = None,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network; pays in long series.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, say what would be done, stop.")] = False,
) -> None:
    """Restore images and write them as PNG. A method refuses options that it does not have."""
    from ...datasets.dataset import image_files
    from ...methods.errors import MethodReferenceError
    from ...methods.interface import Interface
    from ...methods.options import with_options
    from ...methods.reference import parse_reference
    from ...methods.registry import resolve

    settings = {
        "steps": steps,
        "tile": tile,
        "tiles": tiles,
        "precision": precision,
        "prompt": prompt,
        "prompt-file": None if prompt_file is None else str(prompt_file),
        "guidance": guidance,
        "offload": offload,
        "quantize": quantize,
        "compile": compile or None,
    }
    settings_given = {name: value for name, value in settings.items() if value is not None}
    entry = resolve(with_options(parse_reference(method), settings_given))
    if entry.interface == Interface.FINISHED:
        raise MethodReferenceError(f"'{method}' restores no single images; use it in 'run'")
    if not source.exists():
        raise typer.BadParameter(f"{source}: no such image or folder", param_hint="SOURCE")
    if batch > 1 and entry.interface != Interface.TENSOR:
        raise MethodReferenceError(f"--batch: '{method}' is no network that restores several images together")
    if source.is_file() and target.suffix.lower() != ".png":
        raise typer.BadParameter(f"{target}: SR images are written as PNG; give NAME.png", param_hint="TARGET")
    work = {source.stem: source} if source.is_file() else image_files(source)
    targets = {stem: target / f"{stem}.png" if source.is_dir() else target for stem in work}
    if dry_run:
        _tell(entry, source, work, targets, scale, seed)
    else:
        _restore(entry, work, targets, scale, seed, device, batch)


def _restore(
    entry: MethodEntry,
    work: dict[str, Path],
    targets: dict[str, Path],
    scale: float,
    seed: int,
    device: str,
    batch: int,
) -> None:
    """Restore image by image or in batches, or give an external program a folder of PNG files, as a run does.

    What a program finished before it failed is written; all else ends at the first image that cannot be restored.

    Raises:
        MethodError: some images have no output.
    """
    from ...datasets.images import read_image, write_png
    from ...methods.errors import MethodError
    from ...methods.interface import Interface, TellsSteps
    from ..execute.restore_batches import Batches
    from ..execute.restore_image import LqImage, torch_device
    from ..execute.restore_images import or_raise, restore_images
    from ..failures import Failure

    place = torch_device(device) if entry.interface == Interface.TENSOR else "cpu"
    images = [LqImage(stem, partial(read_image, path)) for stem, path in work.items()]
    loaded = entry.load(place)
    outcomes = restore_images(loaded, entry.card.id, images, scale, seed, place, batches=Batches(batch, None))
    together = entry.interface == Interface.FOLDER
    failures: dict[str, str] = {}
    with stage_progress() as progress:
        if isinstance(loaded, TellsSteps):
            loaded.tell = lambda step, steps: progress("steps", step, steps)
        for number, stem in enumerate(work):
            progress(f"restoring {len(work)} images" if together else "restoring", number, 0 if together else len(work))
            outcome = next(outcomes)
            if together and isinstance(outcome, Failure):
                failures[stem] = outcome.message
            else:
                write_png(targets[stem], or_raise(outcome).pixels)
                say(targets[stem])
    if failures:
        reasons = "; ".join(dict.fromkeys(failures.values()))
        raise MethodError(f"{len(failures)} of {len(work)} images have no output ({', '.join(failures)}): {reasons}")


def _tell(
    entry: MethodEntry, source: Path, work: dict[str, Path], targets: dict[str, Path], scale: float, seed: int
) -> None:
    """Say what would be done; an external program's command lines as a shell would take them."""
    import shlex

    from ...methods.interface import Interface
    from ...methods.programs.command import ExternalCommand
    from ...methods.programs.recipes import RecipeMethod

    ends = list(targets.values())
    more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
    say(f"{entry.card.id}: {len(work)} images at scale {scale}, seed {seed}, to {ends[0]}{more}")
    method = entry.load("cpu") if entry.interface == Interface.FOLDER else None
    if isinstance(method, RecipeMethod):
        recipe = method.recipe
        commit = entry.settings["commit"]
        if recipe.commit and commit != recipe.commit:
            say(f"  the clone is at {str(commit)[:12] or 'an unknown commit'}, the recipe is for {recipe.commit[:12]}")
        say(f"  in {method.clone}:")
        for arguments in method.commands(source, Path("OUT"), Path("WORK"), scale, seed):
            say(f"    {shlex.join(arguments)}")
        say(f"  then takes OUT/{recipe.writes.format(image='IMAGE')} of each image")
    elif isinstance(method, ExternalCommand):
        say(f"  {method.command}")
