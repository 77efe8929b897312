"""A folder of images that were restored before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..datasets.dataset import DatasetError, image_files, listed
from .errors import MethodError
from .protocol import MethodCard


@dataclass(frozen=True)
class Predictions:
    """Finished images named like the dataset's, with an optional suffix."""

    card: MethodCard
    files: dict[str, Path]
    """Stem to file."""
    folder: Path
    suffix: str = ""

    def image_path(self, image: str, scale: int) -> Path:
        """The file ``image``, ``image`` + suffix, or ``image`` + ``x{scale}``.

        Raises:
            MethodError: none or several of them are there.
        """
        names = [image + self.suffix] if self.suffix else [image, f"{image}x{scale}"]
        found = [name for name in names if name in self.files]
        if len(found) != 1:
            what = f"both {' and '.join(found)} are there" if found else "is missing"
            raise MethodError(
                f"{self.folder}: restored image of '{image}' {what}; expected a file named {' or '.join(names)}"
                f" (there are {listed(sorted(self.files))})"
            )
        return self.files[found[0]]


def open_predictions(folder: Path, *, name: str, suffix: str = "") -> Predictions:
    """List a folder of finished images.

    Raises:
        MethodError: the folder is missing or holds no images.
    """
    try:
        files = image_files(folder)
    except DatasetError as error:
        raise MethodError(f"predictions '{name}': {error}") from None
    return Predictions(MethodCard(name, "external", "Finished images"), files, folder, suffix)
