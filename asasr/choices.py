"""The words that a configuration chooses from, apart from the code that they choose: to read one loads no torch."""

from __future__ import annotations

from typing import Literal

Basis = Literal["dct", "fft", "rfft2"]
"""Of the Sobolev operator: Neumann, periodic, and the ASASR authors' one-sided transform."""
Weights = Literal["raw", "unit-mean"]
"""Of the Sobolev operator: as the formula has them, or divided by their mean."""
Sampler = Literal["euler", "adams"]
Family = Literal["flux", "sd15", "sdxl", "small"]
"""Of a backbone."""
Precision = Literal["auto", "no", "bf16", "fp16"]
"""Of the sampling; see ``precision.sampling_policy``."""
Resize = Literal["bicubic", "pil-bicubic"]
"""Of LQ images to output size; see ``resize.resized``."""
Text = Literal["zeros", "empty"]
"""What a text-to-image backbone reads."""
ColourFix = Literal["none", "adain", "wavelet"]
Kind = Literal["adversary", "gradient", "lq", "policy"]
"""Of a negative: where the loser of a pair comes from."""
Role = Literal["sr", "dpo", "adv"]
"""Of an adapter: the prior on a text-to-image backbone, the policy's, the adversary's."""
LoraScope = Literal["condition", "all"]
"""What an adapter of FLUX acts on: the LQ tokens, or all."""
Prediction = Literal["velocity", "epsilon"]
Offload = Literal["no", "model", "layers"]
"""What waits in the processor's memory until a GPU needs it; see ``running.place``."""
Quantization = Literal["no", "int8", "nf4"]
"""Of the weights of a network's blocks, by bitsandbytes."""
