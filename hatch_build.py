"""Build hooks: editable installs see the folders as `asasr_bench`; the index gets a README without dead links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

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


class ReadmeOfTheIndex(MetadataHookInterface):
    """README.md where its folder is not: links to files become their words, pictures of files go."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", text)
        text = re.sub(r"\[([^\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
