"""Which file of a folder is the restored image of which LQ image: by its name alone, and never by a guess."""

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
    """What a program left in the folder for its outputs."""

    by_stem: Mapping[str, Sequence[Path]]
    """Regular image files by their names without the ending."""
    others: Sequence[str]
    """Names of all else, below the folder."""
    images: Collection[str]
    """LQ images, without their endings."""
    suffix: str = ""
    """What names of outputs add to those of the images."""
    lossy: bool = False
    """Take files that are compressed with loss."""

    def of(self, image: str) -> Path:
        """The file of one image.

        Raises:
            MethodError: there is none or more than one, or it is compressed with loss.
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
        """Whether anything was written for an image."""
        return image + self.suffix in self.by_stem

    def _instead(self, stem: str) -> str:
        written = sorted([path.name for paths in self.by_stem.values() for path in paths] + list(self.others))
        if not written:
            return "its folder for outputs is empty"
        hint = suffix_hint(self.by_stem, self.images)
        return f"it wrote {listed(written)}; expected {stem}.png" + (f"; give suffix: {hint}" if hint else "")


def output_files(folder: Path, images: Collection[str], *, suffix: str = "", lossy: bool = False) -> OutputFiles:
    """Look through a folder of outputs; pipes, links to nothing and the like count as no files.

    Raises:
        MethodError: the folder is gone.
    """
    by_stem: dict[str, list[Path]] = {}
    others = []
    try:
        for path in sorted(folder.rglob("*")):
            if path.parent == folder and path.suffix.lower() in SUFFIXES and path.is_file():
                by_stem.setdefault(path.stem, []).append(path)
            elif not path.is_dir():
                others.append(str(path.relative_to(folder)))
        folder.stat()
    except OSError as error:
        raise MethodError(
            f"its folder for outputs cannot be read ({error.strerror}); it must leave that alone"
        ) from None
    return OutputFiles(by_stem, others, images, suffix, lossy)


def suffix_hint(stems: Collection[str], images: Collection[str]) -> str:
    """What every one of these images needs added to be one of these names; '' where nothing or several things fit."""
    first = next(iter(images), None)
    if first is None:
        return ""
    fitting = {stem.removeprefix(first) for stem in stems if stem.startswith(first) and stem != first}
    fitting = {rest for rest in fitting if all(image + rest in stems for image in images)}
    return fitting.pop() if len(fitting) == 1 else ""


def is_lossy(path: Path) -> bool:
    """Whether an image file is JPEG, or WebP that is not of the lossless kind."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    return head.startswith(b"\xff\xd8") or (head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"VP8L" not in head)
