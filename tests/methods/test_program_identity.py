"""What identifies external programs: their code and files, and no path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import open_store
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import load_spec
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.errors import MethodReferenceError, MissingWeightsError
from asasr_bench.methods.programs.recipes import load_recipe
from asasr_bench.methods.registry import resolve

INFER = """
import sys, pathlib
from PIL import Image
import core
for file in pathlib.Path(sys.argv[1]).iterdir():
    image = Image.open(file)
    image.resize((4 * image.width, 4 * image.height), core.KIND).save(pathlib.Path(sys.argv[2], file.name))
"""
COMMAND = f"{sys.executable} infer.py {{lq}} {{sr}}"


def repository(folder: Path, kind: str = "BICUBIC") -> Path:
    folder.mkdir(parents=True)
    (folder / "infer.py").write_text(INFER)
    (folder / "core.py").write_text(f"from PIL import Image\nKIND = Image.{kind}\n")
    return folder


def identity(**reference: Any) -> dict[str, object]:
    return resolve(reference).identity("x", 4)


def test_two_repositories_never_give_one_result(tmp_path: Path, photo: np.ndarray) -> None:
    write_png(tmp_path / "hr" / "a.png", np.ascontiguousarray(photo[:64, :64]))
    methods = [
        {"name": name, "command": COMMAND, "cwd": str(repository(tmp_path / name, kind)), "files": []}
        for name, kind in (("A", "BICUBIC"), ("B", "NEAREST"), ("C", "BICUBIC"))
    ]
    values: dict[str, dict[str, float]] = {}
    for store, chosen in (("S", methods), ("S", methods), ("alone", methods[:1]), ("alone", methods)):
        keys = {"methods": chosen, "metrics": ["psnr_y"], "datasets": [f"D={tmp_path / 'hr'}"], "device": "cpu"}
        run(load_spec("classic-x4-float", keys), tmp_path / store)
        with open_store(tmp_path / store) as opened:
            scores = opened.scores()
            assert all(card.incomplete == "" for card in opened.methods().values())
        found = dict(zip(scores["method"], scores["value"], strict=True))
        values.setdefault("first", found)
        assert found.items() <= values["first"].items()
    assert values["first"]["A"] == values["first"]["C"] != values["first"]["B"]


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda at: (at / "infer.py").write_text("pass"), True),
        (lambda at: (at / "core.py").write_text("pass"), True),
        (lambda at: (at / "new" / "x.py").parent.mkdir() or (at / "new" / "x.py").write_text(""), True),
        (lambda at: (at / "net.pth").write_text("other"), True),
        (lambda at: (at / "out.png").write_text("a result"), False),
        (lambda at: (at / "core.py").touch(), False),
    ],
)
@pytest.mark.parametrize("versioned", [False, True])
def test_code_and_declared_files_count(tmp_path: Path, change, matters: bool, versioned: bool) -> None:
    folder = repository(tmp_path / "repo")
    (folder / "net.pth").write_text("weights")
    if versioned:
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True)
    keys = {"command": COMMAND, "cwd": str(folder), "files": [str(folder / "net.pth")]}
    before = identity(**keys)
    change(folder)
    assert (identity(**keys) != before) is matters


def test_ignored_files_of_a_repository_do_not_count(tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("build/\n")
    before = identity(command=COMMAND, cwd=str(folder))
    (folder / "build").mkdir()
    (folder / "build" / "generated.py").write_text("")
    assert identity(command=COMMAND, cwd=str(folder)) == before


def test_paths_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("a", "b"):
        folder = repository(tmp_path / name)
        (folder / "net.pth").write_text("weights")
        command = f"{sys.executable} {folder}/infer.py {{lq}} {{sr}} --weights={folder}/net.pth"
        found.append(identity(command=command, files=[]))
    assert found[0] == found[1]
    (tmp_path / "b" / "core.py").write_text("other")  # what a script imports from beside it
    assert identity(command=command, files=[]) != found[1]
    folder = repository(tmp_path / "c")
    monkeypatch.chdir(folder)
    assert identity(command=COMMAND, cwd=str(folder)) == identity(command=COMMAND, cwd=".")
    assert identity(command=COMMAND, cwd=".") == identity(command=COMMAND, cwd=str(repository(tmp_path / "d")))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cwd": ".", "files": []}, ""),
        ({"files": []}, ""),
        ({"cwd": "."}, "does not declare the files that it reads"),
        ({"command": "docker run sr {lq} {sr}", "files": []}, "what 'docker' runs"),
        ({"command": "python -m basicsr.test {lq} {sr}", "files": []}, "names no file of its code"),
        ({"command": "cp {lq} {sr}", "files": []}, ""),
        ({"command": f"{COMMAND} --models models", "cwd": "."}, "folder 'models' is not among its 'files'"),
        ({"command": f"{COMMAND} --models models", "files": ["models"]}, ""),
    ],
)
def test_what_is_not_known_is_said(tmp_path: Path, monkeypatch, more: dict[str, Any], said: str) -> None:
    monkeypatch.chdir(repository(tmp_path / "repo"))
    Path("models").mkdir()
    found = resolve({"command": COMMAND, **more}).card.incomplete
    assert bool(found) is bool(said)
    assert said in found


def test_missing_and_misplaced_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"none\.pth of its 'files' is missing"):
        resolve({"command": COMMAND, "files": [str(tmp_path / "none.pth")]})
    with pytest.raises(MethodReferenceError, match="'files' goes with 'command'"):
        resolve({"id": "bicubic", "files": ["x"]})


def test_a_recipe_belongs_to_its_commit_changes_and_files(tmp_path: Path) -> None:
    clone = tmp_path / "OSEDiff"
    for path in load_recipe("recipe:OSEDiff").files:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text("weights")
    (clone / "test_osediff.py").write_text("import core")
    (clone / "core.py").write_text("")
    (clone / ".gitignore").write_text("preset/\n")

    def git(*arguments: str) -> None:
        own = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        subprocess.run(["git", "-C", str(clone), *own, *arguments], check=True, capture_output=True)

    def now() -> str:
        return str(identity(id="recipe:OSEDiff", folder=str(clone), python=sys.executable))

    without_git = now()
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "all")
    committed = now()
    (clone / "core.py").write_text("edited = 1")
    edited = now()
    (clone / "core.py").write_text("")
    assert now() == committed
    (clone / "preset/models/osediff.pkl").write_text("others")
    other_weights = now()
    (clone / "preset/models/osediff.pkl").write_text("weights")
    (clone / "preset/models/stable-diffusion-2-1-base").unlink()
    (clone / "preset/models/stable-diffusion-2-1-base").mkdir()
    (clone / "preset/models/stable-diffusion-2-1-base/unet.bin").write_text("1")
    folder = now()
    (clone / "preset/models/stable-diffusion-2-1-base/unet.bin").write_text("2")
    other_folder = now()
    (clone / "new.py").write_text("")
    added = now()
    git("commit", "-qm", "more", "--allow-empty")
    last = now()
    assert len({without_git, committed, edited, other_weights, folder, other_folder, added, last}) == 8
    clone.rename(tmp_path / "moved")
    assert str(identity(id="recipe:OSEDiff", folder=str(tmp_path / "moved"), python=sys.executable)) == last


def test_the_weights_of_a_recipe_are_read_once_in_a_process(tmp_path: Path, monkeypatch) -> None:
    from asasr_bench.datasets.fetch import digests

    clone = tmp_path / "OSEDiff"
    for path in load_recipe("recipe:OSEDiff").files:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(path)
    (clone / "test_osediff.py").write_text("")
    read = []
    digest = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda path: read.append(path) or digest(path))
    for _ in range(3):
        identity(id="recipe:OSEDiff", folder=str(clone), python=sys.executable)
    assert len(read) == len(set(read)) == 5
