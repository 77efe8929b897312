"""Results as files of others, and from them: foreign schemas are valid, and an import gives the same tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.exchange.document import ExchangeError
from asasr_bench.bench.exchange.every_eval_ever import Evaluator
from asasr_bench.bench.exchange.export_results import ExportOptions, export_results
from asasr_bench.bench.exchange.import_results import import_results, read_document
from asasr_bench.bench.exchange.reproduce import compare_with, read_results, steps
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.methods.published.values import imported_tables, values_of
from asasr_bench.reports.tables import to_csv, to_markdown
from results_schema import SCHEMA, text

OUT = {"json": "r.json", "parquet": "r.parquet", "eee": "eee"}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Path]) -> Path:
    """A store with everything: seeds, two sets, a metric of sets, an infinite value, cells without one, two runs."""
    root = make_store(tmp_path_factory.mktemp("origin") / "s", datasets=("D", "E"), images=6, seeds=(0, 1))
    rng = np.random.default_rng(3)
    fid = replace(get_metric("fid").card, version="1")
    with open_store(root, write=True) as store:
        outputs = [output for output in store.ledger() if output.place.method != "net-4"]
        run = store.begin_run("2024-06-01T10:00:00+00:00", {"name": "more", "hr": "/home/ann/photos"}, _provenance())
        store.add_metrics([fid, get_metric("psnr_y").card, get_metric("lsd").card])
        for number, output in enumerate(outputs):
            place = output.place
            cells = [CellRecord("fid", "done", f"fid-{number}", float("nan"), payload=rng.normal(size=(2, 8)))]
            if place.image == "image5":
                cells.append(CellRecord("psnr_y", "done", f"inf-{number}", float("inf")))
            if place.image == "image4" and place.dataset == "E":
                cells.append(CellRecord("ssim_y", "unavailable", message="/home/ann/weights.pth is missing"))
            record = OutputRecord(*place, "done", "files", output.lq, output.reference, output.restoration)
            store.commit([replace(record, cells=tuple(cells))], run)
        lost = OutputRecord("asasr", 4, "E", "image6", "net-4", 0, "failed", "files", message="out of memory")
        store.commit([lost], run)
        store.finish_run(run, "2024-06-01T11:00:00+00:00")
    return root


def _provenance() -> Any:
    from asasr_bench.bench.store.provenance import Provenance

    return Provenance(command="asasr-bench run /home/ann/spec.yaml", python="3.12", packages={"numpy": "1.0"})


def tables(root: Path) -> tuple[str, str, pd.DataFrame]:
    with open_store(root) as store:
        board = load_board(store, title="t")
        return to_csv(board), to_markdown(board), store.scores()


@pytest.mark.parametrize("format", sorted(OUT))
def test_an_import_of_an_export_gives_the_same_tables(origin: Path, tmp_path: Path, format: str) -> None:
    export_results(origin, format, tmp_path / OUT[format])
    import_results(tmp_path / OUT[format], tmp_path / "again")
    before, after = tables(origin), tables(tmp_path / "again")
    assert after[0] == before[0]  # to the last digit of a double
    assert after[1] == before[1]
    drop = ["message"]
    pd.testing.assert_frame_equal(after[2].drop(columns=drop), before[2].drop(columns=drop), check_exact=True)
    assert {"fid", "lsd"} <= set(before[2]["metric"])
    assert before[0].count("fid") > 2
    assert "unavailable" in before[1]
    # and what is exported again is the same document, but for the moment
    export_results(tmp_path / "again", "json", tmp_path / "second.json")
    first, second = (
        read_document(path).model_copy(update={"exported": "", "title": "", "runs": ()})
        for path in (tmp_path / OUT[format], tmp_path / "second.json")
    )
    same = first.model_copy(update={"table": ()}) == second.model_copy(update={"table": ()})
    assert same, "the documents differ"  # they are too long to be shown
    key = lambda row: (row.protocol, row.dataset, row.method, row.metric)  # noqa: E731
    assert sorted(first.table, key=key) == sorted(second.table, key=key)


def test_a_report_of_an_imported_store_has_no_images_and_the_same_numbers(origin: Path, tmp_path: Path) -> None:
    from asasr_bench.bench.publish.leaderboards import write_leaderboards, write_reports

    export_results(origin, "json", tmp_path / "r.json")
    import_results(tmp_path / "r.json", tmp_path / "again")
    paths = write_reports(tmp_path / "again", tmp_path / "report")
    assert {path.suffix for path in paths} == {".md", ".csv", ".tex", ".html"}
    write_leaderboards([tmp_path / "again", origin], tmp_path / "both")  # the same results, with pixels, merge


def test_documents_are_valid_by_the_published_schema(origin: Path, tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    assert SCHEMA.read_text(encoding="utf-8") == text(), "run tests/support/results_schema.py"
    export_results(origin, "json", tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    Draft202012Validator(json.loads(text())).validate(content)
    assert "/home/ann" not in (tmp_path / "r.json").read_text()
    assert any(cell["value"] == "Infinity" for output in content["outputs"] for cell in output["cells"])


def test_every_eval_ever_is_valid_by_its_own_schemas(origin: Path, tmp_path: Path) -> None:
    """The schemas are theirs (MIT, commit 9bce4136)."""
    from jsonschema import Draft7Validator

    schemas = Path(__file__).parent / "schemas"
    aggregate, instance = (
        Draft7Validator(json.loads((schemas / f"{name}.schema.json").read_text()))
        for name in ("eval", "instance_level_eval")
    )
    options = ExportOptions(Evaluator("A Laboratory", "third_party"))
    paths = export_results(origin, "eee", tmp_path, options)
    assert len(paths) == 6
    rows = 0
    for path in paths:
        if path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                instance.validate(json.loads(line))
                rows += 1
            continue
        content = json.loads(path.read_text())
        aggregate.validate(content)
        details = content["detailed_evaluation_results"]
        assert (tmp_path / details["file_path"]).is_file()
        results = {result["evaluation_result_id"] for result in content["evaluation_results"]}
        lines = [json.loads(line) for line in (tmp_path / details["file_path"]).read_text().splitlines()]
        assert len(lines) == details["total_rows"]
        assert {line["evaluation_result_id"] for line in lines} <= results
    with open_store(origin) as store:
        values = store.scores()["value"]
    assert rows == int(np.isfinite(values).sum())
    assert not aggregate.is_valid({**content, "unknown": 1})  # the validator can refuse


def test_means_of_aggregates_are_the_table(origin: Path, tmp_path: Path) -> None:
    for path in export_results(origin, "eee", tmp_path):
        if path.suffix != ".json":
            continue
        content = json.loads(path.read_text())
        lines = [
            json.loads(line)
            for line in (tmp_path / content["detailed_evaluation_results"]["file_path"]).read_text().splitlines()
        ]
        for result in content["evaluation_results"]:
            if result["metric_config"]["metric_id"] != "ssim_y":
                continue
            own = [
                (line["sample_id"], line["evaluation"]["score"])
                for line in lines
                if line["evaluation_result_id"] == result["evaluation_result_id"]
            ]
            mean = pd.DataFrame(own).groupby(0)[1].mean().mean()
            assert result["score_details"]["score"] == pytest.approx(mean, rel=1e-12)


def test_hub_files_are_read_by_the_hubs_own_library(origin: Path, tmp_path: Path) -> None:
    from huggingface_hub import parse_eval_result_entries

    options = ExportOptions(hub={"D": "laboratory/d-set"})
    paths = export_results(origin, "hf", tmp_path / "hub", options)
    results = [path for path in paths if path.parent.name == ".eval_results"]
    table = {(row.method, row.dataset, row.metric): row.value for row in _table(origin, tmp_path)}
    count = 0
    for path in results:
        for entry in parse_eval_result_entries(yaml.safe_load(path.read_text())):
            protocol, _, metric = entry.task_id.partition(".")
            name = path.stem
            assert protocol == "asasr"
            assert entry.dataset_id == {"D": "laboratory/d-set"}.get(name, name)
            assert entry.value == table[path.parent.parent.name, name, metric]
            count += 1
    assert count == sum(isinstance(value, float) for value in table.values())
    benchmark = yaml.safe_load((tmp_path / "hub" / "datasets" / "D" / "eval.yaml").read_text())
    tasks = {task["id"] for task in benchmark["tasks"]}
    assert {f"asasr.{metric}" for _, dataset, metric in table if dataset == "D"} == tasks
    assert set(benchmark) == {"name", "description", "evaluation_framework", "tasks"}
    with pytest.raises(ExchangeError, match="no such dataset"):
        export_results(origin, "hf", tmp_path / "x", ExportOptions(hub={"F": "a/b"}))


def _table(origin: Path, folder: Path) -> Any:
    export_results(origin, "json", folder / "table.json")
    return read_document(folder / "table.json").table


@pytest.mark.parametrize("format", ["hf", "model-card"])
def test_means_come_back_to_the_digit_beside_a_store(
    origin: Path, store: Path, tmp_path: Path, format: str, make_store: Callable[..., Path]
) -> None:
    export_results(origin, format, tmp_path / "means")
    imported = import_results(tmp_path / "means", store)
    expected = {
        (row.method, row.dataset, row.metric): row.value
        for row in _table(origin, tmp_path)
        if isinstance(row.value, float)
    }
    values = values_of(imported_tables(store))
    assert {(value.method, value.dataset, value.metric): value.value for value in values} == expected
    assert imported.claims == len(values) == len(expected)
    with open_store(store) as opened:
        board = load_board(opened, title="t", published=True)
    shown = board.published[board.published["dataset"] == "D"]
    assert set(shown["method"]) == {"bicubic", "net-2", "net-4"}
    assert "a claim of whoever wrote that file" in " ".join(board.sources.values())
    with open_store(store) as opened:
        assert load_board(opened, title="t").published.empty
    with pytest.raises(ExchangeError, match="is not a store"):
        import_results(tmp_path / "means", tmp_path / "nowhere")


def test_model_cards_have_an_index_that_the_hub_reads(origin: Path, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    (path, *_) = export_results(origin, "model-card", tmp_path / "cards")
    card = ModelCard.load(path)
    assert card.data.model_name == path.stem
    assert all(result.dataset_config == "asasr" for result in card.data.eval_results)
    assert "## Evaluation results" in card.text
    first = next(result for result in card.data.eval_results if result.metric_type == "ssim_y")
    assert f"{first.metric_value:.4f}" in card.text


def test_results_of_others_without_images_stand_beside_a_store(store: Path, tmp_path: Path) -> None:
    """An aggregate file as another program would write it."""
    content = {
        "schema_version": "0.3.0",
        "evaluation_id": "x",
        "retrieved_timestamp": "1",
        "source_metadata": {
            "source_type": "documentation",
            "source_organization_name": "A",
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "other", "version": "1"},
        "model_info": {
            "name": "Rival",
            "id": "a/rival",
            "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},
        },
        "evaluation_results": [
            {
                "evaluation_name": "D",
                "source_data": {"dataset_name": "D", "source_type": "other"},
                "metric_config": {
                    "metric_id": "psnr_y",
                    "lower_is_better": False,
                    "additional_details": {"protocol": "asasr"},
                },
                "score_details": {"score": 30.25, "uncertainty": {"num_samples": 6}},
            }
        ],
    }
    (tmp_path / "rival.json").write_text(json.dumps(content))
    import_results(tmp_path / "rival.json", store)
    with open_store(store) as opened:
        board = load_board(opened, title="t", published=True)
    assert [tuple(row) for row in board.published[["method", "metric", "value"]].to_numpy()] == [
        ("Rival", "psnr_y", 30.25)
    ]


def test_comparing_tells_which_digests_differ(origin: Path, tmp_path: Path) -> None:
    export_results(origin, "json", tmp_path / "r.json")
    document = read_document(tmp_path / "r.json")
    import_results(tmp_path / "r.json", tmp_path / "again")
    assert compare_with(document, tmp_path / "again").reproduced
    with sqlite3.connect(tmp_path / "again" / "store.sqlite") as database:
        (key,) = database.execute(
            "SELECT restoration FROM outputs WHERE dataset = 'D' AND image = 'image2' AND method = 'net-2' AND seed = 0"
        ).fetchone()
        database.execute("UPDATE restorations SET sr = ? WHERE key = ?", ("f" * 64, key))
    result = compare_with(document, tmp_path / "again")
    assert not result.reproduced
    assert len(result.digests) == 2  # the sets D and E have the same images here
    assert result.digests[0].startswith("D/image2, net-2: SR pixels ")
    assert result.digests[0].endswith("here ffffffffffff")


REFUSED = [
    ("r.json", '{"format": "other"}', "is no file of 'asasr-bench results'"),
    ("r.json", '{"format": "asasr-bench results", "version": 9}', "is of version 9"),
    ("r.json", "{", "is not valid JSON"),
    ("r.json", '{"a": NaN}', "NaN is no JSON number"),
    ("r.parquet", "PAR1", "cannot be read as Parquet"),
    ("r.yaml", "a: 1", "is a list of 'dataset' and 'value'"),
    ("r.yaml", "- {dataset: {id: x, task_id: y}, value: 1}", "states no metric and protocol"),
    ("r.yaml", "- {dataset: {id: x, task_id: a.b}, value: high}", "no number as 'value'"),
    ("r.md", "# A model\n", "has no results"),
    ("r.txt", "", "are read from .json, .parquet, .yaml, .md files"),
]


@pytest.mark.parametrize(("name", "content", "cause"), REFUSED)
def test_files_that_are_no_results_are_refused_by_name(tmp_path: Path, name: str, content: str, cause: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ExchangeError, match=cause) as refusal:
        import_results(tmp_path / name, tmp_path / "s")
    assert str(tmp_path / name) in str(refusal.value)
    assert not (tmp_path / "s").exists()


def test_documents_that_were_changed_are_refused(origin: Path, tmp_path: Path) -> None:
    export_results(origin, "json", tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())

    def refuse(cause: str, **changes: Any) -> None:
        (tmp_path / "x.json").write_text(json.dumps({**content, **changes}))
        with pytest.raises(ExchangeError, match=cause):
            import_results(tmp_path / "x.json", tmp_path / "s")
        assert not (tmp_path / "s").exists()

    refuse("names run 1, which it does not have", runs=[])
    refuse("twice", outputs=[content["outputs"][0]] * 2)
    refuse("unknown key", surprise=1)
    bad = json.loads(json.dumps(content["outputs"]))
    holder = next(cell for output in bad for cell in output["cells"] if cell["payload"])
    holder["payload"]["content"] = "AAAA"
    refuse("is not in the format of 'export'", outputs=bad)
    export_results(origin, "eee", tmp_path / "eee")
    samples = next((tmp_path / "eee").rglob("*.jsonl"))
    samples.write_text(samples.read_text().replace('"score": 0.', '"score": 1.', 1))
    with pytest.raises(ExchangeError, match="is not the file of which"):
        import_results(tmp_path / "eee", tmp_path / "s")


def test_the_command_line(store: Path, session: Any, tmp_path: Path) -> None:
    assert "nothing to write" in session("export", store).err
    assert "go together" in session("export", store, "--format", "json").err
    assert "unknown export format 'xml'" in session("export", store, "--format", "xml", "--out", "x").err
    result = session("export", store, "--format", "json", "--out", "r.json")
    assert (result.status, result.out.strip()) == (0, "r.json")
    result = session("import", "r.json", "--out", "again")
    assert result.out.startswith("18 outputs in again")
    assert session("import", "r.json", "--out", "again").err.count("has a store already") == 1
    result = session("export", "again", "--format", "model-card", "--out", "cards")
    assert "3 means" not in result.out
    result = session("import", "cards", "--out", "again")
    assert "12 means beside the results of again" in result.out
    report = session("report", "again", "--published", "--format", "md", "--out", "page")
    assert report.status == 0
    assert session("merge", "again", store, "--out", "both").status == 0
    chosen = ("--method", "net-2", "--metric", "psnr_y", "--name", "net-2=Ours")
    assert session("export", store, "--format", "json", "--out", "part.json", *chosen).status == 0
    part = read_document(tmp_path / "part.json")
    assert {(row.method, row.metric) for row in part.table} == {("Ours", "psnr_y")}
    assert [entry.id for entry in part.metrics] in ([], ["psnr_y"])
    assert session("import", "part.json", "--out", "part").out.startswith("6 outputs in part")


def test_reproduce_prints_and_runs_the_commands(session: Any, tmp_path: Path) -> None:
    from asasr_bench.datasets.images import write_png

    rng = np.random.default_rng(1)
    for number in range(2):
        write_png(tmp_path / "hr" / f"{number}.png", rng.integers(0, 256, (48, 48, 3), np.uint8))
    run = session("run", "classic-x4", "--dataset", "D=hr", "--method", "bicubic", "--store", "s")
    assert run.status == 0, run.err
    result = session("reproduce", "s", "--out", "again")
    assert result.status == 0
    assert "it was: asasr-bench run classic-x4 --dataset D=hr" in result.out
    assert (tmp_path / "again" / "reproduce.sh").read_text().endswith("/runs/reproduced\n")
    done = session("run", "again/run-1.yaml", "--store", "by-hand")
    assert done.status == 0, done.err
    (spec,) = (step.spec for step in steps(read_results(tmp_path / "s")))
    assert spec["datasets"] == [f"D={tmp_path / 'hr'}"]  # reproduce.sh works in the folder of its specs
    result = session("reproduce", "s", "--run", "--store", "new")
    assert (result.status, result.err.strip().splitlines()[-1]) == (0, "run 1 of 1: classic-x4")
    assert "4 values compared: 0 differ or are missing; 0 digests of pixels differ" in result.out
    write_png(tmp_path / "hr" / "1.png", rng.integers(0, 256, (48, 48, 3), np.uint8))
    result = session("reproduce", "s", "--run", "--store", "other")
    assert result.status == 1
    assert "D/1, bicubic: HR pixels" in result.out
    assert "2 differ or are missing; 3 digests of pixels differ" in result.out
    # A report in the store's folder leads to the store.
    assert session("reproduce", "s/report/leaderboard.html").status == 0
