"""Methods with code of their own: how to run a user's clone over a folder of images.

Nothing of that code is imported; it runs in its own environment, by the commands that its authors published.
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
    """One published method's repository and how to run it."""

    summary: str
    family: Literal["diffusion", "flow"]
    paper: str
    repository: str
    commit: str = ""
    """Where the commands were read; ``''``: none could be established."""
    licence: str
    environment: str
    prepare: str = ""
    """What a user does once, beside getting files."""
    files: dict[str, str]
    """Paths in the clone, and where they come from."""
    commands: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Run in the clone one after the other; ``{python} {lq} {out} {work} {scale} {seed}`` are filled in."""
    writes: str
    """Path below ``{out}`` of the image restored from ``{image}.png``."""
    lq_size: Annotated[tuple[int, int], Field(strict=False)] | None = None
    """Height and width of the only LQ images that it restores at scale 4; None: any."""
    steps: int
    seeded: bool = False
    """Its command takes a seed."""


@dataclass(frozen=True)
class RecipeMethod:
    """A ``FolderMethod``: a recipe with a clone."""

    card: MethodCard
    recipe: Recipe
    clone: Path
    python: str
    timeout: float
    env: Mapping[str, str] = field(default_factory=dict)

    def commands(self, lq_dir: Path, out: Path, work: Path, scale: int, seed: int) -> list[list[str]]:
        """The command lines, as lists of arguments."""
        values = {
            "python": self.python,
            "lq": str(lq_dir.absolute()),
            "out": str(out),
            "work": str(work),
            "scale": str(scale),
            "seed": str(seed),
        }
        return [filled(command, values) for command in self.recipe.commands]

    def restore_folder(self, lq_dir: Path, sr_dir: Path, scale: int, seed: int) -> int | None:
        """See ``FolderMethod``.

        Raises:
            MethodError: something is missing in the clone, an image has a size that the method cannot take, a command
                fails, or an image was not written.
        """
        wrong = problems(self.recipe, self.clone, self.python)
        if wrong:
            raise MethodError(f"{self.card.id}: {'; '.join(wrong)}")
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
            finally:  # what was finished before a failure counts
                missing = self._collect(out, sr_dir, images)
            if missing:
                raise MethodError(f"{self.card.id}: wrote no {missing[0]}" + _and_more(missing[1:]))
        known = [peak for peak in peaks if peak is not None]
        return max(known, default=None)

    def _collect(self, out: Path, sr_dir: Path, images: list[Path]) -> list[str]:
        """Copy what was written; the names of what was not."""
        missing = []
        for image in images:
            written = out / self.recipe.writes.format(image=image.stem)
            if written.is_file():
                shutil.copyfile(written, sr_dir / f"{image.stem}{written.suffix}")
            else:
                missing.append(str(written.relative_to(out)))
        return missing

    def _check_size(self, image: Path) -> None:
        from ...datasets.images import opened_image

        if self.recipe.lq_size is not None:
            with opened_image(image) as opened:
                width, height = opened.size
            wanted = self.recipe.lq_size
            if (height, width) != wanted:
                raise MethodError(
                    f"{self.card.id}: its code restores LQ images of {wanted[1]}x{wanted[0]} pixels alone,"
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
        UnknownMethodError: there is none; the message names the nearest.
    """
    if id not in recipe_ids():
        raise UnknownMethodError(f"unknown recipe '{id}'{did_you_mean(id, recipe_ids())}")
    text = files(__package__).joinpath("recipe_files", id.removeprefix(PREFIX) + _SUFFIX).read_text(encoding="utf-8")
    return validated(Recipe, read_yaml(text, id, MethodError), id, MethodError)


def recipe_card(id: str) -> MethodCard:
    """What a report says of a recipe's method."""
    recipe = load_recipe(id)
    return MethodCard(
        id.removeprefix(PREFIX), recipe.family, recipe.summary, (4,), deterministic=not recipe.seeded,
        paper=recipe.paper, code=f"{recipe.repository} {recipe.commit}".rstrip(), licence=recipe.licence,
        weights=tuple(recipe.files), steps=recipe.steps,
    )  # fmt: skip


def how_to_get(id: str) -> str:
    """What a user without a clone is told."""
    recipe = load_recipe(id)
    at = f", check out {recipe.commit[:12]}" if recipe.commit else ""
    wanted = "; ".join(
        f"{path}: {source}" for path, source in recipe.files.items() if source != "part of the repository"
    )
    return (
        f"{id}: clone {recipe.repository}{at}, make its environment ({recipe.environment}), get its files"
        f" ({'; '.join(text for text in (wanted, recipe.prepare) if text)}) and name the clone: {id}@CLONE"
    )


def interpreter(clone: Path, python: str | None) -> str:
    """The Python of a clone's environment: the one given, its ``.venv``, or the first on the path."""
    own = clone / ".venv" / "bin" / "python"
    return python or (str(own.absolute()) if own.exists() else "python")


def problems(recipe: Recipe, clone: Path, python: str) -> list[str]:
    """What is missing for a run, each with its remedy; found without running anything of the clone."""
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
    """The commit that a clone has checked out; '' where git does not say."""
    if not (clone / ".git").exists():  # git would answer for a repository around it
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
    """A recipe, whether or not the user named a clone and whether or not that is whole.

    Raises:
        UnknownMethodError: no recipe has the id.
    """
    recipe, card = load_recipe(id), replace(recipe_card(id), version=version)
    settings: dict[str, object] = {"commands": list(recipe.commands), "env": dict(env or {})}
    if folder is None:
        missing = how_to_get(id)

        def absent(device: str) -> AnyMethod:
            raise MissingWeightsError(id, missing)

        return MethodEntry(card, Interface.FOLDER, absent, settings, missing=missing, origin=id)
    clone = Path(folder)
    method = RecipeMethod(card, recipe, clone, interpreter(clone, python), timeout, env or {})
    settings["commit"] = head_of(clone)
    wrong = problems(recipe, clone, method.python)
    if wrong:
        return MethodEntry(
            card, Interface.FOLDER, lambda device: method, settings, missing=f"{id}: {'; '.join(wrong)}", origin=id
        )
    settings["changed"] = changed_files(clone)
    weights = declared_digest(id, {path: clone / path for path in recipe.files})
    return MethodEntry(card, Interface.FOLDER, lambda device: method, settings, weights, origin=id)
