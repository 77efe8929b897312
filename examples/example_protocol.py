"""A protocol of your own: the conventions under which scores are computed."""

from __future__ import annotations

from asasr_bench.bench.protocols import Protocol

EXAMPLE_PROTOCOL = Protocol(
    name="example_protocol",
    version=1,
    summary="Studio-range Y, not rounded, shaved by 6 pixels",
    shave=6,
)
