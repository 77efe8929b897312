"""The house: which room may import which, lazy imports included, and how much a room holds."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = (
    "datasets", "asasr", "methods", "reports", "bench.protocols", "bench.failures", "bench.env_vars", "bench.metrics",
    "bench.store", "bench.spec", "bench.plan", "bench.execute", "bench.analysis", "bench.publish", "bench.api",
    "bench", "bench.user_study", "bench.train", "bench.drift", "bench.verify", "bench.exchange", "bench.cli",
)  # fmt: skip
"""Each room imports those before it alone."""
ALONE = {"datasets", "reports"}
"""Rooms that import nothing of ours: images and cards come in on one side, tables and pages go out on the other."""


def modules() -> dict[str, Path]:
    """Dotted name to file of every module of the package."""
    files = [
        file for top in ("bench", "methods", "asasr", "datasets", "reports") for file in (ROOT / top).rglob("*.py")
    ]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports() -> set[tuple[str, str]]:
    """Every (importing module, imported module), wherever in its file the import stands."""
    known = modules()
    edges = set()
    for name, file in known.items():
        folder = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            origin = folder[: len(folder) - node.level + 1] + (node.module or "").split(".") * bool(node.module)
            for alias in node.names:
                whole = ".".join([*origin, alias.name])
                target = whole if whole in known else ".".join(origin)
                if target in known and target != name:
                    edges.add((name, target))
    return edges


def room_of(module: str) -> str:
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def test_rooms_import_only_those_before_them() -> None:
    place = {room: number for number, room in enumerate(ROOMS)}
    upward = sorted(
        (importer, imported) for importer, imported in imports() if place[room_of(imported)] > place[room_of(importer)]
    )
    assert upward == []


def test_some_rooms_import_nothing_of_ours() -> None:
    assert [edge for edge in imports() if room_of(edge[0]) in ALONE and room_of(edge[1]) != room_of(edge[0])] == []


def test_no_module_imports_one_that_imports_it() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for importer, imported in imports():
        graph[importer].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle of imports: {' imports '.join(reversed(error.args[1]))}") from None


def test_no_room_is_a_cellar() -> None:
    """Few enough files to be read at a glance; the root of bench has its six."""
    folders: dict[Path, int] = defaultdict(int)
    for file in modules().values():
        folders[file.parent] += 1
    assert folders[ROOT / "bench"] <= 6 + 1  # and its __init__
    assert {folder for folder, files in folders.items() if files > 24} == set()


def test_tests_mirror_the_rooms() -> None:
    for folder in (file.parent for file in (ROOT / "tests").rglob("test_*.py")):
        inside = folder.relative_to(ROOT / "tests")
        assert inside.parts[:1] in ((), ("benchmarks",), ("gpu",)) or (ROOT / inside).is_dir(), (
            f"tests/{inside} tests no room"
        )
