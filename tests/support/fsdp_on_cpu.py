"""The command line with FSDP on CPUs: torch can, but accelerate turns it on for accelerators alone."""

from __future__ import annotations

from typing import Any

from accelerate import state
from accelerate.utils import DistributedType
from asasr_bench.bench.cli.main import main

begin = state.AcceleratorState.__init__


def begin_sharded(self: Any, *arguments: Any, **options: Any) -> None:
    begin(self, *arguments, **options)
    plugin = options.get("fsdp_plugin")
    if plugin is not None:
        for shared in (state.PartialState._shared_state, state.AcceleratorState._shared_state):
            shared["distributed_type"] = DistributedType.FSDP
        self.fsdp_plugin = plugin


state.AcceleratorState.__init__ = begin_sharded
main()
