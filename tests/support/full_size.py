"""Random networks of the published sizes."""

from __future__ import annotations

from torch import nn


def network(id: str) -> nn.Module:
    """What the weight file of this id holds, by the settings of its authors."""
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DAT import DAT
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.HAT import HAT
    from spandrel.architectures.RCAN import RCAN
    from spandrel.architectures.SwinIR import SwinIR

    transformer = {"upscale": 4, "img_size": 64, "embed_dim": 180, "num_heads": [6] * 6, "resi_connection": "1conv"}
    windows = {**transformer, "depths": [6] * 6, "mlp_ratio": 2}
    if id in ("realesr-animevideov3", "realesr-general-x4v3"):
        depth = 16 if id == "realesr-animevideov3" else 32
        return Compact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=depth, upscale=4)
    if id in ("realesrgan-x4plus", "bsrgan", "esrgan"):
        return ESRGAN(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4)
    if id == "swinir-gan":
        return SwinIR(**windows, window_size=8, upsampler="nearest+conv")
    if id == "swinir-classical":
        return SwinIR(**windows, window_size=8, upsampler="pixelshuffle")
    if id == "hat-gan":
        return HAT(
            **windows, window_size=16, upsampler="pixelshuffle", compress_ratio=3, squeeze_factor=30, overlap_ratio=0.5
        )
    if id == "dat":
        return DAT(**transformer, depth=[6] * 6, split_size=[8, 32], expansion_factor=4, upsampler="pixelshuffle")
    if id.startswith("dat-light-x"):
        return DAT(
            upscale=int(id[-1]), img_size=64, embed_dim=60, num_heads=[6], resi_connection="3conv", depth=[18],
            split_size=[8, 32], expansion_factor=2, upsampler="pixelshuffledirect",
        )  # fmt: skip
    if id == "rcan":
        return RCAN(scale=4, n_resgroups=10, n_resblocks=20, n_feats=64)
    raise ValueError(id)
