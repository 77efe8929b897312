"""The gallery of the documentation: its pictures are those of its list, and no kind is forgotten."""

from __future__ import annotations

from pathlib import Path

from asasr_bench.bench.publish.figures.options import KINDS, parse_options
from asasr_bench.bench.spec import load_spec
from asasr_bench.datasets.strict import read_yaml

DOCS = Path(__file__).parents[3] / "docs"
FOLDER = DOCS / "gallery"


def test_every_picture_is_one_of_the_list_and_on_the_page() -> None:
    path = FOLDER / "figures.yaml"
    content = read_yaml(path.read_text(encoding="utf-8"), path, ValueError)
    entries = [parse_options(entry, "gallery") for entry in content["figures"]]
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    names = {f"{entry.name}.png" for entry in entries}
    assert {file.name for file in FOLDER.glob("*.png")} == names
    assert all(f"](gallery/{name})" in page for name in names)
    assert all(f"`{kind}`" in page for kind in KINDS)
    assert sum(file.stat().st_size for file in FOLDER.glob("*.png")) < 800_000


def test_the_spec_of_its_store_has_the_methods_that_it_shows() -> None:
    spec = load_spec(FOLDER / "spec.yaml")
    path = FOLDER / "figures.yaml"
    content = read_yaml(path.read_text(encoding="utf-8"), path, ValueError)
    shown = {name for entry in content["figures"] for name in entry.get("methods", ())}
    known = {method if isinstance(method, str) else method["name"] for method in spec.methods}
    assert shown <= known
