"""The recipe for FLUX: its configurations are ones, and its estimates are what their arithmetic says."""

from __future__ import annotations

import re
import textwrap
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from asasr_bench.asasr.config import AsasrConfig, load_config

PAGE = (Path(__file__).parents[2] / "docs" / "asasr-flux.md").read_text(encoding="utf-8")


def block(start: str) -> Any:
    """The YAML of the indented block that begins so."""
    lines = re.search(rf"^    {start}.*?(?=^\S)", PAGE, re.MULTILINE | re.DOTALL)
    assert lines is not None
    return yaml.safe_load(textwrap.dedent(lines.group()))


def test_the_copy_of_the_published_model_is_a_configuration(tmp_path: Path) -> None:
    """It is the shipped one but for where its files are."""
    (tmp_path / "FLUX.1-dev").mkdir()
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(block("name: flux-local")))
    own = load_config(tmp_path / "model.yaml")
    shipped = AsasrConfig.model_validate(
        yaml.safe_load(files("asasr_bench.asasr").joinpath("shipped", "flux.yaml").read_text())
    )
    placed = {"source", "revision", "adapters"}
    assert own.model.model_dump(exclude=placed) == shipped.model.model_dump(exclude=placed)
    assert own.sampling == shipped.sampling
    assert own.model.source == str(tmp_path / "FLUX.1-dev")
    assert own.model.adapters["dpo"] == str(tmp_path / "dpo_lora" / "adapter_model.safetensors")


def test_the_preset_takes_the_data_of_the_page(tmp_path: Path) -> None:
    preset = yaml.safe_load(files("asasr_bench.asasr").joinpath("presets", "flux-dev.yaml").read_text())
    preset |= block("data:")
    for stage in ("prior", "adversary", "preference"):
        preset[stage]["validate_every"] = 100
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(preset))
    config = load_config(tmp_path / "mine.yaml")
    assert len(config.data.sources) == 2
    assert (config.prior is not None, config.data.held_out) == (True, 8)


def test_estimates_are_the_lines_through_what_was_measured() -> None:
    """Seconds and GiB at 1, 2 and 27 images, and hours of a stage."""
    seconds, memory = {1: 2.34, 2: 3.86, 27: 41.2}, {1: 28.9, 2: 32.8, 27: 130.8}
    for values, told, slack in ((seconds, (0.84, 1.495), 0.04), (memory, (25.0, 3.92), 0.1)):
        slope = (values[27] - values[1]) / 26
        assert slope == pytest.approx(told[1], abs=0.005)
        assert values[1] - slope == pytest.approx(told[0], abs=0.05)
        assert told[0] + 2 * told[1] == pytest.approx(values[2], abs=slack)
    step = 8 * (0.84 + 8 * 1.495)
    assert step == pytest.approx(102, abs=0.5)
    assert 1000 * step / 3600 == pytest.approx(28, abs=0.5)
    supervised = 8 * 8 * 3 * 1.495 / 13
    assert supervised == pytest.approx(22, abs=0.1)
    assert 10_000 * supervised / 3600 == pytest.approx(61, abs=0.5)
    for told in ("56.4 GiB", "12.8 |", "| 102 |", "| 22 | 10,000 | 61 hours", "72 GiB", "18.8"):
        assert told in PAGE
    assert pytest.approx(56.4, abs=0.05) == 25.0 + 3.92 * 8
    assert pytest.approx(72, abs=0.1) == 25.0 + 3.92 * 12
    assert pytest.approx(18.8, abs=0.05) == 0.84 + 12 * 1.495
