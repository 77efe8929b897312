"""Identity of an external program, as far as files show it: its code, and the files that it is declared to read."""

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
"""Programs that run another program: their own file does not identify what is computed."""
_ELSEWHERE = frozenset({"docker", "podman", "apptainer", "singularity", "ssh", "kubectl", "curl", "wget"})
"""Programs that run code outside this machine's files."""


@dataclass(frozen=True)
class ProgramIdentity:
    """What is known about a program. Paths are no part of it."""

    arguments: tuple[object, ...]
    """Arguments of its command line, without the paths of files."""
    code: str
    """SHA-256 of its code."""
    weights: str
    """SHA-256 of the files that it is declared to read; '' if there are none."""
    incomplete: str
    """What is unknown, as a note for tables; '' if nothing is."""


def program_identity(
    name: str, command: str, cwd: Path | None, env: Mapping[str, str], files: Sequence[str] | None
) -> ProgramIdentity:
    """Identify what a command line runs.

    Its code is the files that the command line names, the modules that named scripts import from their own folder, and
    all Python files below ``cwd``.

    Args:
        name: name of the method, for errors.
        command: the command line.
        cwd: folder in which it runs; None: the current folder, whose files do not count as its code.
        env: environment variables of the program; ``PATH`` finds the executable.
        files: all other files and folders that the program reads; None: not declared.

    Raises:
        MissingWeightsError: one of ``files`` is missing.
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
                scripts = script_files(path) if path.suffix == ".py" else {"": path}
                code |= {f"argument {number} {script_name}": digest_of(file) for script_name, file in scripts.items()}
        else:
            arguments.append(word)
            if path is not None and path.resolve() != folder.resolve() and files is None:
                unknown.append(f"folder '{word}' is not among its 'files'")
    if words and Path(words[0]).name in _ELSEWHERE:
        unknown.append(f"what '{Path(words[0]).name}' runs is in no file here")
    if cwd is not None:
        folder_files = python_files(cwd)
        if len(folder_files) > MOST_FILES:
            unknown.append(f"its folder has more than {MOST_FILES:,} Python files")
        else:
            code |= {f"folder {path_in_folder}": digest_of(path) for path_in_folder, path in folder_files.items()}
    if not code and not unknown:
        unknown.append("its command line names no file of its code, and it has no 'cwd'")
    if files is None:
        unknown.append("it does not declare the files that it reads ('files: []' says that there are none)")
    weights = declared_digest(name, {path: Path(path) for path in files or ()})
    return ProgramIdentity(
        tuple(arguments),
        _digest(code),
        weights,
        f"identity incomplete: {'; '.join(dict.fromkeys(unknown))}" if unknown else "",
    )


def _file(word: str, folder: Path, env: Mapping[str, str] | None) -> Path | None:
    """The file or folder that a word of a command line names, or None. With ``env`` the word is the program itself."""
    if not word or "{" in word or word.startswith("-"):
        return None
    if env is not None and "/" not in word:
        executable = shutil.which(word, path=env.get("PATH"))
        return None if executable is None else Path(executable)
    path = folder / word
    try:
        return path if path.exists() else None
    except (OSError, ValueError):  # a text that cannot be a file's name
        return None


def declared_digest(name: str, files: Mapping[str, Path]) -> str:
    """SHA-256 over files and whole folders, each read once in a process; '' if there are none.

    Args:
        name: name of the method, for errors.
        files: name to path.

    Raises:
        MissingWeightsError: a file is missing.
    """
    for path in files.values():
        if not path.exists():
            raise MissingWeightsError(name, f"{name}: {path} of its 'files' is missing; get it, or correct the path")
    return _digest([content_digest(path) for path in files.values()]) if files else ""


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder that are not hidden."""
    if not path.is_dir():
        blob = path.resolve().name
        return blob if path.is_symlink() and re.fullmatch(f"[0-9a-f]{{{_HUB_NAME}}}", blob) else digest_of(path)
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    return _digest([[name, content_digest(file)] for name, file in files if not f"/{name}".count("/.")])


def python_files(folder: Path) -> dict[str, Path]:
    """Python files below a folder; in a git repository without the ignored ones."""
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py")
    if listed:
        names = [name for name in dict.fromkeys(listed.split("\0")) if name and (folder / name).is_file()]
        return {name: folder / name for name in names}
    return {path.relative_to(folder).as_posix(): path for path in code_below(folder)}


def changed_files(clone: Path) -> dict[str, str]:
    """Files of a clone that differ from its commit, with their digests; '' for a deleted file.

    Untracked files count if they are Python files. Without git, all Python files count.
    """
    if not (clone / ".git").exists():  # git would answer for an enclosing repository
        return {name: digest_of(path) for name, path in python_files(clone).items()}
    changed = git(clone, "diff", "--name-only", "--relative", "-z", "HEAD")
    new = git(clone, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py")
    if changed is None or new is None:
        return {name: digest_of(path) for name, path in python_files(clone).items()}
    names = sorted(name for name in f"{changed}{new}".split("\0") if name)
    return {name: digest_of(clone / name) if (clone / name).is_file() else "" for name in names}


def git(clone: Path, *arguments: str) -> str | None:
    """Output of a git command in a clone; None if the folder is no clone, or git is missing or fails."""
    if not any((folder / ".git").exists() for folder in (clone, *clone.absolute().parents)):
        return None
    command = ["git", "-C", str(clone), "--no-optional-locks", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
