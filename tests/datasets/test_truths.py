"""Ground truth in the formats in which sets come."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.dataset import folder_dataset
from asasr_bench.datasets.ground_truth.attach import parse_truth_option, with_truth
from asasr_bench.datasets.ground_truth.instances import read_instances
from asasr_bench.datasets.ground_truth.kinds import VOID, Instances, Labels, Text, TruthError, Word
from asasr_bench.datasets.ground_truth.text import read_text_truth
from asasr_bench.datasets.images import write_png


def test_icdar_2015_and_2013(tmp_path: Path) -> None:
    (tmp_path / "gt_img_1.txt").write_text(
        "\ufeff377,117,463,117,465,130,378,130,Genaxis, Theatre\r\n1,2,3,2,3,4,1,4,###\r\n", encoding="utf-8"
    )
    (tmp_path / "img_2.txt").write_text('38, 43, 920, 215, "Tiredness"\n\n')
    truth = read_text_truth(tmp_path)
    assert truth["img_1"][0] == Word("Genaxis, Theatre", ((377, 117), (463, 117), (465, 130), (378, 130)))
    assert truth["img_1"][1].ignored
    assert truth["img_2"] == (Word("Tiredness", ((38, 43), (920, 43), (920, 215), (38, 215))),)
    (tmp_path / "img_2.txt").write_text("38 43 920\n")
    with pytest.raises(TruthError, match=r"img_2.txt, line 1"):
        read_text_truth(tmp_path)


def test_mmocr_textocr_and_lines(tmp_path: Path) -> None:
    instances = [
        {"polygon": [0, 0, 4, 0, 4, 2, 0, 2], "text": "a", "ignore": True},
        {"bbox": [0, 0, 4, 2], "text": "b"},
        {"text": "whole"},
    ]
    (tmp_path / "m.json").write_text(json.dumps({"data_list": [{"img_path": "x/one.jpg", "instances": instances}]}))
    first, second, third = read_text_truth(tmp_path / "m.json")["one"]
    assert first.ignored
    assert first.polygon == second.polygon
    assert third == Word("whole")
    document = {
        "imgs": {"7": {"file_name": "train/7.jpg"}, "8": {}},
        "anns": {"7_1": {"image_id": "7", "utf8_string": ".", "points": [0, 0, 1, 0, 1, 1]}},
    }
    (tmp_path / "t.json").write_text(json.dumps(document))
    assert read_text_truth(tmp_path / "t.json") == {"7": (Word(".", ((0, 0), (1, 0), (1, 1)), ignored=True),), "8": ()}
    (tmp_path / "lines.txt").write_text("a.png\ttwo words\nb.png one\n")
    assert read_text_truth(tmp_path / "lines.txt") == {"a": (Word("two words"),), "b": (Word("one"),)}
    for name, content in (("bad.json", "{"), ("other.json", "{}"), ("bad.txt", "a.png\n")):
        (tmp_path / name).write_text(content)
        with pytest.raises(TruthError, match=name):
            read_text_truth(tmp_path / name)


@pytest.mark.parametrize("key", ["bbox", "category_id"])
def test_an_annotation_that_lacks_what_measures_need_is_told(tmp_path: Path, key: str) -> None:
    annotation = {"id": 7, "image_id": 0, "category_id": 3, "bbox": [1, 1, 4, 4], "area": 16}
    del annotation[key]
    document = {
        "images": [{"id": 0, "file_name": "a.jpg", "height": 8, "width": 10}],
        "annotations": [annotation],
        "categories": [{"id": 3, "name": "cup"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    with pytest.raises(TruthError, match=rf"coco\.json: annotation 7 of image 0 has no '{key}'"):
        read_instances(tmp_path / "coco.json")


def test_images_get_their_truth_by_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_png(tmp_path / "hr" / f"{name}.png", np.zeros((8, 10, 3), dtype=np.uint8))
        write_png(tmp_path / "labels" / f"{name}.png", np.full((8, 10), 11, dtype=np.uint8))
    document = {
        "images": [{"id": k, "file_name": f"{name}.jpg", "height": 8, "width": 10} for k, name in enumerate("ab")],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 1, 4, 4], "area": 16}],
        "categories": [{"id": 3, "name": "cup"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    dataset = folder_dataset("s", hr=tmp_path / "hr", scale=4)
    dataset = with_truth(dataset, "labels", tmp_path / "labels", void=(11,))
    dataset = with_truth(dataset, "instances", tmp_path / "coco.json")
    loaded = {(sample.image, source.kind): source.load(8, 8) for sample in dataset.samples for source in sample.truths}
    labels, cups, none = loaded["a", "labels"], loaded["a", "instances"], loaded["b", "instances"]
    assert isinstance(labels, Labels)
    assert labels.map.shape == (8, 8)
    assert (labels.map == VOID).all()
    assert isinstance(cups, Instances)
    assert cups.annotations[0]["iscrowd"] == 0
    assert cups.size == (8, 10)
    assert isinstance(none, Instances)
    assert none.annotations == ()
    assert none.categories == {3: "cup"}
    (tmp_path / "words.txt").write_text("a.png\thello\n")
    with pytest.raises(TruthError, match="no text truth of b"):
        with_truth(dataset, "text", tmp_path / "words.txt")
    with pytest.raises(TruthError, match="check the path"):
        with_truth(dataset, "text", tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bbox": None}, "annotation 7: 'bbox' has to be"),
        ({"bbox": [1, 2, 3]}, "annotation 7: 'bbox' has to be"),
        ({"category_id": 4}, "annotation 7: category 4 is not among"),
    ],
)
def test_objects_that_cannot_be_scored_are_told(changed: dict[str, object], said: str, tmp_path: Path) -> None:
    annotation = {"id": 7, "image_id": 0, "category_id": 3, "bbox": [1, 1, 4, 4]}
    document = {
        "images": [{"id": 0, "file_name": "a.jpg", "height": 8, "width": 10}],
        "annotations": [annotation],
        "categories": [{"id": 3, "name": "cup"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    assert list(read_instances(tmp_path / "coco.json")) == ["a"]  # an area may be missing
    (tmp_path / "coco.json").write_text(json.dumps({**document, "annotations": [{**annotation, **changed}]}))
    with pytest.raises(TruthError, match=rf"coco\.json: .*{said}"):
        read_instances(tmp_path / "coco.json")


def test_real_mmocr_files(shared: Path) -> None:
    words = read_text_truth(shared / "data/TextToy/rec_toy_dataset/labels.json")
    lines = read_text_truth(shared / "data/TextToy/rec_toy_dataset/old_label.txt")
    assert words == lines
    assert words["1036169"] == (Word("03/09/2009"),)
    scenes = read_text_truth(shared / "data/TextToy/det_toy_dataset/textdet_test.json")
    assert len(scenes) == 10
    assert sum(word.ignored for words in scenes.values() for word in words) > 0


def test_truth_of_drawn_scenes_comes_with_their_card(tmp_path: Path) -> None:
    from asasr_bench.datasets.find import open_dataset

    source = open_dataset("demo-text", scale=4, root=tmp_path).samples[0].truths[0]
    text = source.load(256, 256)
    assert isinstance(text, Text)
    assert all(len(word.polygon) == 4 for word in text.words)


def test_truth_options() -> None:
    assert parse_truth_option("a=text:x:y.json") == ("a", "text", Path("x:y.json"), (VOID,))
    assert parse_truth_option("a=labels:d,void=11") == ("a", "labels", Path("d"), (11,))
    for wrong in ("a", "a=text", "a=words:x", "=text:x", "a=labels:d,void=x"):
        with pytest.raises(TruthError, match="DATASET=KIND:PATH"):
            parse_truth_option(wrong)
