"""What ``run`` says at its end."""

from __future__ import annotations

import json

import pytest
from asasr_bench.bench.cli.run import idle_cores
from asasr_bench.bench.spec import Spec, parse_spec


def spec(**more: object) -> Spec:
    content = {
        "name": "s",
        "protocol": "classic-x4",
        "datasets": ["Set5"],
        "methods": ["bicubic"],
        "metrics": ["psnr_y"],
        "device": "cpu",
        **more,
    }
    return parse_spec(json.dumps(content), origin="s")


def test_a_long_run_on_few_cores_tells_the_way_to_more() -> None:
    assert idle_cores(spec(), 300, 8) == "1 of 8 cores computed: --workers 8 is faster, with the same numbers"
    assert "4 of 8 cores computed: --workers 4" in idle_cores(spec(workers=2, threads=2), 300, 8)


@pytest.mark.parametrize(
    ("more", "seconds", "cores"),
    [
        ({}, 5, 8),
        ({"workers": 8}, 300, 8),
        ({"threads": 8}, 300, 8),
        ({}, 300, 1),
        ({"device": "cuda"}, 300, 8),
        ({"executor": "ray"}, 300, 8),
    ],
)
def test_nothing_is_told_where_nothing_is_to_be_gained(more: dict[str, object], seconds: float, cores: int) -> None:
    assert idle_cores(spec(**more), seconds, cores) == ""
