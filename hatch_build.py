"""Build hook: make editable installs see the top-level folders as the package `asasr_bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LINKS = {
    **{folder: folder for folder in ("bench", "methods", "asasr", "datasets", "reports")},
    "__init__.py": "bench/package.py",
}
"""Name in the package to the place in the repository."""


class EditableLinks(BuildHookInterface):  # type: ignore[type-arg]
    """Link what the package consists of under `.dev/asasr_bench/`; wheels map it themselves and need no link."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            return
        package = Path(self.root) / ".dev" / "asasr_bench"
        package.mkdir(parents=True, exist_ok=True)
        for name, place in LINKS.items():
            link = package / name
            if not link.is_symlink():
                link.symlink_to(Path("..", "..", place), target_is_directory=not link.suffix)
