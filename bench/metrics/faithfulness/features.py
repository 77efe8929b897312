"""Distances of deep features that see what a picture shows: DINO's places, CLIP's whole images.

Cheap stand-ins for a judge of hallucinations, as in "Hallucination score" (arXiv 2507.14367). Networks are folders as
transformers saves them, of this machine alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....methods.weights.model_folders import missing_model, model_digest, model_folder
from ..batches import TOLERANCE, measure_batch
from ..card import MetricCard
from ..metric import Metric, MetricError, Score
from ..metric_input import MetricInput
from ..requirements import library_version
from . import FEATURES

if TYPE_CHECKING:
    import torch

VERSION = "1"
DINO = "facebook/dinov2-base"
CLIP = "openai/clip-vit-base-patch32"


class ModelFolder:
    """A model's folder; see ``Requirement``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def missing(self) -> str:
        """See ``Requirement``."""
        return missing_model(self._name)

    def weights(self) -> str:
        """See ``Requirement``."""
        return model_digest(self._name)


class FeatureNetwork:
    """A network of transformers that gives features of images."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import AutoImageProcessor, AutoModel

        self._network: Any = AutoModel.from_pretrained(folder, local_files_only=True).float().to(device).eval()
        self._processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        self._whole = hasattr(self._network, "get_image_features")
        self._prefix = 1 + int(getattr(self._network.config, "num_register_tokens", 0) or 0)

    def input(self, images: Sequence[Any]) -> torch.Tensor:
        """RGB images uint8 as the model's own processor resizes, cuts and normalises them ``[B, 3, h, w]``."""
        pixels: torch.Tensor = self._processor(images=list(images), return_tensors="pt")["pixel_values"]
        return pixels

    def distance(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        """1 - cosine of features ``[B]``: of whole images where text is embedded with them, else mean over places."""
        first, second = self._features(sr), self._features(hr)
        cosine = (first * second).sum(-1) / (first.norm(dim=-1) * second.norm(dim=-1)).clamp(min=1e-12)
        distance: torch.Tensor = 1 - cosine.mean(-1)
        return distance

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        """``[B, places, C]``, one place for a whole image."""
        if self._whole:
            embedded = self._network.get_image_features(pixel_values=pixels)
            vector: torch.Tensor = embedded if hasattr(embedded, "norm") else embedded.pooler_output
            return vector[:, None].double()
        states: torch.Tensor = self._network(pixel_values=pixels).last_hidden_state
        if states.ndim != 3:
            raise ValueError(f"the model gives features of shape {tuple(states.shape)}, no places of a transformer")
        return states[:, self._prefix :].double()


@lru_cache(maxsize=4)
def _loaded(name: str, digest: str, device: str) -> FeatureNetwork:
    folder = model_folder(name)
    if folder is None:
        raise MetricError(missing_model(name))
    return FeatureNetwork(folder, device)


def _measure(name: str, inputs: Sequence[MetricInput], device: str) -> list[Score]:
    network = _loaded(name, model_digest(name), device)
    pairs = [image.rgb for image in inputs]
    tensors = [network.input([pair[side] for pair in pairs]) for side in (0, 1)]
    return [Score(max(0.0, value)) for value in measure_batch(network.distance, tensors, device)]


def feature_metric(id: str, name: str, title: str) -> Metric:
    """The metric of the distance between features of a model.

    Args:
        id: id of the metric.
        name: name of the model: a folder below the weights folder, or its name in the Hub's cache.
        title: name in tables.
    """
    note = "images are resized and cut as the model's processor says, for many to a square of 224 pixels"
    version = f"{VERSION}, transformers {library_version('transformers')}"
    card = MetricCard(id, title, "", 4, "lower", note, "0, 2", tolerance=TOLERANCE, version=version)
    return Metric(card, partial(_measure, name), requires=(ModelFolder(name),), batched=True)


def model_metric(text: str) -> Metric:
    """The metric of ``features:NAME``.

    Raises:
        MetricError: no name.
    """
    name = text.removeprefix(FEATURES)
    if not name or name.startswith("/") or ".." in Path(name).parts:
        raise MetricError(f"metric '{text}': a model is named as on the Hub, such as {FEATURES}{DINO}")
    return feature_metric(text, name, name.rpartition("/")[2])


METRICS = (feature_metric("dino_distance", DINO, "DINO"), feature_metric("clip_distance", CLIP, "CLIP"))
