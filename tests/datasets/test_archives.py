"""Archives from elsewhere: what is in them lands in the set's folder or nowhere."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from asasr_bench.datasets.card import DatasetCard, Source
from asasr_bench.datasets.errors import DatasetError
from asasr_bench.datasets.fetch import archives
from asasr_bench.datasets.fetch.cards import fetch
from asasr_bench.datasets.fetch.download import DownloadError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import read_or_refused

URL = "https://host/toy.zip"
CARD = DatasetCard(
    id="Toy", title="", kind="hq", count=1, licence="", hr="HR", sources=(Source(url=URL, unpack={"HR": "HR"}),)
)


def _png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


PIXEL = _png(7)


def _zip(path: Path, *members: tuple[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


def _tar(path: Path, *members: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(PIXEL[: member.size]))


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def _outside(root: Path) -> list[str]:
    """Files that are neither in the set's folder nor what fetch keeps beside it."""
    kept = {"toy.zip", "pins.json"}
    files = (path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    return sorted(
        str(path.relative_to(root)) for path in files
        if path.name not in kept and not path.relative_to(root).as_posix().startswith("data/Toy/HR/")
    )  # fmt: skip


def test_names_that_climb_end_in_the_folder(tmp_path: Path) -> None:
    _zip(tmp_path / "toy.zip", ("../../HR/a.png", PIXEL), ("/HR/b.png", PIXEL), ("x/../HR/c.png", PIXEL))
    assert fetch(CARD, source=tmp_path, root=tmp_path / "data").files == 3
    assert sorted(path.name for path in (tmp_path / "data/Toy/HR").iterdir()) == ["a.png", "b.png", "c.png"]
    assert _outside(tmp_path) == []


@pytest.mark.parametrize("name", ["HR/a\\..\\evil.png", "HR/a\nb.png", "HR/\x1b[2J.png"])
def test_names_that_are_no_file_names_are_refused(name: str, tmp_path: Path) -> None:
    _tar(tmp_path / "toy.zip", _member(name, size=4))
    with pytest.raises(DatasetError, match=r"toy\.zip: holds .* and this name") as error:
        fetch(CARD, source=tmp_path, root=tmp_path / "data")
    assert str(error.value).isprintable()
    assert _outside(tmp_path) == []


def test_links_are_not_followed_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    links = (_member(f"HR/{kind!r}.png", kind, str(tmp_path / "secret.png"))
             for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE))  # fmt: skip
    _tar(tmp_path / "toy.zip", *links, _member("HR/real.png", size=len(PIXEL)))
    assert fetch(CARD, source=tmp_path, root=tmp_path / "data").files == 1
    assert [path.name for path in (tmp_path / "data/Toy/HR").iterdir()] == ["real.png"]


def test_symbolic_links_in_zip_files_are_not_images(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("HR/link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "toy.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("HR/real.png", PIXEL)
    assert fetch(CARD, source=tmp_path, root=tmp_path / "data").files == 1


def test_a_member_that_claims_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LARGEST", 1000)
    _zip(tmp_path / "toy.zip", ("HR/bomb.png", b"\0" * 100_000))
    with pytest.raises(DatasetError, match="claims 100000 bytes, more than an image has"):
        fetch(CARD, source=tmp_path, root=tmp_path / "data")
    assert _outside(tmp_path) == []


def test_encrypted_and_unknown_compressions_are_told(tmp_path: Path) -> None:
    _zip(tmp_path / "toy.zip", ("HR/a.png", b"1"))
    content = bytearray((tmp_path / "toy.zip").read_bytes())
    central = content.index(b"PK\x01\x02")
    for at, value, said in ((central + 8, 1, "encrypted"), (central + 10, 97, "compression")):
        broken = bytearray(content)
        struct.pack_into("<H", broken, at, value)
        if said == "compression":
            struct.pack_into("<H", broken, 8, value)
        (tmp_path / "toy.zip").write_bytes(broken)
        with pytest.raises(DatasetError, match=rf"toy\.zip: damaged, or no zip or tar file \(.*{said}"):
            fetch(CARD, source=tmp_path, root=tmp_path / said)


def test_the_sum_of_an_archive_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten members of a megabyte of zeros take ten kilobytes; each alone would be an image."""
    monkeypatch.setattr(archives, "_FREE", 2**21)
    _zip(tmp_path / "toy.zip", *((f"HR/{number}.png", b"\0" * 2**20) for number in range(10)))
    with pytest.raises(DatasetError, match=r"toy\.zip: unpacks to more than \d+ bytes"):
        fetch(CARD, source=tmp_path, root=tmp_path / "data")
    assert _outside(tmp_path) == []
    assert not list((tmp_path / "data").rglob("*.png"))


def test_images_of_one_name_from_several_folders(tmp_path: Path) -> None:
    """Different ones are refused, none overwrites another; the same image twice is no matter."""
    _zip(tmp_path / "toy.zip", ("x/HR/a.png", _png(1)), ("y/HR/a.png", _png(1)), ("y/HR/b.png", _png(2)))
    assert fetch(CARD, source=tmp_path, root=tmp_path / "same").files == 2
    _zip(tmp_path / "toy.zip", ("x/HR/a.png", _png(1)), ("y/HR/a.png", _png(2)))
    with pytest.raises(DatasetError, match=r"holds different images 'x/HR/a\.png' and 'y/HR/a\.png'.*HR/a\.png"):
        fetch(CARD, source=tmp_path, root=tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.png"))


@pytest.mark.parametrize("content", ["[1]", "{", "[" * 100_000])
def test_damaged_notes_of_digests_are_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text(content)
    _zip(tmp_path / "toy.zip", ("HR/a.png", b"1"))
    with pytest.raises(DownloadError, match=r"pins\.json: damaged"):
        fetch(CARD, source=tmp_path, root=tmp_path)


def _archives() -> list[bytes]:
    made = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as archive:
            archive.addfile(_member("HR/a.png", size=len(PIXEL)), io.BytesIO(PIXEL))
        made.append(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("HR/a.png", PIXEL)
    return [*made, buffer.getvalue()]


_ARCHIVES = _archives()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_archives_are_unpacked_or_refused_by_name(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(data.draw(st.sampled_from(_ARCHIVES)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "toy.zip").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    (tmp_path / "pins.json").unlink(missing_ok=True)
    with read_or_refused(DatasetError, "toy.zip"):
        fetch(CARD, source=tmp_path, root=tmp_path)
