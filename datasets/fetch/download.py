"""Download a file: resumed where it broke off, checked against its digest before it gets its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import BenchError
from ..images import file_digest

Tell = Callable[[str, int, int], None]
"""Receives the file's name, bytes so far, and bytes in all (0: unknown)."""

_CHUNK = 1 << 20
_TIMEOUT = 60
OFFLINE = "ASASR_BENCH_OFFLINE"


class DownloadError(BenchError, ValueError):
    """A file that cannot be had; the message names it, the cause and the remedy."""


class DigestError(DownloadError):
    """A file whose content is not what it should be."""


def download(url: str, target: Path, sha256: str | None = None, tell: Tell | None = None) -> str:
    """Get ``url`` into ``target`` and return its SHA-256 (hex).

    ``sha256`` is the digest in full, or its published beginning. What has come so far waits in ``target`` + ``.part``;
    a later call goes on from there.

    Raises:
        DownloadError: offline by wish or by fate, or a web page came where nobody published a digest.
        DigestError: the content has another digest than ``sha256``; it is removed.
    """
    import urllib.error  # with urllib.request and its HTTP and TLS, for those who download

    if os.environ.get(OFFLINE):
        raise DownloadError(f"{url}: not fetched, {OFFLINE} is set; get the file elsewhere, or unset it")
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _receive(url, part, tell)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server says {error.code} {error.reason}") from None
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(f"{url}: {reason}; what has come is kept, run the same command to go on") from None
    digest = file_digest(part)
    if not digest.startswith(sha256 or ""):
        part.unlink()
        raise DigestError(
            f"{url}: its SHA-256 is {digest}, it should be {sha256}; the file was changed or damaged on its way and is"
            " not used"
        )
    if sha256 is None and (problem := web_page(part)):
        part.unlink()
        raise DownloadError(f"{url}: {problem}")
    part.replace(target)
    return digest


def web_page(path: Path) -> str:
    """What to say of a web page that came in the place of a file; '' if it is none."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head.startswith((b"<!doctype html", b"<html")):
        return ""
    return "is a web page: the server asks for something first, or the file has moved; look at the page that offers it"


def _receive(url: str, part: Path, tell: Tell | None) -> None:
    import urllib.error
    import urllib.request

    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "asasr-bench"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and done:  # all of it is here, or more than there is: the digest tells
            return
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        done = file.tell()
        total = done + int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            if tell is not None:
                tell(part.name.removesuffix(".part"), done, total)
    if total and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
