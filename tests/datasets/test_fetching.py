"""Fetching and checking datasets, against a server on this machine that can break off."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets import card as cards
from asasr_bench.datasets.card import DatasetCard, Source, card_ids, listed_files, load_card
from asasr_bench.datasets.errors import DatasetError
from asasr_bench.datasets.fetch import cards as fetching
from asasr_bench.datasets.fetch.cards import fetch, verify
from asasr_bench.datasets.fetch.download import DigestError, DownloadError, download
from PIL import Image


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``, knows ranges, and breaks off after ``limit`` bytes."""

    files: dict[str, bytes]
    limit: int | None = None
    served: list[tuple[str, str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.served.append((self.path, wanted))
        if self.path not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[self.path]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(content) and wanted:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) if self.server.limit is None else start + self.server.limit
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.files, running.served = {}, []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archive_card(url: str, digest: str | None = None, terms: str = "", file: str | None = None) -> DatasetCard:
    source = Source(url=url, sha256=digest, file=file, unpack={"set/HR": "HR"})
    return DatasetCard(
        id="Toy", title="Toy", kind="hq", count=2, licence="CC0", hr="HR", sources=(source,), terms=terms,
        homepage="https://example.org",
    )  # fmt: skip


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    server.files["/big"] = content
    server.limit = 700_000
    with pytest.raises(DownloadError, match="after 700000 of 1280000 bytes"):
        download(f"{server.url}/big", tmp_path / "big", sha256(content))
    assert not (tmp_path / "big").exists()
    assert download(f"{server.url}/big", tmp_path / "big", sha256(content)) == sha256(content)
    assert (tmp_path / "big").read_bytes() == content
    assert server.served == [("/big", None), ("/big", "bytes=700000-")]


def test_a_download_that_lacks_only_its_name_is_not_repeated(server: Server, tmp_path: Path) -> None:
    server.files["/big"] = b"all of it"
    (tmp_path / "big.part").write_bytes(b"all of it")
    assert download(f"{server.url}/big", tmp_path / "big") == sha256(b"all of it")


def test_another_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = b"tampered"
    with pytest.raises(DigestError, match="it should be"):
        download(f"{server.url}/file", tmp_path / "file", sha256(b"original"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_offline_mode_are_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match="404"):
        download(f"{server.url}/none", tmp_path / "none")
    monkeypatch.setenv("ASASR_BENCH_OFFLINE", "1")
    with pytest.raises(DownloadError, match="ASASR_BENCH_OFFLINE"):
        download(f"{server.url}/none", tmp_path / "none")


def test_an_archive_gives_its_images_and_nothing_else(server: Server, tmp_path: Path) -> None:
    content = zipped({
        "set/HR/a.png": png(1), "set/HR/b.png": png(2), "set/HR/notes.txt": b"x", "set/LR/a.png": png(3),
        "../../set/HR/../../evil.png": png(4), "__MACOSX/set/HR/._a.png": b"x",
    })  # fmt: skip
    server.files["/toy.zip"] = content
    done = fetch(archive_card(f"{server.url}/toy.zip", sha256(content)), root=tmp_path / "data")
    assert done.files == 2
    assert done.pinned == ()
    assert sorted(path.name for path in (tmp_path / "data" / "Toy" / "HR").iterdir()) == ["a.png", "b.png"]
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["a.png", "b.png"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["Toy"]


def test_a_tar_file_and_its_links(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("set/HR/b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        item = tarfile.TarInfo("set/HR/a.png")
        item.size = len(png(1))
        archive.addfile(item, io.BytesIO(png(1)))
    server.files["/toy.tar.gz"] = buffer.getvalue()
    assert fetch(archive_card(f"{server.url}/toy.tar.gz"), root=tmp_path).files == 1
    assert [path.name for path in (tmp_path / "Toy" / "HR").iterdir()] == ["a.png"]


def test_an_unpublished_digest_is_noted_and_asked_for(server: Server, tmp_path: Path) -> None:
    server.files["/toy.zip"] = zipped({"set/HR/a.png": png(1)})
    card = archive_card(f"{server.url}/toy.zip")
    assert fetch(card, root=tmp_path).pinned == ("toy.zip",)
    assert fetch(card, root=tmp_path).pinned == ()
    server.files["/toy.zip"] = zipped({"set/HR/a.png": png(9)})
    with pytest.raises(DigestError, match=r"noted at the first download, in .*pins\.json.*remove its line"):
        fetch(card, root=tmp_path)


PAGE = b"\n<!DOCTYPE html><html><body>Sign in to continue</body></html>"


@pytest.mark.parametrize(
    ("bad", "said"),
    [(PAGE, "is a web page"), (zipped({"set/HR/a.png": png(1)})[:-30], "no zip or tar file"),
     (zipped({"set/HR/a.png": png(1)[:-32]}), r"'a\.png' in it damaged or truncated"),
     (zipped({"set/HR/a.png": PAGE}), r"'a\.png' in it is a web page"),
     (zipped({"other/a.png": png(1)}), "has no images in set/HR")],
)  # fmt: skip
def test_what_cannot_be_used_is_no_digest_to_ask_for(bad: bytes, said: str, server: Server, tmp_path: Path) -> None:
    """The first download of a file without a published digest; the next one, a good one, is taken."""
    card = archive_card(f"{server.url}/toy.zip")
    server.files["/toy.zip"] = bad
    with pytest.raises((DatasetError, DownloadError), match=said):
        fetch(card, root=tmp_path)
    assert not (tmp_path / "pins.json").exists()
    assert not list(tmp_path.rglob("*.*"))
    server.files["/toy.zip"] = zipped({"set/HR/a.png": png(1)})
    assert (fetch(card, root=tmp_path).pinned, [path.name for path in tmp_path.rglob("*.png")]) == (
        ("toy.zip",), ["a.png"])  # fmt: skip


def test_a_page_in_the_place_of_a_listed_image(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(None, "one.png", "HR/1.png")]
    monkeypatch.setattr(fetching, "listed_files", lambda id: rows)
    card = DatasetCard(id="Toy", title="", kind="hq", count=1, licence="", sources=(Source(url=server.url, list=True),))
    server.files["/one.png"] = PAGE
    with pytest.raises(DownloadError, match=r"one\.png: is a web page"):
        fetch(card, root=tmp_path)
    server.files["/one.png"] = png(1)
    assert fetch(card, root=tmp_path).pinned == ("one.png",)


def test_a_folder_of_files_in_place_of_the_network(tmp_path: Path) -> None:
    content = zipped({"set/HR/a.png": png(1), "set/HR/b.png": png(2)})
    card = archive_card("http://127.0.0.1:9/download?id=1", sha256(content), file="toy.zip")
    with pytest.raises(DatasetError, match=r"no file toy\.zip"):
        fetch(card, source=tmp_path, root=tmp_path / "data")
    (tmp_path / "toy.zip").write_bytes(content)
    assert fetch(card, source=tmp_path, root=tmp_path / "data").files == 2
    assert (tmp_path / "toy.zip").exists()
    (tmp_path / "toy.zip").write_bytes(content[:-1])
    with pytest.raises(DigestError):
        fetch(card, source=tmp_path, root=tmp_path / "data")


def test_a_damaged_archive_and_a_wrong_one(server: Server, tmp_path: Path) -> None:
    server.files["/toy.zip"] = b"not an archive"
    with pytest.raises(DatasetError, match="no zip or tar"):
        fetch(archive_card(f"{server.url}/toy.zip"), root=tmp_path)
    server.files["/other.zip"] = zipped({"other/a.png": png(1)})
    with pytest.raises(DatasetError, match="no images in set/HR"):
        fetch(archive_card(f"{server.url}/other.zip"), root=tmp_path)


def test_terms_are_accepted_by_the_user(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--accept"):
        fetch(archive_card("http://127.0.0.1:9/toy.zip", terms="Be kind."), root=tmp_path)
    with pytest.raises(DatasetError, match="by hand"):
        fetch(load_card("RealLQ250"), root=tmp_path)
    with pytest.raises(DatasetError, match="built in"):
        fetch(load_card("demo-photos"), root=tmp_path)


def test_a_list_of_files_is_fetched_once_and_verified(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(sha256(png(1)), "one.png", "HR/1.png"), (None, "two.png", "HR/2.png")]
    monkeypatch.setattr(cards, "listed_files", lambda id: rows)
    monkeypatch.setattr(fetching, "listed_files", lambda id: rows)
    card = DatasetCard(id="Toy", title="", kind="hq", count=2, licence="", sources=(Source(url=server.url, list=True),))
    server.files.update({"/one.png": png(1), "/two.png": png(2)})
    assert verify(card, tmp_path).problems
    done = fetch(card, root=tmp_path)
    assert (done.files, done.pinned) == (2, ("two.png",))
    assert fetch(card, root=tmp_path).files == 0
    first, second = verify(card, tmp_path), verify(card, tmp_path)
    assert (first.published, first.noted, first.new, first.problems) == (1, 0, 1, ())
    assert (second.published, second.noted, second.new, second.problems) == (1, 1, 0, ())
    (tmp_path / "Toy" / "HR" / "1.png").write_bytes(png(5))
    (tmp_path / "Toy" / "HR" / "2.png").unlink()
    (tmp_path / "Toy" / "HR" / "3.png").write_bytes(png(5))
    problems = "\n".join(verify(card, tmp_path).problems)
    assert "HR/2.png: missing" in problems
    assert "HR/1.png: its SHA-256 is not the published one" in problems
    assert "not there before: HR/3.png" in problems


@pytest.mark.parametrize("id", card_ids())
def test_every_card_says_where_its_files_come_from(id: str) -> None:
    card = load_card(id)
    assert card.licence
    assert card.builder or card.homepage
    assert bool(card.builder) + bool(card.sources) + bool(card.get) == 1
    for source in card.sources:
        assert source.url.startswith("https://")
        assert bool(source.list) != bool(source.unpack)
        if source.list:
            rows = listed_files(id)
            assert len(rows) == card.count * (2 if card.kind == "paired" else 1)
            assert len({place for _, _, place in rows}) == len(rows)
            assert {place.split("/")[0] for _, _, place in rows} == {card.hr, card.lq} - {None}
            assert all(digest is None or len(bytes.fromhex(digest)) == 32 for digest, _, _ in rows)


@pytest.mark.parametrize(
    ("id", "folders"),
    [("Set5", {"HR": "Set5/HR"}), ("Set14", {"HR": "Set14/HR"}), ("BSD100", {"HR": "BSD100/HR"}),
     ("RealSRSet", {"LQ": "RealSRSet/LQ"}), ("OldFilm", {"LQ": "OldFilm/frames"}),
     ("RealSR-512", {"test_HR": "RealSR_512/test_HR", "test_LR": "RealSR_512/test_LR"})],
)  # fmt: skip
def test_published_digests_are_those_of_real_files(
    id: str, folders: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    for place, folder in folders.items():
        (tmp_path / id / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / id / place).mkdir()
        for path in (shared / "data" / folder).iterdir():
            (tmp_path / id / place / path.name).write_bytes(path.read_bytes())
    result = verify(load_card(id), tmp_path)
    assert result.problems == ()
    assert result.published == result.files == len(listed_files(id))
