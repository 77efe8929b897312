"""The built wheel holds everything and works outside the tree."""

from __future__ import annotations

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
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("bench/store/schema.sql", "bench/specs/demo.yaml", "datasets/cards/Set5.yaml", "methods/registry.py",
                 "reports/templates/page.html.j2", "datasets/drawn/text.py"):  # fmt: skip
        assert f"asasr_bench/{name}" in names
    assert "asasr_bench/datasets/__init__.py" not in names  # it would shadow Hugging Face datasets
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
    script = f"import sys; sys.path.insert(0, {site!r}); import asasr_bench.bench as b; print(b.__file__)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert found.stdout.startswith(site)


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
