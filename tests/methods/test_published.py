"""Published values: our copy against the original list, and what contradicts what."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.shipped import shipped_metrics
from asasr_bench.bench.protocols import protocol_names
from asasr_bench.datasets.card import card_ids, load_card
from asasr_bench.methods.published.values import PublishedValue, published_tables, published_values

METRICS = {
    "PSNR-Y": "psnr_y", "SSIM-Y": "ssim_y", "LPIPS": "lpips", "DISTS": "dists", "NIQE": "niqe", "MUSIQ": "musiq",
    "MANIQA-pipal": "maniqa_pipal", "MANIQA": "maniqa", "CLIPIQA": "clipiqa", "CLIPIQA+": "clipiqa_plus", "FID": "fid",
    "Q-Align": "qalign", "AP-box": "box_ap", "AP50-box": "box_ap50", "AP75-box": "box_ap75", "AP-mask": "mask_ap",
    "AP50-mask": "mask_ap50", "AP75-mask": "mask_ap75", "mIoU": "miou", "Recall": "ocr_recall",
}  # fmt: skip
SOURCE = re.compile(r"arXiv \d{4}\.\d{5}\b|https://github\.com/\S+/\S+|\([A-Z]+ (19|20)\d\d\)")
"""A paper that can be looked up, or a repository."""
OURS = {"lpips_alex": "lpips", "musiq_koniq": "musiq", "maniqa_koniq": "maniqa", "clipiqa+": "clipiqa_plus"}
"""Ids of the product, by the list's names, where a source says which variant it is."""
CLASSIC = ("vdsr-bicubic", "srcnn-paper", "dat-supplement-table-2")


def test_every_value_of_the_original_list_is_here_and_no_other(shared: Path) -> None:
    with (shared / "published_claims.csv").open() as file:
        wanted = Counter(
            (
                row["method"].replace("(log)", "").replace("(paper)", ""),
                row["dataset"].replace("(ASASR)", "-ASASR").replace("(LucidFlux)", "-LucidFlux"),
                METRICS[row["metric"]],
                float(row["value"]),
            )
            for row in csv.DictReader(file)
        )
    ours = [value for value in published_values() if value.table not in CLASSIC]
    assert (
        Counter((value.method, value.dataset, OURS.get(value.metric, value.metric), value.value) for value in ours)
        == wanted
    )
    assert len(ours) == 1569


def test_printed_bicubic_rows() -> None:
    """The bicubic row of the classic tables at x4, as every paper since 2016 prints it."""
    found = {
        (value.dataset, value.metric): value.value
        for value in published_values()
        if value.table == "vdsr-bicubic" and value.protocol == "classic-x4"
    }
    assert [found[name, "psnr_y"] for name in ("Set5", "Set14", "BSD100", "Urban100")] == [28.42, 26.0, 25.96, 23.14]
    assert [found[name, "ssim_y"] for name in ("Set5", "Set14", "BSD100", "Urban100")] == [
        0.8104,
        0.7027,
        0.6675,
        0.6577,
    ]


def test_dat_light_is_the_best_of_its_printed_table() -> None:
    """As the bold figures of the picture say: a digit that was copied wrongly would probably break it."""
    values = {(value.dataset, value.scale, value.metric, value.method): value.value for value in published_values()
              if value.table == "dat-supplement-table-2"}  # fmt: skip
    assert len(values) == 90
    for (dataset, scale, metric, method), value in values.items():
        assert value <= values[dataset, scale, metric, "DAT-light"], (dataset, scale, metric, method)
    assert values["Set5", 4, "psnr_y", "DAT-light"] == 32.57
    assert values["BSD100", 2, "ssim_y", "DAT-light"] == 0.9019


def test_every_metric_is_the_products_or_says_why_not() -> None:
    for id, table in published_tables().items():
        used = {metric for one in table.sets for metric in one.metrics}
        assert all(reason.strip() for reason in table.elsewhere.values())
        for metric in used - set(table.elsewhere):
            assert get_metric(metric).id == metric, id
        assert not set(table.elsewhere) & set(shipped_metrics()), id


def test_every_protocol_is_the_products() -> None:
    used = {table.protocol for table in published_tables().values()}
    assert used <= set(protocol_names())


def test_every_table_names_its_source() -> None:
    for table in published_tables().values():
        assert SOURCE.search(table.source), table.source
        assert all(one.rows and one.metrics for one in table.sets)


@pytest.mark.parametrize("id", card_ids())
def test_sets_with_a_card_have_its_number_of_images(id: str) -> None:
    numbers = {value.images for value in published_values() if value.dataset == id}
    assert numbers <= {load_card(id).count, None}


def value(number: float, decimals: int) -> PublishedValue:
    return PublishedValue("t", "p", "d", "", 4, "files", None, "m", "psnr_y", number, decimals)


def test_a_rounded_value_is_no_contradiction() -> None:
    assert not value(25.1511, 4).contradicts(value(25.15, 2))
    assert not value(25.15, 2).contradicts(value(25.1511, 4))
    assert value(25.1561, 4).contradicts(value(25.15, 2))
    assert value(0.6326, 4).contradicts(value(0.6331, 4))
