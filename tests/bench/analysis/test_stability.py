"""Stability over seeds, and ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench import evaluate, open_store
from asasr_bench.bench.analysis.seeds import PIXELS, StabilityError, stability
from asasr_bench.bench.plan.image_seed import image_seed
from asasr_bench.datasets.images import pixel_digest, write_png


@pytest.fixture
def hr(tmp_path: Path, photo: np.ndarray) -> Path:
    """Three photos with some distance to black and white."""
    for number in range(3):
        crop = photo[30 * number : 30 * number + 48, :64]
        write_png(tmp_path / "hr" / f"{number}.png", (crop // 2 + 50).astype(np.uint8))
    return tmp_path / "hr"


def test_deviations_over_seeds(hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command) -> None:
    """Nearest neighbour plus a constant that depends on the image's seed: 0 to 24 levels."""
    module = tmp_path / "stability_method.py"
    module.write_text(
        "from __future__ import annotations\nimport torch\nfrom asasr_bench.methods.interface import MethodCard\n"
        "class Noisy:\n"
        "    card = MethodCard(id='noisy', family='external', summary='of a test', scales=(2,), deterministic=False)\n"
        "    def restore(self, lq, scale, seeds):\n"
        "        large = lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)\n"
        "        return large + 4 / 255 * (torch.tensor(seeds) % 7).view(-1, 1, 1, 1)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    evaluate(
        "classic-x2",
        tmp_path / "s",
        datasets=[f"D={hr}"],
        methods=["bicubic", "stability_method:Noisy"],
        metrics=["psnr_rgb"],
        protocol="osediff-512",
        scale=2,
        seeds=[0, 1, 2],
    )
    rows = {row.metric: row for row in stability(tmp_path / "s")}
    assert {row.method for row in rows.values()} == {"noisy"}  # bicubic has no seeds
    with open_store(tmp_path / "s") as store:
        scores = store.scores()
        lqs = [store.objects.get(digest) for digest in store.outputs().query("method == 'noisy'")["lq"].unique()]
    expected = np.mean([np.std([4 * (image_seed(seed, pixel_digest(lq)) % 7) for seed in range(3)]) for lq in lqs])
    assert rows[PIXELS].value == pytest.approx(expected)
    assert rows[PIXELS].seeds == rows[PIXELS].images == len(lqs) == 3
    table = scores[scores["method"] == "noisy"].pivot(index="image", columns="seed", values="value").to_numpy()
    assert table.shape == (3, 3)
    assert rows["psnr_rgb"].value == pytest.approx(table.std(axis=1).mean())
    output = command("stability", tmp_path / "s").stdout
    assert "L-STD" in output
    assert f"{expected:.3f}" in output


def test_without_seeds_there_is_nothing_to_tell(hr: Path, tmp_path: Path) -> None:
    evaluate("classic-x2", tmp_path / "s", datasets=[f"D={hr}"], methods=["bicubic"], metrics=["psnr_y"])
    with pytest.raises(StabilityError, match="two seeds"):
        stability(tmp_path / "s")
