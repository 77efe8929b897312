"""Operations of an image that a run restores: torch's own counter and published numbers, and no pixel changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.analysis.network_cost import measure_cost
from asasr_bench.bench.execute.count_operations import OperationCounter
from asasr_bench.bench.execute.restore_batches import BatchCheck, Batches
from asasr_bench.bench.execute.restore_image import LqImage, Restored
from asasr_bench.bench.execute.restore_images import restore_images
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.publish.figures.write import write_figures
from asasr_bench.bench.spec import parse_spec
from asasr_bench.bench.store.merge import merge_stores
from asasr_bench.bench.store.records import Operations
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.registry import resolve
from asasr_bench.reports.grid import grids
from asasr_bench.reports.paper_tables.flat import to_json, to_wide_csv
from asasr_bench.reports.tables import to_csv, to_markdown
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

SMALL = {"id": "small-diffusion", "name": "small-diffusion", "sampling": {"steps": 2}}


class EveryProduct(nn.Module):
    """Each way in which torch multiplies and counts, composed or not."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.across, self.back = nn.Conv1d(8, 8, 3, padding=1, groups=4), nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.line = nn.Linear(8, 8)

    def forward(self, lq: Tensor) -> Tensor:
        features = functional.gelu(self.first(lq))
        tokens = self.line(self.across(features.flatten(2)).transpose(1, 2))
        weights = torch.einsum("bnc,bmc->bnm", tokens, tokens).softmax(-1)
        tokens = torch.baddbmm(tokens, weights, tokens) @ self.line.weight
        return functional.interpolate(self.back(tokens.transpose(1, 2).reshape(features.shape)), scale_factor=2.0)


def counted(restore: Callable[[Tensor], object], lq: Tensor) -> Operations | None:
    with OperationCounter() as counter:
        restore(lq)
    operations: Operations | None = counter.operations(lq.shape[-1], lq.shape[-2])
    return operations


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_it_counts_as_torch_does_and_changes_no_pixel(context: Callable[[], Any]) -> None:
    model, lq = EveryProduct().eval(), torch.rand(1, 3, 6, 8)
    with FlopCounterMode(display=False) as wanted:  # type: ignore[no-untyped-call]
        model(lq)
    with context():
        alone = model(lq)
        with OperationCounter() as counter:
            together = model(lq)
    operations = counter.operations(8, 6)
    assert operations == Operations(8, 6, wanted.get_total_flops() // 2, 48 * (8 + 8 + 4 * 4))
    assert torch.equal(alone, together)


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
def test_attention_counts_though_its_kernel_is_one_of_the_cpu(context: Callable[[], Any]) -> None:
    """Scores and their use: 2 N^2 C; the layer has four projections of N C^2 beside."""
    tokens, layer = torch.rand(1, 48, 8), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with context():
        plain = counted(lambda image: functional.scaled_dot_product_attention(*[tokens] * 3), tokens)
        whole = counted(lambda image: layer(tokens, tokens, tokens)[0], tokens)
    assert plain is not None
    assert plain.macs == 2 * 48 * 48 * 8
    assert whole is not None
    assert whole.macs == 2 * 48 * 48 * 8 + 4 * 48 * 8 * 8


def test_layers_without_a_formula_make_the_number_unknown() -> None:
    cells = nn.LSTM(8, 4)
    with torch.no_grad():
        assert counted(lambda image: cells(torch.rand(5, 2, 8)), torch.rand(1, 3, 4, 4)) is None


def test_it_counts_what_the_challenge_prints_of_its_network() -> None:
    """MSRResNet at 256x256 in the tables of efficient SR: 1.517 M parameters, 292.55 M activations, 166.36 G.

    Of these, 0.15 G are those of activation functions, which are no products.
    """
    with torch.device("meta"):
        layers = [nn.Conv2d(*pair, 3, padding=1) for pair in pairwise([3, *[64] * 33])]
        rest = [(64, 256), (64, 256), (64, 64), (64, 3)]
        tail = [nn.Conv2d(*pair, 3, padding=1) for pair in rest]
        model = nn.Sequential(*layers, tail[0], nn.PixelShuffle(2), tail[1], nn.PixelShuffle(2), *tail[2:])
    assert sum(value.numel() for value in model.parameters()) / 1e6 == pytest.approx(1.517, abs=1e-3)
    with torch.inference_mode():
        operations = counted(model, torch.empty(1, 3, 256, 256, device="meta"))
    assert operations is not None
    assert operations.activations / 1e6 == pytest.approx(292.55, abs=5e-3)
    assert operations.macs / 1e9 == pytest.approx(166.36, abs=0.16)


def test_what_multiplies_nothing_or_cannot_be_counted_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    lq = torch.rand(1, 3, 4, 4)
    assert counted(lambda image: image.numpy().sum(), lq) is None
    assert counted(lambda image: image.sum().item() + float(image.to("cpu").max()), lq) is None

    def broken(*given: object) -> int:
        raise ValueError("no formula")

    monkeypatch.setattr(OperationCounter, "_of_parts", broken)
    layer = nn.Linear(4, 4)
    with torch.inference_mode():
        wanted = layer(lq)
        with OperationCounter() as counter:
            assert torch.equal(layer(lq), wanted)
    assert counter.operations(4, 4) is None


@pytest.mark.parametrize("images", [1, 3])
def test_it_is_counted_of_one_image_alone_in_batches_too(images: int) -> None:
    method = resolve("compact-gan").load("cpu")
    lq = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    work = [LqImage(str(number), lambda: lq, count=number == images - 1) for number in range(images)]
    for depends in (None, False):
        check = BatchCheck(depends)
        done = list(restore_images(method, "m", work, 4, 0, "cpu", batches=Batches(images), check=check))
        operations = [each.operations for each in done if isinstance(each, Restored)]
        assert operations[:-1] == [None] * (images - 1)
        with torch.inference_mode():
            wanted = counted(lambda image: method.restore(image, 4, [0]), torch.rand(1, 3, 6, 8))
        assert operations[-1] == wanted


def folder(root: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    for number, (height, width) in enumerate(sizes):
        image = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        write_png(root / f"{number}.png", image)
    return root


def spec(hr: Path, methods: Sequence[object] = ("bicubic", "compact-gan", SMALL), name: str = "D") -> Any:
    content = {
        "name": "s",
        "protocol": "classic-x4",
        "scale": 4,
        "metrics": ["psnr_y", "ssim_y"],
        "device": "cpu",
        "methods": list(methods),
        "datasets": [{"name": name, "hr": str(hr)}],
    }
    return parse_spec(json.dumps(content), origin="test")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("counted")
    run(spec(folder(root / "hr", [(32, 48), (48, 32)])), root / "s")
    return root / "s"


def test_a_run_counts_the_first_image_of_each_set_once(stored: Path, tmp_path: Path) -> None:
    with open_store(stored) as store:
        card = store.methods()["compact-gan"]
        assert store.methods()["bicubic"].operations == {}
    method = resolve("compact-gan").load("cpu")
    wanted = measure_cost("m", None, lambda lq: method.restore(lq, 4, [0]), [torch.rand(1, 3, 8, 12)], "cpu", runs=1)
    assert card.operations_on("D", 4) == Operations(12, 8, wanted.macs, wanted.activations)
    assert card.operations_on("D", 2) is None


def test_tables_and_figures_say_it_with_the_size(stored: Path, tmp_path: Path) -> None:
    with open_store(stored) as store:
        board = load_board(store, title="t")
        card = store.methods()["compact-gan"].operations_on("D", 4)
    assert card is not None
    (grid,) = grids(board)
    rows = {row.method: row for row in grid.rows}
    assert [head for head, _ in grid.costs][1:4] == ["Steps", "MACs (G) at 12x8 LQ", "Activations (M)"]
    assert rows["bicubic"].macs == rows["bicubic"].activations == ""
    assert float(rows["compact-gan"].macs) == pytest.approx(card.macs / 1e9, rel=0.01)
    assert "| MACs (G) at 12x8 LQ |" in to_markdown(board)
    (tmp_path / "t.csv").write_text(to_csv(board))
    lines = pd.read_csv(tmp_path / "t.csv").drop_duplicates("method").set_index("method")
    assert lines.loc["compact-gan", "macs"] == card.macs
    assert lines.loc["compact-gan", "lq_size"] == "12x8"
    assert np.isnan(lines.loc["bicubic", "macs"])
    assert "D/macs,D/activations,D/lq_size" in to_wide_csv(board)
    (table,) = json.loads(to_json(board))["tables"]
    told = {row["method"]: row for row in table["methods"]}
    assert (told["compact-gan"]["macs"], told["bicubic"]["macs"]) == (card.macs, None)
    (path,) = write_figures(stored, ["cost"], tmp_path, {"x": "macs", "formats": ["svg"]})
    assert "MACs at 12x8 LQ" in path.read_text()


def test_it_is_kept_while_the_method_is_the_same_and_merged(stored: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    hr = folder(tmp_path / "hr", [(32, 32)])
    again = spec(hr, ["compact-gan"], name="E")
    run(again, other)
    merge_stores([stored, other], tmp_path / "both")
    with open_store(tmp_path / "both") as store:
        assert sorted(store.methods()["compact-gan"].operations) == ["D", "E"]
    run(again, other)
    with open_store(other, write=True) as store:
        card = store.methods()["compact-gan"]
        assert card.operations_on("E", 4) is not None
        store.add_method("compact-gan", {"family": "gan"}, card.weights, "another")
        assert store.methods()["compact-gan"].operations == {}


def test_a_store_without_it_is_shown_blank_and_gains_it_with_new_images(stored: Path, tmp_path: Path) -> None:
    hr = folder(tmp_path / "hr", [(32, 48)])
    run(spec(hr, ["compact-gan"]), tmp_path / "s")
    with sqlite3.connect(tmp_path / "s" / "store.sqlite") as database:
        database.execute("UPDATE methods SET card = json_remove(card, '$.operations')")
    with open_store(tmp_path / "s") as store:
        (grid,) = grids(load_board(store, title="t"))
        assert "macs" not in dict(grid.costs).values()
    folder(tmp_path / "hr", [(32, 48), (32, 32)])
    run(spec(hr, ["compact-gan"]), tmp_path / "s")
    with open_store(tmp_path / "s") as store:
        (grid,) = grids(load_board(store, title="t"))
    assert grid.lq_size == "8x8"
