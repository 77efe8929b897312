"""The perceptual distance of GAN training: a difference of features of VGG16, an image classifier.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution", ECCV 2016. The layers
and their weights are those of Real-ESRGAN (Wang et al., ICCVW 2021, section 4.1) as far as VGG16 has them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..weights.files import read_tensors, verified, weight_file

LAYER_WEIGHTS = {2: 0.1, 7: 0.1, 14: 1.0, 21: 1.0}
"""Weight by the index of a convolution in torchvision's ``features``: the last of the first four blocks. Features are
taken before the activation, where few of them are 0."""
_PREFIX = "features."
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's images in [0, 1], with which the network was trained."""


class PerceptualDistance(nn.Module):
    """Weighted mean absolute difference of VGG16's features for images ``[B, 3, H, W]`` in [0, 1].

    Args:
        tensors: weights of torchvision's VGG16 by name; those of the classifier are not used.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        from torchvision import models

        with torch.device("meta"):  # the classifier's 120 million parameters are not needed
            layers = models.vgg16().features[: max(LAYER_WEIGHTS) + 1]
        state = {name: tensors[_PREFIX + name].float() for name in layers.state_dict()}
        layers.load_state_dict(state, assign=True)
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the features before it are compared
        self._layers = layers.requires_grad_(False).eval()
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The distance, a mean over the batch; gradients flow into ``sr``."""
        first, second = ((image - self._mean) / self._std for image in (sr, hr))
        distance = sr.new_zeros(())
        for index, layer in enumerate(self._layers):
            first, second = layer(first), layer(second)
            if index in LAYER_WEIGHTS:
                distance = distance + LAYER_WEIGHTS[index] * functional.l1_loss(first, second)
        return distance


def vgg16_distance() -> PerceptualDistance:
    """The perceptual distance with the weights ``vgg16``.

    Raises:
        WeightsError: the weights are missing (the message says how to get them) or damaged.
    """
    return PerceptualDistance(read_tensors(verified(weight_file("vgg16"))))
