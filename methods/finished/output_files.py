"""Match the files that a program wrote with the LQ images: by exact name, never by similarity."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.dataset import listed
from ...datasets.images import SUFFIXES
from ..errors import MethodError

LOSSY = (
    "is compressed with loss, and values would be those of the compression as well; write PNG, or say 'lossy: true' of"
    " the method to have it measured as it is"
)
_HEADER = 4096


@dataclass(frozen=True)
class OutputFiles:
    """The files that a program wrote into its output folder."""

    by_stem: Mapping[str, Sequence[Path]]
    """Image files by their names without the suffix."""
    other_names: Sequence[str]
    """Relative paths of all other files in the folder."""
    images: Collection[str]
    """Names of the LQ images without the suffix."""
    suffix: str = ""
    """Text that the names of outputs add to the names of the LQ images, such as ``_out``."""
    lossy: bool = False
    """Accept files with lossy compression."""

    def of(self, image: str) -> Path:
        """The file of one image.

        Raises:
            MethodError: there is no such file, more than one, or one with lossy compression.
        """
        stem = image + self.suffix
        files = self.by_stem.get(stem, ())
        if len(files) == 1:
            if not self.lossy and is_lossy(files[0]):
                raise MethodError(f"{files[0].name} {LOSSY}")
            return files[0]
        if files:
            raise MethodError(
                f"wrote {' and '.join(path.name for path in files)} for '{image}'; one file of it must be left"
            )
        raise MethodError(f"wrote no image for '{image}'; {self._instead(stem)}")

    def has(self, image: str) -> bool:
        """Whether a file was written for an image."""
        return image + self.suffix in self.by_stem

    def _instead(self, stem: str) -> str:
        file_names = sorted([path.name for paths in self.by_stem.values() for path in paths] + list(self.other_names))
        if not file_names:
            return "its folder for outputs is empty"
        hint = suffix_hint(self.by_stem, self.images)
        return f"it wrote {listed(file_names)}; expected {stem}.png" + (f"; give suffix: {hint}" if hint else "")


def output_files(folder: Path, images: Collection[str], *, suffix: str = "", lossy: bool = False) -> OutputFiles:
    """List a program's output folder; pipes, broken links and the like are not counted as images.

    Args:
        folder: the output folder.
        images: names of the LQ images without the suffix.
        suffix: text that the names of outputs add to the names of the LQ images.
        lossy: accept files with lossy compression.

    Raises:
        MethodError: the folder cannot be read.
    """
    by_stem: dict[str, list[Path]] = {}
    other_names = []
    try:
        for path in sorted(folder.rglob("*")):
            if path.parent == folder and path.suffix.lower() in SUFFIXES and path.is_file():
                by_stem.setdefault(path.stem, []).append(path)
            elif not path.is_dir():
                other_names.append(str(path.relative_to(folder)))
        folder.stat()
    except OSError as error:
        raise MethodError(
            f"its folder for outputs cannot be read ({error.strerror}); it must leave that alone"
        ) from None
    return OutputFiles(by_stem, other_names, images, suffix, lossy)


def suffix_hint(stems: Collection[str], images: Collection[str]) -> str:
    """The one text that, added to every image's name, gives a name in ``stems``; '' if no text or several do."""
    first = next(iter(images), None)
    if first is None:
        return ""
    suffixes = {stem.removeprefix(first) for stem in stems if stem.startswith(first) and stem != first}
    suffixes = {suffix for suffix in suffixes if all(image + suffix in stems for image in images)}
    return suffixes.pop() if len(suffixes) == 1 else ""


def is_lossy(path: Path) -> bool:
    """Whether an image file is JPEG or lossy WebP."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    return head.startswith(b"\xff\xd8") or (head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"VP8L" not in head)
