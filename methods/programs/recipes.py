"""Recipes: how to run a user's clone of a published repository over a folder of images.

The repository's code is never imported; it runs in its own environment, by the commands that its authors published.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ...datasets.names import did_you_mean
from ...datasets.strict import Strict, read_yaml, validated
from ..entry import MethodEntry
from ..errors import MethodError, MissingWeightsError, UnknownMethodError
from ..interface import AnyMethod, Interface, MethodCard
from .command import filled, run_program
from .program_files import changed_files, declared_digest, git

PREFIX = "recipe:"
_SUFFIX = ".yaml"


class Recipe(Strict):
    """The repository of a published method and how to run it."""

    summary: str
    family: Literal["diffusion", "flow"]
    paper: str
    repository: str
    commit: str = ""
    """Commit of which the commands are known to be valid; ``''``: unknown."""
    licence: str
    environment: str
    prepare: str = ""
    """What the user must do once, besides getting the files."""
    files: dict[str, str]
    """Path in the clone to where the user gets the file."""
    commands: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Run in the clone one after the other; ``{python} {lq} {out} {work} {scale} {seed}`` are filled in."""
    writes: str
    """Path below ``{out}`` of the image restored from ``{image}.png``."""
    lq_size: Annotated[tuple[int, int], Field(strict=False)] | None = None
    """The only height and width of LQ images that the code accepts at scale 4; None: any."""
    steps: int
    seeded: bool = False
    """Whether its command takes a seed."""


@dataclass(frozen=True)
class RecipeMethod:
    """A ``FolderMethod`` that runs a recipe in a clone."""

    card: MethodCard
    recipe: Recipe
    clone: Path
    python: str
    timeout: float
    env: Mapping[str, str] = field(default_factory=dict)

    def commands(self, lq_dir: Path, out: Path, work: Path, scale: float, seed: int) -> list[list[str]]:
        """The command lines, each as a list of arguments.

        Args:
            lq_dir: folder of LQ images.
            out: folder for the program's outputs.
            work: folder for temporary files.
            scale: size of SR relative to LQ.
            seed: seed of the run.
        """
        values = {
            "python": self.python,
            "lq": str(lq_dir.absolute()),
            "out": str(out),
            "work": str(work),
            "scale": str(scale),
            "seed": str(seed),
        }
        return [filled(command, values) for command in self.recipe.commands]

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: float, seed: int) -> int | None:
        """See ``FolderMethod``.

        Raises:
            MethodError: a file is missing in the clone, an image has a size that the code does not accept, a command
                fails, or an image was not written.
        """
        reasons = problems(self.recipe, self.clone, self.python)
        if reasons:
            raise MethodError(f"{self.card.id}: {'; '.join(reasons)}")
        images = sorted(lq_dir.glob("*.png"))
        for image in images:
            self._check_size(image)
        peaks = []
        with tempfile.TemporaryDirectory(prefix="asasr-bench-recipe-") as name:
            out, work = Path(name, "out"), Path(name, "work")
            out.mkdir()
            work.mkdir()
            try:
                for arguments in self.commands(lq_dir, out, work, scale, seed):
                    peaks.append(run_program(self.card.id, arguments, self.timeout, self.clone, self.env))
            finally:  # images that were finished before a failure count
                missing = self._collect(out, sr_dir, images)
            if missing:
                raise MethodError(f"{self.card.id}: wrote no {missing[0]}" + _and_more(missing[1:]))
        known_peaks = [peak for peak in peaks if peak is not None]
        return max(known_peaks, default=None)

    def _collect(self, out: Path, sr_dir: Path, images: list[Path]) -> list[str]:
        """Copy the images that were written, and return the paths of those that were not."""
        missing = []
        for image in images:
            output = out / self.recipe.writes.format(image=image.stem)
            if output.is_file():
                shutil.copyfile(output, sr_dir / f"{image.stem}{output.suffix}")
            else:
                missing.append(str(output.relative_to(out)))
        return missing

    def _check_size(self, image: Path) -> None:
        from ...datasets.images import opened_image

        if self.recipe.lq_size is not None:
            with opened_image(image) as opened:
                width, height = opened.size
            lq_size = self.recipe.lq_size
            if (height, width) != lq_size:
                raise MethodError(
                    f"{self.card.id}: its code restores LQ images of {lq_size[1]}x{lq_size[0]} pixels alone,"
                    f" {image.name} is {width}x{height}; leave the set out"
                )


def _and_more(names: list[str]) -> str:
    return f", nor {len(names)} more" if names else ""


def recipe_ids() -> tuple[str, ...]:
    """Ids of all recipes, with the prefix."""
    names = (item.name for item in files(__package__).joinpath("recipe_files").iterdir() if item.name.endswith(_SUFFIX))
    return tuple(sorted((PREFIX + name.removesuffix(_SUFFIX) for name in names), key=str.lower))


def load_recipe(id: str) -> Recipe:
    """The recipe of this id.

    Raises:
        UnknownMethodError: no recipe has this id; the message names the nearest id.
    """
    if id not in recipe_ids():
        raise UnknownMethodError(f"unknown recipe '{id}'{did_you_mean(id, recipe_ids())}")
    text = files(__package__).joinpath("recipe_files", id.removeprefix(PREFIX) + _SUFFIX).read_text(encoding="utf-8")
    return validated(Recipe, read_yaml(text, id, MethodError), id, MethodError)


def recipe_card(id: str) -> MethodCard:
    """Card of a recipe's method."""
    recipe = load_recipe(id)
    return MethodCard(
        id.removeprefix(PREFIX),
        recipe.family,
        recipe.summary,
        (4,),
        deterministic=not recipe.seeded,
        paper=recipe.paper,
        code=f"{recipe.repository} {recipe.commit}".rstrip(),
        licence=recipe.licence,
        weights=tuple(recipe.files),
        steps=recipe.steps,
    )


def how_to_get(id: str) -> str:
    """Instructions for a user without a clone."""
    recipe = load_recipe(id)
    at = f", check out {recipe.commit[:12]}" if recipe.commit else ""
    file_sources = "; ".join(
        f"{path}: {source}" for path, source in recipe.files.items() if source != "part of the repository"
    )
    return (
        f"{id}: clone {recipe.repository}{at}, make its environment ({recipe.environment}), get its files"
        f" ({'; '.join(text for text in (file_sources, recipe.prepare) if text)}) and name the clone: {id}@CLONE"
    )


def interpreter(clone: Path, python: str | None) -> str:
    """The Python that runs a clone: ``python`` if given, else its ``.venv``, else the first ``python`` on the path."""
    environment_python = clone / ".venv" / "bin" / "python"
    return python or (str(environment_python.absolute()) if environment_python.exists() else "python")


def problems(recipe: Recipe, clone: Path, python: str) -> list[str]:
    """Everything that is missing for a run, each with its remedy. Runs no code of the clone."""
    if not clone.is_dir():
        return [f"no folder {clone}; clone {recipe.repository} there"]
    missing = []
    if shutil.which(python) is None:
        missing.append(f"no interpreter '{python}'; give the 'python' of its environment ({recipe.environment})")
    for script in sorted({script for command in recipe.commands for script in _scripts(command)}):
        if not (clone / script).is_file():
            missing.append(
                f"{clone} has no {script}; is it a clone of {recipe.repository} at {recipe.commit[:12] or 'HEAD'}?"
            )
    for path, source in recipe.files.items():
        if not (clone / path).exists():
            missing.append(f"{clone / path} is missing ({source})")
    return missing


def _scripts(command: str) -> list[str]:
    """Files of the clone that a command line runs."""
    return [argument for argument in shlex.split(command) if argument.endswith(".py")]


def head_of(clone: Path) -> str:
    """The commit that a clone has checked out; '' if git does not know it."""
    if not (clone / ".git").exists():  # git would answer for an enclosing repository
        return ""
    return (git(clone, "rev-parse", "HEAD") or "").strip()


def recipe_entry(
    id: str,
    folder: str | None = None,
    *,
    python: str | None = None,
    timeout: float = 3600.0,
    env: Mapping[str, str] | None = None,
    version: str = "1",
) -> MethodEntry:
    """The method of a recipe, whether or not the user has a complete clone of the repository.

    Args:
        id: ``recipe:NAME``.
        folder: the clone; None: the user named none.
        python: interpreter of the clone's environment; see ``interpreter``.
        timeout: limit of each command in seconds.
        env: environment variables added for its commands.
        version: version of the method, which the user raises after changes that no file shows.

    Raises:
        UnknownMethodError: no recipe has this id.
    """
    recipe, card = load_recipe(id), replace(recipe_card(id), version=version)
    settings: dict[str, object] = {"commands": list(recipe.commands), "env": dict(env or {})}
    if folder is None:
        missing = how_to_get(id)

        def refuse(device: str) -> AnyMethod:
            raise MissingWeightsError(id, missing)

        return MethodEntry(card, Interface.FOLDER, refuse, settings, missing=missing, origin=id)
    clone = Path(folder)
    method = RecipeMethod(card, recipe, clone, interpreter(clone, python), timeout, env or {})
    settings["commit"] = head_of(clone)
    reasons = problems(recipe, clone, method.python)
    if reasons:
        return MethodEntry(
            card, Interface.FOLDER, lambda device: method, settings, missing=f"{id}: {'; '.join(reasons)}", origin=id
        )
    settings["changed"] = changed_files(clone)
    weights = declared_digest(id, {path: clone / path for path in recipe.files})
    return MethodEntry(card, Interface.FOLDER, lambda device: method, settings, weights, origin=id)
