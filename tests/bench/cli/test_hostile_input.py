"""What a user or somebody else's file can do to the command line and to a store: an error that names it, or nothing."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.spec import SpecError, parse_spec
from asasr_bench.bench.store.images import DamagedObjectError, Objects
from asasr_bench.bench.store.merge import merge_stores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from refusals import read_or_refused

_KEYS = st.sampled_from(
    ["name", "protocol", "scale", "datasets", "methods", "metrics", "seeds", "workers", "truth", "crop", "hr", "lq"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["asasr", "psnr_y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150)
@given(st.dictionaries(_KEYS | st.text(max_size=3), _VALUES, max_size=8).map(json.dumps) | st.text(max_size=60))
def test_any_text_is_a_spec_or_refused_by_name(text: str) -> None:
    with read_or_refused(SpecError, "my.yaml"):
        parse_spec(text, origin="my.yaml", base=Path("/base"))


@pytest.mark.parametrize("name", ["../../up", "a/b", "..", "", "a\\nb", "x\\e[2J"])
def test_a_spec_cannot_choose_a_folder_elsewhere(name: str) -> None:
    with pytest.raises(SpecError, match="'name'"):
        parse_spec(f'{{name: "{name}", protocol: asasr, metrics: [psnr_y]}}', origin="x")


def test_a_store_cannot_lead_to_other_files(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    objects = Objects(tmp_path / "store" / "objects")
    for digest in ("../../secret", "/etc/passwd", "ab", "A" * 64, "0" * 63 + "\n"):
        with pytest.raises(DamagedObjectError, match="is no digest"):
            objects.get(digest)


def test_planes_in_a_store_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    digest = Objects(tmp_path).put(np.zeros((4, 4)))
    objects = Objects(tmp_path)  # another process: what was put is not in its memory
    path = objects.path(digest)
    assert path is not None
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (1_000_000, 1_000_000)}
    )
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DamagedObjectError, match="1000000x1000000 pixels are more than the limit"):
        objects.get(digest)
    for content in (b"", b"\x93NUMPY", path.read_bytes()[:40], b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(DamagedObjectError, match=path.name):
            objects.get(digest)


def test_merging_takes_images_alone_and_follows_no_links(make_store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    one, other = make_store(tmp_path / "a"), make_store(tmp_path / "b", datasets=("E",))
    (tmp_path / "secret").write_text("secret")
    (one / "objects" / "stray.sh").write_text("echo")
    (one / "objects" / "ab").mkdir(exist_ok=True)
    link = one / "objects" / "ab" / f"{'ab' * 32}.png"
    link.symlink_to(tmp_path / "secret")
    merge_stores([one, other], tmp_path / "out")
    names = [path.name for path in (tmp_path / "out" / "objects").rglob("*") if path.is_file() or path.is_symlink()]
    assert names
    assert link.name not in names
    assert "stray.sh" not in names


ODD = ("[red]", "a b", "日本", "q'\"<&>", "n" * 120)
RUN = ("run", "classic-x4", "--metric", "psnr_y", "--store", "s")


def test_odd_names_run_and_are_reported(session: Callable[..., Any], photo: NDArray[np.uint8], tmp_path: Path) -> None:
    (tmp_path / "HR").mkdir()
    for name in ODD:
        Image.fromarray(photo[:64, :64]).save(tmp_path / "HR" / f"{name}.png")
    assert session(*RUN, "--dataset", "[bold]D[/]=HR", "--method", "[red]=bicubic").status == 0
    for arguments in (("report", "s"), ("export", "s", "--per-image", "x.csv"), ("leaderboard", "s", "--out", "o")):
        assert session(*arguments).status == 0
    assert "[bold]D[/]" in session("status", "s").out
    with sqlite3.connect(tmp_path / "s" / "store.sqlite") as store:
        assert {row[0] for row in store.execute("SELECT image FROM outputs")} == set(ODD)


def test_wrong_arguments_are_told(session: Callable[..., Any], tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    (tmp_path / "w.pth").write_bytes(b"abc")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "store.sqlite").write_text("x")
    for arguments, status, said in (
        (("restore", "bicubic", "a.png", "o.jpg"), 2, "are written as PNG"),
        (("restore", "bicubic", "none.png", "o.png"), 2, "no such image or folder"),
        (("restore", "bicubic", "a.png", "a.png/o.png"), 3, "a.png: File exists"),
        (("restore", "w.pth", "a.png", "o.png"), 3, "w.pth: damaged or no weight file"),
        (("restore", "os:system", "a.png", "o.png"), 3, "cannot be made (TypeError"),
        (("export", "other", "--per-image", "x.csv"), 3, "other/store.sqlite: is no store that 'run' wrote"),
        ((*RUN, "--dataset", "D=other", "--log", "a.png/l"), 3, "a.png: File exists"),
    ):
        result = session(*arguments)
        assert (result.status, said in " ".join(result.err.split())) == (status, True), result.err
    (tmp_path / "folder.png").mkdir()
    assert "folder.png: Is a directory" in session("restore", "bicubic", "a.png", "folder.png").err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: (root / "HR" / "x.png").write_bytes(b"no image"), "x.png: not an image"),
        (lambda root: (root / "HR" / "bad\x1b[2J.png").write_bytes(b""), "cannot be printed"),
        (lambda root: (root / "HR" / "loop.png").symlink_to("loop.png"), "is a link to loop.png, which leads"),
        (lambda root: (root / "HR").rmdir() or (root / "HR").symlink_to("HR"), "no such folder"),
        (lambda root: None, "no images here"),
        (lambda root: (root / "s").write_text("a file"), "s: cannot open the store"),
    ],
)
def test_folders_that_cannot_be_used_are_told(
    make: Callable[[Path], object], said: str, session: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "HR").mkdir()
    make(tmp_path)
    if said.startswith("s:"):
        Image.new("L", (32, 32)).save(tmp_path / "HR" / "a.png")
    result = session(*RUN, "--dataset", "D=HR", "--method", "bicubic", "--no-report")
    assert result.status == 3
    assert said in result.err
