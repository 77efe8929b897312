"""Cards of published networks; spandrel loads their weight files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..interface import Family, MethodCard
from ..weights.files import weight_file


def _card(id: str, family: Family, summary: str, paper: str, code: str, parameters: int, scale: int = 4) -> MethodCard:
    file = weight_file(id)
    return MethodCard(
        id,
        family,
        summary,
        (scale,),
        paper=paper,
        code=code,
        licence=file.licence,
        weights=(file.file,),
        parameters=parameters,
    )


COMPACT_GAN = MethodCard(
    "compact-gan",
    "gan",
    "Small GAN trained here on BSDS500 with the degradation stablesr-x4: Real-ESRGAN's compact network",
    (4,),
    paper="https://arxiv.org/abs/2107.10833",
    licence="Apache-2.0; trained on BSDS500, whose photos are for research",
    weights=("compact-gan.safetensors",),
    parameters=621_424,
)
"""The weights are part of this package."""


def compact_gan_file() -> Path:
    """The weight file of ``COMPACT_GAN``."""
    return Path(str(files(__package__).joinpath("shipped", COMPACT_GAN.weights[0])))


def network_cards() -> dict[str, MethodCard]:
    """Cards of all published networks by id, which is also the id of their weight file. Does not import torch."""
    real_esrgan = "https://arxiv.org/abs/2107.10833", "https://github.com/xinntao/Real-ESRGAN"
    swinir = "https://arxiv.org/abs/2108.10257", "https://github.com/JingyunLiang/SwinIR"
    cards = (
        _card("realesrgan-x4plus", "gan", "Real-ESRGAN x4plus: RRDBNet on second-order degradation", *real_esrgan,
              16_697_987),
        _card("realesr-general-x4v3", "gan", "Real-ESRGAN general x4 v3: compact network", *real_esrgan, 1_213_296),
        _card("realesr-animevideov3", "gan", "Real-ESRGAN anime video v3: compact network", *real_esrgan, 621_424),
        _card("bsrgan", "gan", "BSRGAN: RRDBNet on a shuffled degradation", "https://arxiv.org/abs/2103.14006",
              "https://github.com/cszn/BSRGAN", 16_697_987),
        _card("esrgan", "gan", "ESRGAN on bicubic LQ", "https://arxiv.org/abs/1809.00219",
              "https://github.com/xinntao/ESRGAN", 16_697_987),
        _card("swinir-gan", "gan", "SwinIR-M for real-world images, GAN", *swinir, 11_715_559),
        _card("swinir-classical", "regression", "SwinIR-M for bicubic LQ, PSNR-oriented", *swinir, 11_900_199),
        _card("hat-gan", "gan", "Real-HAT-GAN for real-world images", "https://arxiv.org/abs/2205.04437",
              "https://github.com/XPixelGroup/HAT", 20_772_507),
        _card("dat", "regression", "Dual aggregation transformer for bicubic LQ, PSNR-oriented",
              "https://arxiv.org/abs/2308.03364", "https://github.com/zhengchen1999/DAT", 14_802_051),
        *(_card(f"dat-light-x{scale}", "regression", "DAT-light for bicubic LQ, PSNR-oriented; DIV2K and Flickr2K",
                "https://arxiv.org/abs/2308.03364", "https://github.com/zhengchen1999/DAT", parameters, scale)
          for scale, parameters in ((2, 553_290), (3, 561_405), (4, 572_766))),
        _card("rcan", "regression", "Residual channel attention network for bicubic LQ, PSNR-oriented",
              "https://arxiv.org/abs/1807.02758", "https://github.com/yulunzhang/RCAN", 15_592_379),
    )  # fmt: skip
    return {card.id: card for card in cards}
