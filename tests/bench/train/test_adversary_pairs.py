"""What an adversary learns to make: outputs of any method, or of folders, each made once."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.asasr.config import AsasrConfig
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.asasr.training.processes import Processes
from asasr_bench.bench.execute import restore_images
from asasr_bench.bench.train.adversary_pairs import teacher_pairs
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.errors import MissingWeightsError

HERE = Processes(poll_seconds=0.01)


@pytest.fixture
def hq(tmp_path: Path, rng: np.random.Generator) -> Path:
    for number in range(6):
        write_png(tmp_path / "hq" / f"photo{number}.png", rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
    return tmp_path / "hq"


def configuration(hq: Path, data: dict[str, Any] | None = None, **adversary: Any) -> AsasrConfig:
    return AsasrConfig.model_validate(
        {
            "name": "tiny",
            "model": {"family": "small"},
            "data": {"hq": [str(hq)], "crop": 16, "degradation": "stablesr-x4", **(data or {})},
            "adversary": {"steps": 1, "learning_rate": 1e-3, "methods": ["bicubic"], "share": 1.0, **adversary},
        }
    )


def count_restored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    restored: list[str] = []
    restore_image = restore_images.restore_image

    def counted(method: Any, *rest: Any) -> Any:
        restored.append(method.card.id)
        return restore_image(method, *rest)

    monkeypatch.setattr(restore_images, "restore_image", counted)
    return restored


def test_outputs_are_made_once_and_named_by_what_determines_them(
    hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored = count_restored(monkeypatch)
    config = configuration(hq, methods=["bicubic", "lanczos"])
    pairs, held_out = teacher_pairs(config, tmp_path / "teachers", HERE)
    assert restored == ["bicubic"] * 6 + ["lanczos"] * 6
    assert held_out == []
    assert len(pairs.files) == 12
    large, small = pairs.draw(3, np.random.default_rng(0))
    assert (large.shape, small.shape) == ((3, 3, 16, 16), (3, 3, 4, 4))
    again, _ = teacher_pairs(config, tmp_path / "teachers", HERE)
    assert again.files == pairs.files
    assert len(restored) == 12  # nothing was made again
    pairs.files[0][0].unlink()  # a stop
    teacher_pairs(config, tmp_path / "teachers", HERE)
    assert len(restored) == 13
    teacher_pairs(configuration(hq, methods=["bicubic"], seed=1), tmp_path / "teachers", HERE)
    assert len(restored) == 19  # other degradations, beside the first
    folders = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "teachers").iterdir())
    assert folders == ["bicubic", "bicubic", "lanczos", "lq", "lq"]
    for folder in (tmp_path / "teachers").glob("bicubic-*"):
        assert json.loads((folder / "recipe.json").read_text())["method"]["origin"] == "bicubic"


def test_processes_share_the_work(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each restores its part, waits for the other's, and sees all pairs."""
    restored = count_restored(monkeypatch)
    seen: dict[int, Any] = {}

    def work(rank: int) -> None:
        seen[rank] = teacher_pairs(configuration(hq), tmp_path / "two", Processes(rank, 2, poll_seconds=0.01))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(restored) == 6
    assert seen[0].pairs.files == seen[1].pairs.files
    alone, _ = teacher_pairs(configuration(hq), tmp_path / "one", HERE)
    for (one, lq), (two, other) in zip(alone.files, seen[0].pairs.files, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert lq.read_bytes() == other.read_bytes()


def test_held_out_images_are_restored_to_validate_on(hq: Path, tmp_path: Path) -> None:
    config = configuration(hq, {"held_out": 2}, validate_every=1, validate_images=2)
    pairs, held_out = teacher_pairs(config, tmp_path / "teachers", HERE)
    assert len(pairs.files) == 4
    trained = {sr.stem for sr, _ in pairs.files}
    assert {image.name.removesuffix("-bicubic") for image in held_out} | trained == {f"photo{n}" for n in range(6)}
    assert {tuple(image.hq.shape) for image in held_out} == {(3, 16, 16)}


def test_finished_folders_are_teachers(hq: Path, tmp_path: Path) -> None:
    """By the names of their own LQ images, or as finished images of our degraded ones."""
    made, _ = teacher_pairs(configuration(hq), tmp_path / "teachers", HERE)
    for sr, lq in made.files:
        write_png(tmp_path / "sr" / sr.name, read_image(sr))
        write_png(tmp_path / "lq" / lq.name, read_image(lq))
    outputs = [{"sr": str(tmp_path / "sr"), "lq": str(tmp_path / "lq")}]
    pairs, _ = teacher_pairs(configuration(hq, methods=[], outputs=outputs), tmp_path / "unused", HERE)
    assert pairs.files == [(tmp_path / "sr" / f"photo{n}.png", tmp_path / "lq" / f"photo{n}.png") for n in range(6)]
    assert not (tmp_path / "unused").exists()
    pairs, _ = teacher_pairs(configuration(hq, methods=[f"predictions:{tmp_path / 'sr'}"]), tmp_path / "t", HERE)
    assert [(sr.parent, sr.stem, lq.stem) for sr, lq in pairs.files] == [
        (tmp_path / "sr", f"photo{n}", f"photo{n}") for n in range(6)
    ]
    kept, held_out = teacher_pairs(
        configuration(hq, {"held_out": 2}, methods=[], outputs=outputs, validate_every=1), tmp_path / "unused", HERE
    )
    assert (len(kept.files), len(held_out)) == (4, 2)


def test_programs_are_teachers(hq: Path, tmp_path: Path) -> None:
    """Any command line of the registry's kind that turns a folder of LQ into one of SR."""
    script = tmp_path / "enlarge.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom PIL import Image\n"
        "for path in Path(sys.argv[1]).glob('*.png'):\n"
        "    image = Image.open(path)\n"
        "    image.resize((4 * image.width, 4 * image.height)).save(Path(sys.argv[2]) / path.name)\n"
    )
    (tmp_path / "method.py").write_text(
        "import subprocess, sys\n"
        "from asasr_bench.methods.interface import MethodCard\n"
        "class Enlarge:\n"
        "    card = MethodCard('enlarge', 'external', 'enlarges')\n"
        "    def restore_folder(self, lq_dir, sr_dir, scale, seed):\n"
        f"        subprocess.run([sys.executable, {str(script)!r}, str(lq_dir), str(sr_dir)], check=True)\n"
    )
    pairs, _ = teacher_pairs(
        configuration(hq, methods=[f"{tmp_path / 'method.py'}:Enlarge"]), tmp_path / "teachers", HERE
    )
    assert len(pairs.files) == 6
    assert {read_image(sr).shape for sr, _ in pairs.files} == {(40, 48, 3)}


def test_what_cannot_teach_is_told(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingConfigError, match="has no teacher"):
        teacher_pairs(configuration(hq, methods=[]), tmp_path, HERE)
    with pytest.raises(TrainingConfigError, match="'hr' restores no images"):
        teacher_pairs(configuration(hq, methods=["hr"]), tmp_path, HERE)
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="realesrgan-x4plus"):
        teacher_pairs(configuration(hq, methods=["realesrgan-x4plus"]), tmp_path, HERE)


def test_presets_name_the_papers_teacher() -> None:
    from asasr_bench.asasr.config import load_config

    for name in ("flux-dev", "sd15", "sdxl"):
        config = load_config(name)
        assert config.adversary is not None
        assert config.adversary.methods == ("realesrgan-x4plus",)
        assert "of its three teachers Real-ESRGAN alone" in config.summary
