"""A folder of images that were restored before."""

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
    """Finished images named like the dataset's, with an optional suffix."""

    card: MethodCard
    files: dict[str, Path]
    """Stem to file."""
    folder: Path
    suffix: str = ""
    """What their names add to the dataset's."""
    lossy: bool = False
    """Take files that are compressed with loss."""

    def image_path(self, image: str, scale: int) -> Path:
        """The file named ``image`` + suffix.

        Raises:
            MethodError: it is not there, or is compressed with loss.
        """
        stem = image + self.suffix
        path = self.files.get(stem)
        if path is None:
            hint = suffix_hint(self.files, [image])
            more = (
                f"; if that is '{image}{hint}', give suffix: {hint} (predictions:DIR/{{image}}{hint})" if hint else ""
            )
            raise MethodError(
                f"{self.folder}: restored image of '{image}' is missing; expected a file named {stem}"
                f" (there are {listed(sorted(self.files))}){more}"
            )
        if not self.lossy and is_lossy(path):
            raise MethodError(f"{path} {LOSSY}")
        return path


def open_predictions(folder: Path, *, name: str, suffix: str = "", lossy: bool = False) -> Predictions:
    """List a folder of finished images.

    Raises:
        MethodError: the folder is missing or holds no images.
    """
    try:
        files = image_files(folder)
    except DatasetError as error:
        raise MethodError(f"predictions '{name}': {error}") from None
    return Predictions(MethodCard(name, "external", "Finished images"), files, folder, suffix, lossy)
