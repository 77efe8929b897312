"""A folder of restored images as a method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...datasets.dataset import image_files, listed
from ...datasets.errors import DatasetError
from ..errors import MethodError
from ..interface import MethodCard
from .output_files import LOSSY, is_lossy, suffix_hint


@dataclass(frozen=True)
class Predictions:
    """Finished images that have the names of the dataset's images, with an optional suffix."""

    card: MethodCard
    files: dict[str, Path]
    """Name without the suffix to the file."""
    folder: Path
    suffix: str = ""
    """Text that their names add to the names of the dataset's images."""
    lossy: bool = False
    """Accept files with lossy compression."""

    def image_path(self, image: str, scale: float) -> Path:
        """The file named ``image`` + suffix.

        Raises:
            MethodError: the file is missing, or has lossy compression.
        """
        stem = image + self.suffix
        path = self.files.get(stem)
        if path is None:
            hint = suffix_hint(self.files, [image])
            advice = (
                f"; if that is '{image}{hint}', give suffix: {hint} (predictions:DIR/{{image}}{hint})" if hint else ""
            )
            raise MethodError(
                f"{self.folder}: restored image of '{image}' is missing; expected a file named {stem}"
                f" (there are {listed(sorted(self.files))}){advice}"
            )
        if not self.lossy and is_lossy(path):
            raise MethodError(f"{path} {LOSSY}")
        return path


def open_predictions(folder: Path, *, name: str, suffix: str = "", lossy: bool = False) -> Predictions:
    """List a folder of finished images.

    Args:
        folder: the folder.
        name: name of the method in tables and messages.
        suffix: text that the names of the files add to the names of the dataset's images.
        lossy: accept files with lossy compression.

    Raises:
        MethodError: the folder is missing or holds no images.
    """
    try:
        files = image_files(folder)
    except DatasetError as error:
        raise MethodError(f"predictions '{name}': {error}") from None
    return Predictions(MethodCard(name, "external", "Finished images"), files, folder, suffix, lossy)
