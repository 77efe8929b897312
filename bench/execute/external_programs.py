"""External programs: a folder of LQ in, a folder of SR out, and what of it can be used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import ImageError, read_image, write_png
from ...methods.errors import MethodError
from ...methods.finished.output_files import OutputFiles, output_files
from ...methods.interface import FolderMethod
from ...methods.programs.command import ExternalCommand
from ..env_vars import environment
from ..failures import Failure, no_exit
from ..store.images import Pixels
from .check_output import has_colours, read_pixels
from .restore_image import Restored
from .scratch_folders import scratch_folder

Load = Callable[[], Pixels]
"""Gives the LQ pixels of one image; called when they are needed, and not kept."""


def restore_folder(
    method: FolderMethod,
    name: str,
    images: Sequence[tuple[str, Load]],
    scale: float,
    seed: int,
    usual: Mapping[str, str | None] = MappingProxyType({}),
) -> Iterator[Restored | Failure]:
    """Run a program once over the LQ of all images.

    What it finished before it failed or was stopped counts; the other images fail with its words.

    Args:
        name: what messages call the program.
        images: names, each with what gives its LQ.
        usual: environment variables that the program sees instead of ours.

    Yields:
        What became of each image, in their order; an image's seconds are its share of the whole.
    """
    with scratch_folder() as folder:
        lq_dir, sr_dir = folder / "lq", folder / "sr"
        lq_dir.mkdir()
        sr_dir.mkdir()
        unreadable: dict[str, Failure] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for image, load in images:
            try:
                lq = load()
                write_png(lq_dir / f"{image}.png", lq)
                shapes[image] = lq.shape
            except (RuntimeError, ImageError) as error:
                unreadable[image] = Failure.of(error)
        ended: Failure | None = None
        memory: int | None = None
        start = time.perf_counter()
        if len(unreadable) < len(images):
            try:
                with environment(usual), no_exit():
                    memory = method.restore_folder(lq_dir, sr_dir, scale, seed)
            except Exception as error:
                ended = Failure.of(error)
        seconds = None if ended is not None else (time.perf_counter() - start) / len(images)
        files: OutputFiles | Failure
        try:
            files = outputs_of(method, sr_dir, [image for image, _ in images])
        except MethodError as error:
            files = Failure(f"{name}: {error}")
        for image, load in images:
            if image in unreadable:
                yield unreadable[image]
            elif isinstance(files, Failure):
                yield ended or files
            elif ended is not None and not files.has(image):
                yield ended
            else:
                try:
                    sr = _output(files, image, shapes[image], load, name, scale)
                except Exception as error:
                    yield Failure.of(error)
                else:
                    yield Restored(sr, seconds=seconds, memory=memory, device="external")


def outputs_of(method: FolderMethod, folder: Path, images: Sequence[str]) -> OutputFiles:
    """What a program left, by the names that its method says.

    Raises:
        MethodError: the folder is gone.
    """
    if isinstance(method, ExternalCommand):
        return output_files(folder, images, suffix=method.suffix, lossy=method.lossy)
    return output_files(folder, images)


def _output(
    files: OutputFiles, image: str, shape: tuple[int, ...], load: Load, name: str, scale: float
) -> NDArray[np.uint8]:
    try:
        path = files.of(image)
    except MethodError as error:
        raise MethodError(f"{name}: {error}") from None
    return read_pixels(read_image(path), shape, lambda: has_colours(load()), scale, path.name)
