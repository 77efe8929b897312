"""The table of shipped metrics names what their files hold, and asking for one imports no other family."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import asasr_bench.bench.metrics.metric as neighbour
from asasr_bench.bench.metrics.shipped import _FAMILIES, shipped_metrics

ROOM = Path(neighbour.__file__).parent


def test_every_metric_of_every_family_is_in_the_table() -> None:
    files = [file.relative_to(ROOM).with_suffix("") for file in ROOM.rglob("*.py") if "tasks" not in file.parts]
    with_metrics = {
        ".".join(name.parts) for name in files if "\nMETRICS =" in (ROOM / name).with_suffix(".py").read_text()
    }
    assert set(_FAMILIES) == with_metrics
    for family, ids in _FAMILIES.items():
        metrics = import_module(f"asasr_bench.bench.metrics.{family}").METRICS
        assert ids == tuple(metric.id for metric in metrics)
        assert [shipped_metrics()[id] for id in ids] == list(metrics)
    assert len(shipped_metrics()) == len(list(shipped_metrics())) == len(set(shipped_metrics()))


def test_one_metric_imports_its_family_alone() -> None:
    code = (
        "import sys; from asasr_bench.bench.metrics.registry import get_metric; get_metric('psnr_y');"
        "print([name for name in ('torch', 'scipy', 'pandas', 'pyiqa') if name in sys.modules],"
        " [name for name in sys.modules if name.endswith(('.deep_features', '.perceptual', '.spectral'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_a_run_of_bicubic_imports_no_torch(tmp_path: Path, photo) -> None:  # type: ignore[no-untyped-def]
    from asasr_bench.datasets.images import write_png

    write_png(tmp_path / "hr" / "a.png", photo)
    code = (
        "import sys; from asasr_bench.bench.spec import load_spec; from asasr_bench.bench.execute.run import run;"
        "from pathlib import Path;"
        "spec = load_spec('classic-x4', {'datasets': ['D=hr'], 'methods': ['bicubic'], 'metrics': ['psnr_y']});"
        "print(run(spec, Path('store')).measured, 'torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["1", "False", "False"]
