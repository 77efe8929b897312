"""Build hook: make editable installs see the top-level folders as the package `asasr_bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("bench", "methods", "asasr", "datasets", "reports")


class EditableLinks(BuildHookInterface):  # type: ignore[type-arg]
    """Link each folder under `.dev/asasr_bench/`; wheels map the folders themselves and need no link."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            return
        package = Path(self.root) / ".dev" / "asasr_bench"
        package.mkdir(parents=True, exist_ok=True)
        for folder in FOLDERS:
            link = package / folder
            if not link.is_symlink():
                link.symlink_to(Path("..") / ".." / folder, target_is_directory=True)
