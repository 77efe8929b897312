"""What identifies other people's code: every change that may change pixels, and nothing else."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asasr_bench.methods.errors import MissingWeightsError
from asasr_bench.methods.user_code.loaded_code import ChangedCodeError
from asasr_bench.methods.user_code.objects import CodeError, Identity, identity_of, import_object

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_imports() -> Iterator[None]:
    """Modules and path of before: files of one name in the folders of different tests are different modules."""
    path, names = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - names:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def _forget() -> None:
    """What another process does: import anew."""
    for name, module in list(sys.modules.items()):
        if "pytest-of-" in str(getattr(module, "__file__", "") or ""):
            del sys.modules[name]


def _identity(text: str, *folders: Path, **arguments: object) -> Identity:
    _forget()
    imported = import_object(text, folders)
    return identity_of(imported, arguments)


PACKAGE = {
    "acme/__init__.py": "",
    "acme/net.py": "from . import parts\nclass Net:\n    weight_files = ()\n    def restore(self): return parts.GAIN\n",
    "acme/parts/__init__.py": "from .gain import GAIN\n",
    "acme/parts/gain.py": "GAIN = 1\n",
    "acme/unused.py": "",
}
BESIDE = {
    "net.py": "import helper\nclass Net:\n    weight_files = ()\n    def restore(self): return helper.gain()\n",
    "helper.py": "def gain():\n    from deeper.gain import GAIN\n    return GAIN\n",
    "deeper/gain.py": "GAIN = 1\n",
    "stranger.py": "",
}


@pytest.mark.parametrize(
    ("files", "changed", "reference", "matters"),
    [
        (PACKAGE, "acme/parts/gain.py", "acme.net:Net", True),
        (PACKAGE, "acme/unused.py", "acme.net:Net", True),
        (BESIDE, "net.py", "net:Net", True),
        (BESIDE, "helper.py", "net:Net", True),
        (BESIDE, "deeper/gain.py", "net:Net", True),
        (BESIDE, "stranger.py", "net:Net", False),
        (PACKAGE, "acme/parts/gain.py", "{}/acme/net.py:Net", True),
        (BESIDE, "deeper/gain.py", "{}/net.py:Net", True),
        (BESIDE, "stranger.py", "{}/net.py:Net", False),
    ],
)
def test_every_file_of_the_code_counts(files, changed: str, reference: str, matters: bool, tmp_path, write) -> None:
    for name, text in files.items():
        write(name, text)
    before = _identity(reference.format(tmp_path), tmp_path)
    assert before.incomplete == ""
    write(changed, files[changed] + "MORE = 2\n")
    after = _identity(reference.format(tmp_path), tmp_path)
    assert (after.code != before.code) is matters
    assert _identity(reference.format(tmp_path), tmp_path) == after


@pytest.mark.parametrize("files", [PACKAGE, BESIDE])
def test_a_moved_folder_and_the_way_of_naming_it_do_not_count(files, tmp_path: Path, write: Write) -> None:
    found = set()
    for folder in ("here", "elsewhere"):
        for name, text in files.items():
            write(f"{folder}/{name}", text)
        top = "acme.net" if files is PACKAGE else "net"
        found.add(_identity(f"{top}:Net", tmp_path / folder).code)
        found.add(_identity(f"{tmp_path / folder / top.replace('.', '/')}.py:Net").code)
    assert len(found) == 1


def test_attributes_and_arguments_count(tmp_path: Path, write: Write) -> None:
    write("sharp.py", "class Net:\n    weight_files = ()\n    def __init__(self, gain=1): self.gain = gain\n")
    write("conf.py", "from sharp import Net\nweak = Net(1)\nstrong = Net(2)\ndef make(): return Net()\n")
    names = ("weak", "strong", "make", "Net")
    assert len({_identity(f"conf:{name}", tmp_path).code for name in names}) == 4
    assert _identity("sharp:Net", tmp_path, gain=1).code != _identity("sharp:Net", tmp_path, gain=2).code
    before = [_identity(f"conf:{name}", tmp_path).code for name in names]
    write("sharp.py", (tmp_path / "sharp.py").read_text() + "# edited\n")
    after = [_identity(f"conf:{name}", tmp_path).code for name in names]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_weight_files_are_read(tmp_path: Path, write: Write) -> None:
    weights = write("net.bin", "one")
    source = "class Net:\n    def __init__(self, file): self.weight_files = (file,)\n"
    write("net.py", source)

    def identity(file: Path) -> Identity:
        imported = import_object("net:Net", [tmp_path])
        return identity_of(imported, {"file": str(file)}, imported.value(str(file)))

    before = identity(weights)
    assert before.incomplete == ""
    write("net.bin", "two")
    assert identity(weights).weights != before.weights
    write("net.bin", "one")
    assert identity(weights) == before
    assert identity(write("other/place.bin", "one")) == before  # the path is no part of it
    weights.unlink()
    with pytest.raises(MissingWeightsError, match=r"net\.bin"):
        identity(weights)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Net: pass", "does not declare its weight files"),
        ("class Net:\n    weight_files = ()", ""),
        ("from json import loads as Net", "does not declare"),
        ("import importlib\nclass Net:\n    weight_files = ()\nimportlib.import_module('js' + 'on')", "computed name"),
        ("import importlib\nclass Net:\n    weight_files = ()\nimportlib.import_module('json')", ""),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(source: str, said: str, tmp_path: Path, write: Write) -> None:
    write("net.py", source + "\n")
    found = _identity("net:Net", tmp_path).incomplete
    assert said in found
    assert bool(found) is bool(said)
    assert not said or found.startswith("identity incomplete: ")


def test_code_without_a_file_is_never_complete() -> None:
    assert "not in a file" in identity_of(import_object("sys:exit"), weight_files=()).incomplete


def test_installed_libraries_count_by_version(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from asasr_bench.methods.user_code import code_files

    write("net.py", "import typer, torch\nclass Net:\n    weight_files = ()\n")
    before = _identity("net:Net", tmp_path)
    found = code_files.code_files(import_object("net:Net", [tmp_path]).module)
    assert [*found.files.values()] == [tmp_path / "net.py"]
    assert [*found.libraries] == ["typer"]
    monkeypatch.setattr(code_files, "version", lambda name: "999")
    assert _identity("net:Net", tmp_path).code != before.code


def test_code_changed_after_its_import_is_refused_until_it_is_reloaded(tmp_path: Path, write: Write) -> None:
    write("helper.py", "GAIN = 1\n")
    write("net.py", "from helper import GAIN\nclass Net:\n    weight_files = ()\n    gain = GAIN\n")
    before = identity_of(import_object("net:Net", [tmp_path]))
    write("helper.py", "GAIN = 2222\n")
    with pytest.raises(ChangedCodeError, match=r"helper\.py was changed"):
        identity_of(import_object("net:Net", [tmp_path]))
    importlib.reload(sys.modules["helper"])
    with pytest.raises(ChangedCodeError, match="'net', which uses it"):
        identity_of(import_object("net:Net", [tmp_path]))
    importlib.reload(sys.modules["net"])
    imported = import_object("net:Net", [tmp_path])
    assert imported.value.gain == 2222
    assert identity_of(imported).code != before.code


def test_code_that_was_imported_before_we_looked_is_compared_too(tmp_path: Path, write: Write, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(str(tmp_path))
    write("net.py", "class Net:\n    weight_files = ()\n")
    importlib.import_module("net")
    assert identity_of(import_object("net:Net")).incomplete == ""
    _forget()
    importlib.import_module("net")
    write("net.py", "class Net:\n    weight_files = ()\n    gain = 2\n")
    with pytest.raises(ChangedCodeError, match=r"net\.py was changed"):
        identity_of(import_object("net:Net"))


def test_a_changed_file_given_by_its_path_is_imported_anew(tmp_path: Path, write: Write) -> None:
    file = write("net.py", "from helper import GAIN\nclass Net:\n    weight_files = ()\n    gain = 1\n")
    write("helper.py", "GAIN = 1\n")
    before = identity_of(import_object(f"{file}:Net"))
    write("net.py", "import helper\nclass Net:\n    weight_files = ()\n    gain = 10 + helper.GAIN\n")
    imported = import_object(f"{file}:Net")
    assert imported.value.gain == 11
    assert identity_of(imported).code != before.code
    write("helper.py", "GAIN = 2222\n")
    with pytest.raises(ChangedCodeError, match=r"helper\.py was changed"):
        identity_of(import_object(f"{file}:Net"))
    importlib.reload(sys.modules["helper"])
    assert import_object(f"{file}:Net").value.gain == 2232


def test_two_modules_of_one_name_never_stand_for_each_other(tmp_path: Path, write: Write) -> None:
    for folder, gain in (("a", 1), ("b", 2)):
        write(f"{folder}/net.py", f"class Net:\n    gain = {gain}\n")
        write(f"{folder}/user.py", "from net import Net\n")
    assert import_object(f"{tmp_path}/a/net.py:Net").value.gain == 1
    assert import_object(f"{tmp_path}/b/net.py:Net").value.gain == 2
    assert import_object("net:Net", [tmp_path / "b"]).value.gain == 2
    with pytest.raises(CodeError, match=r"b/net\.py was imported under this name before"):
        import_object("net:Net", [tmp_path / "a"])
    import_object(f"{tmp_path}/a/user.py:Net")
    with pytest.raises(ChangedCodeError, match=r"b/net\.py was imported under this name before"):
        identity_of(import_object(f"{tmp_path}/a/user.py:Net"))


def test_files_beside_hide_installed_modules_as_they_do_for_a_script(tmp_path: Path, write: Write) -> None:
    write("site-packages/shadowed_helper.py", "GAIN = 1\n")
    write("code/shadowed_helper.py", "GAIN = 2\n")
    file = write(
        "code/net.py", "from shadowed_helper import GAIN\nclass Net:\n    weight_files = ()\n    gain = GAIN\n"
    )
    sys.path.insert(0, str(tmp_path / "site-packages"))
    for reference in (f"{file}:Net", "net:Net"):
        imported = import_object(reference, [tmp_path / "code"])
        assert imported.value.gain == 2
        assert identity_of(imported).incomplete == ""
    assert sys.path.index(str(tmp_path / "code")) > sys.path.index(str(tmp_path / "site-packages"))
    _forget()
    assert importlib.import_module("shadowed_helper").GAIN == 1


def test_messages_say_where_was_looked(tmp_path: Path, write: Write) -> None:
    with pytest.raises(CodeError, match=f"{tmp_path}.*installed packages"):
        import_object("no_such_module_at_all:Net", [tmp_path])
    with pytest.raises(CodeError, match="no file"):
        import_object(f"{tmp_path}/none.py:Net")
    write("net.py", "raise SystemExit(0)\n")
    with pytest.raises(CodeError, match="SystemExit"):
        import_object("net:Net", [tmp_path])


def test_a_file_within_a_package_keeps_its_relative_imports(tmp_path: Path, write: Write) -> None:
    write("pkg/__init__.py", "")
    write("pkg/sub/__init__.py", "")
    write("pkg/gain.py", "GAIN = 3\n")
    file = write("pkg/sub/net.py", "from ..gain import GAIN\nclass Net:\n    gain = GAIN\n")
    assert import_object(f"{os.path.relpath(file)}:Net").value.gain == 3


@pytest.mark.parametrize("reference", ["stale:VALUE", "./stale.py:VALUE", "boxes.stale:VALUE"])
def test_code_edited_within_a_second_is_not_run_as_it_was_compiled(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python compares whole seconds and sizes: the edit below changes neither."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / ("boxes/stale.py" if "boxes" in reference else "stale.py")
    source.parent.mkdir(exist_ok=True)
    if "boxes" in reference:
        source.with_name("__init__.py").touch()
    second = 1_700_000_000 * 10**9
    source.write_text("VALUE = 1\n")
    os.utime(source, ns=(second, second))
    compiled = py_compile.compile(str(source))
    os.utime(compiled, ns=(second + 200_000_000,) * 2)
    source.write_text("VALUE = 2\n")
    os.utime(source, ns=(second + 500_000_000,) * 2)
    assert import_object(reference, [tmp_path]).value == 2
