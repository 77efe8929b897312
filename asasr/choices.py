"""The choices of a configuration's keys, in a module of their own so that reading a configuration loads no torch."""

from __future__ import annotations

from typing import Literal

Basis = Literal["dct", "fft", "rfft2"]
"""Transform of the Sobolev operator: Neumann, periodic, and the ASASR authors' one-sided transform."""
Weights = Literal["raw", "unit-mean"]
"""Weights of the Sobolev operator: as in the formula, or divided by their mean."""
Sampler = Literal["euler", "adams"]
Family = Literal["flux", "sd15", "sdxl", "small"]
"""Family of a backbone."""
Precision = Literal["auto", "no", "bf16", "fp16"]
"""Number format of the sampling; see ``precision.sampling_policy``."""
Resize = Literal["bicubic", "pil-bicubic"]
"""How LQ images are enlarged to output size; see ``resize.resized``."""
Text = Literal["zeros", "empty"]
"""Text that a text-to-image backbone receives."""
ColourFix = Literal["none", "adain", "wavelet"]
Kind = Literal["adversary", "gradient", "lq", "policy"]
"""Kind of a negative: where the loser of a pair comes from."""
Role = Literal["sr", "dpo", "adv"]
"""Role of an adapter: the prior on a text-to-image backbone, the policy's, the adversary's."""
LoraScope = Literal["condition", "all"]
"""Tokens on which an adapter of FLUX acts: those of LQ, or all."""
Prediction = Literal["velocity", "epsilon"]
Offload = Literal["no", "model", "layers"]
"""Which parts stay in main memory until the GPU needs them; see ``running.place``."""
Quantization = Literal["no", "int8", "nf4"]
"""Number format of the weights of a network's blocks, by bitsandbytes."""
