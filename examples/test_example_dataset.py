"""What a benchmark asks of a dataset: files that are there, under names of their own, in a fixed order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from asasr_bench.bench.plan.find_datasets import find_dataset
from asasr_bench.bench.spec import DatasetEntry


def test_every_image_is_there() -> None:
    with tempfile.TemporaryDirectory() as folder:
        code = f"{Path(__file__).with_name('example_dataset.py')}:example_dataset"
        entry = DatasetEntry(object=code, args={"folder": f"{folder}/hr"}, name="mine")
        dataset = find_dataset(entry, scale=2)
        assert dataset == find_dataset(entry, scale=2)
        assert [sample.image for sample in dataset.samples] == ["grating1", "grating2", "grating3"]
        assert all(sample.hr is not None and sample.hr.is_file() for sample in dataset.samples)
