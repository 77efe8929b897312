"""LPIPS and DISTS of 512x512 images: values a second in batches and one by one, and how far they are from the CPU's.

Without ``--weights`` VGG16 has random numbers: DISTS is then as fast as it is, and its values mean nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from asasr_bench.bench.metrics.batches import TOLERANCE, measure_batch, rgb_tensors
from asasr_bench.bench.metrics.deep_features import FeatureDistance
from asasr_bench.bench.metrics.measure import GPU_BATCH
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.methods.weights.files import verified, weight_file
from measuring import Results, arguments, device, forget_memory, peak_gib, rate_of


def main() -> None:
    options = arguments(lambda parser: parser.add_argument("--weights", type=Path))
    results = Results(options.out, options.seconds)
    pairs = noisy_photos(2, 64) if options.tiny else noisy_photos(GPU_BATCH, 512)
    with tempfile.TemporaryDirectory() as folder:
        vgg = options.weights or random_vgg16(Path(folder) / "vgg16.pth")
        results.add("weights of VGG16", "given" if options.weights else "random")
        files = {
            "lpips_alex": ("lpips", "alexnet", verified(weight_file("alexnet")), "lpips-alex"),
            "lpips_vgg": ("lpips", "vgg16", vgg, "lpips-vgg"),
            "dists": ("dists", "vgg16", vgg, "dists"),
        }
        for name, (kind, backbone, features, head) in files.items():
            network: Any = FeatureDistance(kind, backbone, features, verified(weight_file(head)))
            compare(name, network, pairs, results, 0.05 if options.tiny else 1.5)
    if find_spec("pyiqa") is not None:
        library(pairs, results, 0.05 if options.tiny else 1.5)


def compare(name: str, network: Any, pairs: Sequence[MetricInput], results: Results, seconds: float) -> None:
    """Speeds on the device, its memory, and the difference of its values from those of the CPU."""
    few = pairs[:2]
    expected = measure_batch(network.to("cpu"), rgb_tensors(few, "reference"), "cpu")
    network.to(device())

    def values(some: Sequence[MetricInput]) -> list[float]:
        return measure_batch(network, rgb_tensors(some, "reference"), device())

    forget_memory()
    together = rate_of(lambda: values(pairs), seconds) * len(pairs)
    peak = peak_gib()
    alone = rate_of(lambda: values(few[:1]), seconds)
    pixels = rgb_tensors(pairs, "reference")
    images = [one.to(device()) for one in pixels]
    computing = rate_of(lambda: measure_batch(network, images, device()), seconds) * len(pairs)
    measured = values(pairs)[: len(few)]
    difference = max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(expected, measured, strict=True))
    results.add(name, {
        f"images a second in batches of {len(pairs)}": round(together, 1), "one by one": round(alone, 1),
        "in batches that are on the device already": round(computing, 1), "peak GiB": round(peak, 2),
        "largest relative difference from the CPU": difference, "declared": TOLERANCE,
    })  # fmt: skip
    assert difference <= TOLERANCE, f"{name} differs by {difference} from the CPU's value, more than it declares"


def library(pairs: Sequence[MetricInput], results: Results, seconds: float) -> None:
    """pyiqa's LPIPS, image by image, where its weights are in its cache: no step downloads."""
    import pyiqa

    cache = Path(torch.hub.get_dir())
    if not (list(cache.glob("pyiqa/LPIPS_v0.1_alex*")) and list(cache.glob("checkpoints/alexnet*"))):
        results.add("pyiqa", f"not measured: its LPIPS has no weights in {cache}")
        return
    network = pyiqa.create_metric("lpips", device=torch.device(device()))
    images = [one[:1].to(device()) for one in rgb_tensors(pairs, "reference")]
    call: Callable[[], Any] = lambda: float(network(*images))  # noqa: E731
    results.add("pyiqa's LPIPS, images a second one by one", round(rate_of(call, seconds), 1))


def noisy_photos(count: int, side: int) -> list[MetricInput]:
    """A photo, moved, as HR; the same with noise as SR, so much that float32's last digit is none of a distance."""
    from skimage import data

    photo = np.ascontiguousarray(data.astronaut()[:side, :side])
    protocol, rng = get_protocol("osediff-512", 4), np.random.default_rng(0)
    pairs = []
    for number in range(count):
        hr = np.roll(photo, 7 * number, axis=1)
        sr = np.clip(hr + rng.normal(0, 25 + number, hr.shape), 0, 255).astype(np.uint8)
        pairs.append(MetricInput(sr, hr, protocol))
    return pairs


def random_vgg16(path: Path) -> Path:
    """A file of torchvision's layout whose convolutions are random, of a size that keeps the signal."""
    from torchvision.models import vgg16

    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {name: one.shape for name, one in vgg16().state_dict().items() if name.startswith("features.")}
    state = {
        name: torch.randn(shape) * (2 / shape[1:].numel()) ** 0.5 if len(shape) > 1 else torch.zeros(shape)
        for name, shape in shapes.items()
    }
    torch.save(state, path)
    return path


if __name__ == "__main__":
    main()
