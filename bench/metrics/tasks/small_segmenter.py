"""The small referees' network: residual encoder to 1/16, global context, two skips back to 1/4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .small_detector import PLANES, RARE

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SmallSegmenter(nn.Module):
    """RGB in [0, 1] ``[B, 3, H, W]`` to logits ``[B, classes, H, W]``; any height and width of at least 32.

    Args:
        classes: how many.
        width: channels of the first layer.
        objects: three more planes follow the classes, see ``small_detector``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, classes: int, width: int = 16, *, objects: bool = False) -> None:
        super().__init__()
        self.classes, self.width, self.objects = classes, width, objects
        quarter, eighth, sixteenth = 2 * width, 3 * width, 6 * width
        self.stem = nn.Sequential(_conv(3, width, stride=2), _conv(width, quarter, stride=2))
        self.eighth = nn.Sequential(_conv(quarter, eighth, stride=2), _Residual(eighth))
        self.sixteenth = nn.Sequential(
            _conv(eighth, sixteenth, stride=2), _Residual(sixteenth), _Residual(sixteenth, dilation=2)
        )
        self.context = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(sixteenth, sixteenth, 1))
        self.to_eighth, self.to_quarter = nn.Conv2d(sixteenth, eighth, 1), nn.Conv2d(eighth, quarter, 1)
        self.mix_eighth, self.mix_quarter = _conv(eighth, eighth), _conv(quarter, quarter)
        self.head = nn.Conv2d(quarter, classes + PLANES * objects, 1)
        if objects and self.head.bias is not None:
            nn.init.constant_(self.head.bias[classes : classes + 1], RARE)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        quarter = self.stem((images - self.mean) / self.std)
        eighth = self.eighth(quarter)
        deep = self.sixteenth(eighth)
        deep = deep + self.context(deep)
        x = self.mix_eighth(_enlarged(self.to_eighth(deep), eighth) + eighth)
        x = self.mix_quarter(_enlarged(self.to_quarter(x), quarter) + quarter)
        return _enlarged(self.head(x), images)


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(width, width, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.second(self.first(x))))


def _conv(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def save_segmenter(network: SmallSegmenter, path: Path, names: tuple[str, ...]) -> None:
    """Write weights (float16) with what is needed to load them; ``names`` of the classes."""
    from safetensors.torch import save_file

    tensors = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    temporary = path.with_name(f".{path.name}.tmp")
    # One entry: safetensors writes several in any order, and equal trainings give equal files.
    notes = {"classes": names, "width": network.width, **({"objects": True} if network.objects else {})}
    save_file(tensors, temporary, {"segmenter": json.dumps(notes)})
    temporary.replace(path)


def load_segmenter(path: Path, device: str) -> tuple[SmallSegmenter, tuple[str, ...]]:
    """The network ready to use, and the names of its classes.

    Raises:
        ValueError: the file is not one that ``save_segmenter`` wrote.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            notes: dict[str, Any] = json.loads((file.metadata() or {})["segmenter"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        names = tuple(notes["classes"])
        network = SmallSegmenter(len(names), notes["width"], objects=notes.get("objects", False))
        network.load_state_dict(
            {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        )
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path}: is not the weight file of a small segmenter ({error}); train or copy it again"
        ) from None
    return network.to(device).eval(), names
