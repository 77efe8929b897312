"""The built wheel holds everything and works outside the tree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_wheel_and_sdist_build_and_the_wheel_runs_elsewhere(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert list((tmp_path / "dist").glob("*.tar.gz"))
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, (tmp_path / "dist").iterdir())],
        capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    (metadata,) = (name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("/METADATA"))
    description = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "asasr-bench run demo" in description
    assert not re.search(r"\]\((?!https?:)", description), "a link that the package index cannot follow"
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("bench/store/schema.sql", "bench/specs/demo.yaml", "datasets/cards/Set5.yaml", "methods/registry.py",
                 "reports/templates/page.html.j2", "reports/templates/page/viewer/view.js", "datasets/drawn/text.py",
                 ):  # fmt: skip
        assert f"asasr_bench/{name}" in names
    assert "asasr_bench/datasets/__init__.py" not in names  # it would shadow Hugging Face datasets
    assert "asasr_bench/bench/package.py" not in names  # it is the package's own __init__.py
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("asasr_bench/__init__.py") == (ROOT / "bench" / "package.py").read_bytes()
    site = str(tmp_path / "site")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    script = (
        f"import sys; sys.path.insert(0, {site!r}); import asasr_bench, asasr_bench.bench as b;"
        "print(b.__file__); asasr_bench.list_metrics"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert found.stdout.startswith(site)


def test_editable_installs_link_the_package(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    hook = build.EditableLinks(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
    hook.initialize("standard", {})
    assert not (tmp_path / ".dev").exists()
    for _ in range(2):  # a second install changes nothing
        hook.initialize("editable", {})
    links = {link.name: link.readlink() for link in (tmp_path / ".dev" / "asasr_bench").iterdir()}
    assert links["__init__.py"] == Path("../../bench/package.py")
    assert {*links} == {"__init__.py", "bench", "methods", "asasr", "datasets", "reports"}
    assert all((ROOT / ".dev" / "asasr_bench" / place).resolve().exists() for place in links.values())


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, asasr_bench.bench.cli.main;"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'PIL', 'torch', 'matplotlib', 'pydantic') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_bench_is_not_imported_by_its_plain_name() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([sys.executable, "-c", "import bench"], cwd=ROOT, check=True, capture_output=True)
