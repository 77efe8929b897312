"""Recipes for methods with code of their own: data, dry runs, and runs of a stand-in clone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MethodError, MethodReferenceError, MissingWeightsError, UnknownMethodError
from asasr_bench.methods.interface import Interface
from asasr_bench.methods.programs.recipes import load_recipe, recipe_ids
from asasr_bench.methods.registry import REGISTRY, resolve

PUBLISHED = {"ASASR", "AdcSR", "CCSR", "DP2O-SR", "DiT4SR", "DiffBIR", "DreamClear", "FaithDiff", "GDPO-SR", "HYPIR",
             "InvSR", "LucidFlux", "OSEDiff", "PASD", "PiSA-SR", "ResShift", "S3Diff", "SUPIR", "SeeSR", "SinSR",
             "StableSR", "TSD-SR"}  # fmt: skip


def make_clone(folder: Path, id: str, program: str = "") -> Path:
    """What a recipe needs of a clone, with ``program`` in place of each script."""
    recipe = load_recipe(id)
    for path in recipe.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    for command in recipe.commands:
        for argument in shlex.split(command):
            if argument.endswith(".py"):
                (folder / argument).parent.mkdir(parents=True, exist_ok=True)
                (folder / argument).write_text(program)
    return folder


def test_every_baseline_of_the_paper_has_a_recipe() -> None:
    assert {id.removeprefix("recipe:") for id in recipe_ids()} == PUBLISHED


@pytest.mark.parametrize("id", recipe_ids())
def test_a_recipe_says_what_it_needs_and_is_ready_with_it(id: str, tmp_path: Path) -> None:
    assert id in REGISTRY.names()
    recipe = load_recipe(id)
    assert recipe.repository.startswith("https://github.com/")
    assert len(recipe.commit) in (0, 40)
    assert recipe.licence
    joined = " ".join(recipe.commands)
    assert all(name in joined for name in ("{python}", "{lq}", "{out}"))
    assert ("{seed}" in joined) == recipe.seeded == (not REGISTRY.get(id).card.deterministic)
    with pytest.raises(MissingWeightsError, match=f"clone {recipe.repository}"):
        resolve(id)
    with pytest.raises(MissingWeightsError, match="no folder"):
        resolve(f"{id}@{tmp_path / 'none'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingWeightsError, match=r"has no .*\.py.* is missing"):
        resolve({"id": id, "folder": str(tmp_path / "empty")})
    make_clone(tmp_path / "clone", id)
    entry = resolve({"name": "theirs", "id": id, "folder": str(tmp_path / "clone"), "python": sys.executable})
    assert entry.card.id == "theirs"
    assert entry.origin == id
    assert entry.interface == Interface.FOLDER


RESTORE = """
import pathlib, sys
from PIL import Image
given = dict(zip(sys.argv[1:], sys.argv[2:]))
assert given["--seed"] == "5" and given["--upscale"] == "4", given
out = pathlib.Path(given["--output_dir"], "sample00")
out.mkdir(parents=True)
for path in pathlib.Path(given["--image_path"]).iterdir():
    image = Image.open(path)
    image.resize((4 * image.width, 4 * image.height), Image.NEAREST).save(out / path.name)
"""


def folders(tmp_path: Path, size: int = 8) -> tuple[Path, Path]:
    for name in ("a", "b.c"):
        write_png(tmp_path / "lq" / f"{name}.png", np.full((size, size, 3), 77, np.uint8))
    (tmp_path / "sr").mkdir()
    return tmp_path / "lq", tmp_path / "sr"


def method_of(clone: Path, id: str, **more: object):
    return resolve({"id": id, "folder": str(clone), "python": sys.executable, **more}).load("cpu")


def test_a_clone_runs_and_its_images_are_collected(tmp_path: Path) -> None:
    lq, sr = folders(tmp_path)
    method_of(make_clone(tmp_path / "SeeSR", "recipe:SeeSR", RESTORE), "recipe:SeeSR").restore_folder(lq, sr, 4, 5)
    assert sorted(path.name for path in sr.iterdir()) == ["a.png", "b.c.png"]
    assert read_image(sr / "a.png").shape == (32, 32, 3)


def test_a_clone_that_fails_or_writes_nothing_is_named(tmp_path: Path) -> None:
    lq, sr = folders(tmp_path)
    fails = make_clone(tmp_path / "fails", "recipe:SeeSR", "raise SystemExit('no GPU here')")
    with pytest.raises(MethodError, match=r"SeeSR: exit status 1.*no GPU here"):
        method_of(fails, "recipe:SeeSR").restore_folder(lq, sr, 4, 5)
    silent = make_clone(tmp_path / "silent", "recipe:SeeSR")
    with pytest.raises(MethodError, match=r"SeeSR: wrote no sample00/a\.png"):
        method_of(silent, "recipe:SeeSR").restore_folder(lq, sr, 4, 5)


def test_sizes_that_its_code_would_distort_are_refused(tmp_path: Path) -> None:
    lq, sr = folders(tmp_path)
    clone = make_clone(tmp_path / "ASASR", "recipe:ASASR")
    with pytest.raises(MethodError, match=r"128x128 pixels alone, a\.png is 8x8"):
        method_of(clone, "recipe:ASASR").restore_folder(lq, sr, 4, 0)


def test_a_dry_run_checks_and_prints_and_runs_nothing(tmp_path: Path, command) -> None:
    lq, _ = folders(tmp_path)
    clone = make_clone(tmp_path / "SeeSR", "recipe:SeeSR", "raise SystemExit('it ran')")
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    said = command("restore", f"recipe:SeeSR@{clone}", lq, "out", "--seed", 5, "--dry-run").stdout
    assert f"{python} test_seesr.py --pretrained_model_path preset/models/stable-diffusion-2-base" in said
    assert f"--image_path {lq} --output_dir OUT" in said
    assert "--seed 5" in said
    assert "the clone is at an unknown commit, the recipe is for 628bb3705d4c" in said
    assert not (tmp_path / "out").exists()
    (clone / "preset" / "models" / "DAPE.pth").unlink()
    wrong = command("restore", f"recipe:SeeSR@{clone}", lq, "out", "--dry-run", status=3).stderr
    assert "DAPE.pth is missing (linked from the README" in wrong
    (clone / "test_seesr.py").write_text(RESTORE)
    (clone / "preset" / "models" / "DAPE.pth").touch()
    command("restore", f"recipe:SeeSR@{clone}", lq, "out", "--seed", 5)
    assert read_image(tmp_path / "out" / "b.c.png").shape == (32, 32, 3)


def test_restore_takes_of_a_program_what_a_run_takes(tmp_path: Path, session) -> None:
    """An output of another size is no output; the finished ones are written."""
    lq, _ = folders(tmp_path)
    first = sorted(path.stem for path in lq.iterdir())[0]
    wrong = f"Image.new('RGB', (8, 8)).save(out / '{first}.png')\n"
    clone = make_clone(tmp_path / "SeeSR", "recipe:SeeSR", RESTORE + wrong)
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    told = session("restore", f"recipe:SeeSR@{clone}", lq, tmp_path / "out", "--seed", 5)
    assert told.status == 3
    assert f"of {len(list(lq.iterdir()))} images have no output ({first}): {first}.png is 8x8 pixels" in told.err
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {path.stem for path in lq.iterdir()} - {first}


def test_the_commit_of_a_clone_is_part_of_its_identity(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", "recipe:SeeSR")
    reference = {"id": "recipe:SeeSR", "folder": str(clone), "python": sys.executable}
    before = resolve(reference).settings["commit"]
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", "-C", str(clone), *arguments], check=True)
    after = str(resolve(reference).settings["commit"])
    assert before == ""
    assert len(after) == 40


def test_wrong_references_are_named() -> None:
    with pytest.raises(UnknownMethodError, match="did you mean 'recipe:SeeSR'"):
        resolve("recipe:SeSR")
    with pytest.raises(MethodReferenceError, match="'python' goes with"):
        resolve({"id": "bicubic", "python": "python3"})


S3DIFF = """
import pathlib, sys
from PIL import Image
assert sys.argv[1] == "--num_processes=1" and sys.argv[2] == "src/inference_s3diff.py", sys.argv
given = dict(zip(sys.argv[3::2], sys.argv[4::2]))
import yaml
config = yaml.safe_load(pathlib.Path(given["--base_config"]).read_text())
assert config["sf"] == 4 and config["validation"]["io_backend"]["type"] == "disk"
for path in pathlib.Path(config["validation"]["lr_path"]).iterdir():
    image = Image.open(path)
    image.resize((4 * image.width, 4 * image.height)).save(pathlib.Path(given["--output_dir"], path.name))
"""


def test_s3diff_gets_its_folder_by_a_file_that_the_recipe_writes(tmp_path: Path) -> None:
    """Its code reads the folder of LQ from YAML alone."""
    lq, sr = folders(tmp_path)
    clone = make_clone(tmp_path / "S3Diff", "recipe:S3Diff")
    (clone / "accelerate" / "commands").mkdir(parents=True)  # what is found first is the clone's own folder
    for folder in (clone / "accelerate", clone / "accelerate" / "commands"):
        (folder / "__init__.py").touch()
    (clone / "accelerate" / "commands" / "launch.py").write_text(S3DIFF)
    method_of(clone, "recipe:S3Diff").restore_folder(lq, sr, 4, 5)
    assert sorted(path.name for path in sr.iterdir()) == ["a.png", "b.c.png"]
