"""What determines what an external program does, as far as files tell: its code, and the files that it is given."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.fetch.digests import digest_of
from ..errors import MissingWeightsError
from ..user_code.code_files import MOST_FILES, code_below, script_files

_HUB_NAME = 64  # the Hub's cache names large files by their SHA-256
_INTERPRETERS = re.compile(
    r"(python|pypy|perl|ruby|node|julia|lua|octave|R|Rscript|bash|sh|dash|zsh|fish|java)[\d.]*"
    r"|env|nice|time|timeout|xvfb-run|conda|mamba|micromamba|uv|uvx|poetry|pixi|accelerate|torchrun|srun"
)
"""Programs that run another: which is not theirs to say."""
_ELSEWHERE = frozenset({"docker", "podman", "apptainer", "singularity", "ssh", "kubectl", "curl", "wget"})
"""Programs that run what is in no file here."""


@dataclass(frozen=True)
class ProgramIdentity:
    """What is known of a program. Paths are no part of it."""

    arguments: tuple[object, ...]
    """Of its command line; instead of a file's path its digest."""
    code: str
    """SHA-256 of its code."""
    weights: str
    """SHA-256 of the files that it is declared to read; '' where there are none."""
    incomplete: str
    """What is not known, for tables."""


def program_identity(
    name: str, command: str, cwd: Path | None, env: Mapping[str, str], files: Sequence[str] | None
) -> ProgramIdentity:
    """What a command line runs: the files that it names, scripts with what they import from beside them, and all Python
    files below its folder.

    Args:
        name: of the method, for errors.
        cwd: folder in which it runs; None: the present one, whose files are not taken for its own.
        files: all other files and folders that it reads; None: nobody said.

    Raises:
        MissingWeightsError: one of ``files`` is not there.
    """
    words = shlex.split(command)
    folder = cwd or Path.cwd()
    code: dict[str, str] = {}
    arguments: list[object] = []
    unknown: list[str] = []
    for number, word in enumerate(words):
        key, equals, value = word.partition("=")
        path = _file(value if equals else word, folder, env if number == 0 else None)
        if path is not None and path.is_file():
            is_interpreter = _INTERPRETERS.fullmatch(path.name) or _INTERPRETERS.fullmatch(Path(word).name)
            arguments.append(f"{key}=" if equals else "")
            if not is_interpreter:
                parts = script_files(path) if path.suffix == ".py" else {"": path}
                code |= {f"argument {number} {part}": digest_of(each) for part, each in parts.items()}
        else:
            arguments.append(word)
            if path is not None and path.resolve() != folder.resolve() and files is None:
                unknown.append(f"folder '{word}' is not among its 'files'")
    if words and Path(words[0]).name in _ELSEWHERE:
        unknown.append(f"what '{Path(words[0]).name}' runs is in no file here")
    if cwd is not None:
        own = python_files(cwd)
        if len(own) > MOST_FILES:
            unknown.append(f"its folder has more than {MOST_FILES:,} Python files")
        else:
            code |= {f"folder {part}": digest_of(path) for part, path in own.items()}
    if not code and not unknown:
        unknown.append("its command line names no file of its code, and it has no 'cwd'")
    if files is None:
        unknown.append("it does not declare the files that it reads ('files: []' says that there are none)")
    weights = declared_digest(name, {path: Path(path) for path in files or ()})
    return ProgramIdentity(
        tuple(arguments), _digest(code), weights,
        f"identity incomplete: {'; '.join(dict.fromkeys(unknown))}" if unknown else "",
    )  # fmt: skip


def _file(word: str, folder: Path, env: Mapping[str, str] | None) -> Path | None:
    """The file or folder that a word of a command line means; None: none. With ``env`` it is the program itself."""
    if not word or "{" in word or word.startswith("-"):
        return None
    if env is not None and "/" not in word:
        found = shutil.which(word, path=env.get("PATH"))
        return None if found is None else Path(found)
    path = folder / word
    try:
        return path if path.exists() else None
    except (OSError, ValueError):  # a text that no file can be called
        return None


def declared_digest(name: str, files: Mapping[str, Path]) -> str:
    """SHA-256 over files and whole folders, each read once in a process; '' if there are none.

    Raises:
        MissingWeightsError: one is not there.
    """
    for path in files.values():
        if not path.exists():
            raise MissingWeightsError(name, f"{name}: {path} of its 'files' is missing; get it, or correct the path")
    return _digest([content_digest(path) for path in files.values()]) if files else ""


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of all files in a folder with their names, without hidden files and folders in it."""
    if not path.is_dir():
        blob = path.resolve().name
        return blob if path.is_symlink() and re.fullmatch(f"[0-9a-f]{{{_HUB_NAME}}}", blob) else digest_of(path)
    inside = sorted((each.relative_to(path).as_posix(), each) for each in path.rglob("*") if each.is_file())
    return _digest([[name, content_digest(each)] for name, each in inside if not f"/{name}".count("/.")])


def python_files(folder: Path) -> dict[str, Path]:
    """Python files below a folder: of a repository those that it does not ignore, else all."""
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py")
    if listed:
        names = [name for name in dict.fromkeys(listed.split("\0")) if name and (folder / name).is_file()]
        return {name: folder / name for name in names}
    return {path.relative_to(folder).as_posix(): path for path in code_below(folder)}


def changed_files(clone: Path) -> dict[str, str]:
    """Files of a repository's clone that are not those of its commit, with their digests; '' for one that is gone.

    Files that git does not know count where they are Python's. Without git, all Python files count.
    """
    if not (clone / ".git").exists():  # git would answer for a repository around it
        return {name: digest_of(path) for name, path in python_files(clone).items()}
    changed = git(clone, "diff", "--name-only", "--relative", "-z", "HEAD")
    new = git(clone, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py")
    if changed is None or new is None:
        return {name: digest_of(path) for name, path in python_files(clone).items()}
    names = sorted(name for name in f"{changed}{new}".split("\0") if name)
    return {name: digest_of(clone / name) if (clone / name).is_file() else "" for name in names}


def git(clone: Path, *arguments: str) -> str | None:
    """What git says of a clone; None where it is none, or git is not there."""
    if not any((folder / ".git").exists() for folder in (clone, *clone.absolute().parents)):
        return None
    command = ["git", "-C", str(clone), "--no-optional-locks", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
