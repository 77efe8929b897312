"""Download a file: resumed after an interruption, and checked against its digest before it gets its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import BenchError
from ..images import file_digest

Tell = Callable[[str, int, int], None]
"""Progress callback: called with the file's name, the bytes so far and the total number of bytes (0: unknown)."""

_CHUNK = 1 << 20
_TIMEOUT = 60
OFFLINE = "ASASR_BENCH_OFFLINE"


class DownloadError(BenchError, ValueError):
    """A file that cannot be downloaded; the message names it, the cause and the remedy."""


class DigestError(DownloadError):
    """A downloaded file that has another digest than expected."""


def download(url: str, target: Path, sha256: str | None = None, tell: Tell | None = None) -> str:
    """Download a file. An interrupted download stays in ``target`` + ``.part``, and a later call resumes it.

    Args:
        url: address of the file.
        target: where to write it; it gets this name only after its digest was checked.
        sha256: expected SHA-256 in hex, or its published beginning; None: unknown.
        tell: progress callback.

    Returns:
        SHA-256 of the file in hex.

    Raises:
        DownloadError: ASASR_BENCH_OFFLINE is set, the server cannot be reached, or it sends a web page in place of a
            file without a known digest.
        DigestError: the file has another digest than ``sha256``; it is removed.
    """
    import urllib.error  # with urllib.request and its HTTP and TLS, for those who download

    if os.environ.get(OFFLINE):
        raise DownloadError(f"{url}: not fetched, {OFFLINE} is set; get the file elsewhere, or unset it")
    partial_file = target.with_name(f"{target.name}.part")
    partial_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _receive(url, partial_file, tell)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server says {error.code} {error.reason}") from None
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(f"{url}: {reason}; what has come is kept, run the same command to go on") from None
    digest = file_digest(partial_file)
    if not digest.startswith(sha256 or ""):
        partial_file.unlink()
        raise DigestError(
            f"{url}: its SHA-256 is {digest}, it should be {sha256}; the file was changed or damaged on its way and is"
            " not used"
        )
    if sha256 is None and (problem := web_page(partial_file)):
        partial_file.unlink()
        raise DownloadError(f"{url}: {problem}")
    partial_file.replace(target)
    return digest


def web_page(path: Path) -> str:
    """Explanation for a file that is in fact a web page; '' if it is not."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head.startswith((b"<!doctype html", b"<html")):
        return ""
    return "is a web page: the server asks for something first, or the file has moved; look at the page that offers it"


def _receive(url: str, partial_file: Path, tell: Tell | None) -> None:
    import urllib.error
    import urllib.request

    received = partial_file.stat().st_size if partial_file.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "asasr-bench"})
    if received:
        request.add_header("Range", f"bytes={received}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and received:  # the file is complete or too long; its digest decides
            return
        raise
    with response, partial_file.open("ab" if response.status == 206 else "wb") as file:
        received = file.tell()
        total = received + int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            received += len(chunk)
            if tell is not None:
                tell(partial_file.name.removesuffix(".part"), received, total)
    if total and received < total:
        raise OSError(f"the connection ended after {received} of {total} bytes")
