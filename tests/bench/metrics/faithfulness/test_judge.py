"""An external judge: what it is given, what its key holds, and every way in which it can fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from asasr_bench.bench.metrics.faithfulness.judge import judge_metric
from asasr_bench.bench.metrics.metric import Metric, MetricError
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.third_party import anchored
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png
from skimage import data

HR = np.ascontiguousarray(data.astronaut()[:32, 100:132])
SR = np.ascontiguousarray(np.clip(HR.astype(int) + 10, 0, 255).astype(np.uint8))
IMAGE = MetricInput(SR, HR, get_protocol("osediff-512", 4), np.ascontiguousarray(HR[::4, ::4]))
JUDGE = """
import json, sys
import numpy as np
from PIL import Image
sr, hr, prompt, answer = sys.argv[1:]
a, b = (np.asarray(Image.open(path)).astype(float) for path in (sr, hr))
times = int(open(prompt).read().split()[-1])
json.dump({"score": times * abs(a - b).mean(), "reason": "it looks so"}, open(answer, "w"))
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(program: str = JUDGE, words: str = "Count the levels, times 1", **changes: object) -> Path:
        (tmp_path / "judge.py").write_text(program)
        (tmp_path / "prompt.txt").write_text(words)
        content = {
            "name": "levels",
            "command": f"{sys.executable} judge.py {{sr}} {{hr}} {{prompt}} {{answer}}",
            "prompt": "prompt.txt",
            "prompt_version": "1",
            "direction": "lower",
            "low": 0,
            "high": 255,
            "files": [],
            **changes,
        }
        (tmp_path / "judge.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "judge.yaml"

    return write


def judge(path: Path) -> Metric:
    return judge_metric(f"judge:{path}")


def score(path: Path) -> float:
    (result,) = judge(path).measure([IMAGE], "cpu")
    return result.value


def test_it_gets_the_images_and_the_prompt_and_its_score_is_the_value(write: Write) -> None:
    assert score(write()) == pytest.approx(np.abs(SR.astype(float) - HR).mean())
    assert score(write(words="times 2")) == pytest.approx(2 * np.abs(SR.astype(float) - HR).mean())


def test_lq_comes_where_it_is_needed(write: Write) -> None:
    program = "import json, sys\nfrom PIL import Image\nw, h = Image.open(sys.argv[2]).size\n"
    program += "json.dump({'score': w * h}, open(sys.argv[3], 'w'))"
    command = f"{sys.executable} judge.py {{sr}} {{lq}} {{answer}} {{prompt}}"
    path = write(program, command=command, needs="lq")
    assert judge(path).card.needs == "lq"
    assert score(path) == 64


def test_every_part_of_it_is_in_its_key(write: Write, tmp_path: Path) -> None:
    first = judge(write()).implementation
    assert first == judge(write()).implementation
    assert "prompt 1 " in first
    others = [
        judge(write(words="Other words, times 1")).implementation,
        judge(write(prompt_version="2")).implementation,
        judge(write(program=JUDGE + "\n# changed")).implementation,
        judge(write(high=100)).implementation,
    ]
    (tmp_path / "model.bin").write_bytes(b"one")
    others.append(judge(write(files=["model.bin"])).implementation)
    (tmp_path / "model.bin").write_bytes(b"another")
    others.append(judge(write(files=["model.bin"])).implementation)
    assert len({first, *others}) == 7


def test_what_is_not_known_of_it_is_in_its_note(write: Write) -> None:
    assert judge(write()).card.note == ""
    assert "does not declare the files that it reads" in judge(write(files=None)).card.note


def test_a_missing_model_is_unavailable(write: Write) -> None:
    assert "of its 'files' is missing" in judge(write(files=["none.bin"])).missing()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no\\nGPU')", "judge 'levels': exit status 1; its last words: no GPU"),
        ("", "judge 'levels': it ended without an answer in {answer}"),
        ("import sys; open(sys.argv[4], 'w').write('fine')", "judge 'levels': its answer is no JSON"),
        ("import sys; open(sys.argv[4], 'w').write('[3]')", r"its answer has no number 'score': \[3\]"),
        ("import sys; open(sys.argv[4], 'w').write('{\"score\": \"3\"}')", "its answer has no number 'score'"),
        ("import sys; open(sys.argv[4], 'w').write('{\"score\": true}')", "its answer has no number 'score'"),
        ("import sys; open(sys.argv[4], 'w').write('{\"score\": NaN}')", "its answer has no number 'score'"),
        ("import sys; open(sys.argv[4], 'w').write('{\"score\": 256}')", "its score 256 is not within 0 and 255"),
    ],
)
def test_a_failure_is_one_clear_line_and_no_number(write: Write, program: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        score(write(program))
    assert "\n" not in str(raised.value)


def test_a_judge_that_does_not_end_is_ended(write: Write) -> None:
    with pytest.raises(ValueError, match=r"no end after 0\.5 s"):
        score(write("import time; time.sleep(60)", timeout=0.5))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": "judge {sr} {prompt} {answer}"}, r"does not say where \{hr\} goes"),
        ({"command": "judge {sr} {hr} {answer}"}, r"does not say where \{prompt\} goes"),
        ({"low": 300}, "'low' is below 'high'"),
        ({"name": "psnr_y"}, "'psnr_y' is an id of asasr-bench's own"),
        ({"name": "miou:x"}, "its name has a colon"),
        ({"prompt": "none.txt"}, "'prompt': no file .*none.txt"),
        ({"directon": "lower"}, "'directon': unknown key; did you mean 'direction'"),
    ],
)
def test_a_file_that_cannot_be_a_judge_is_told(write: Write, changes: dict[str, object], said: str) -> None:
    with pytest.raises(MetricError, match=said):
        judge(write(**changes))
    with pytest.raises(MetricError, match="cannot be read"):
        judge_metric("judge:none.yaml")


def test_a_run_measures_by_a_judge_beside_its_spec(write: Write, tmp_path: Path, session) -> None:
    write()
    write_png(tmp_path / "hr" / "a.png", HR)
    spec = {
        "name": "judged",
        "protocol": "osediff-512",
        "datasets": [{"name": "D", "hr": "hr"}],
        "methods": ["nearest"],
        "metrics": ["psnr_y", "judge:judge.yaml"],
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    result = session("run", "spec.yaml", "--store", "S", "--no-report")
    assert result.status == 0, result.err
    assert "levels" in result.out
    assert anchored("judge:judge.yaml", tmp_path) == f"judge:{(tmp_path / 'judge.yaml').resolve()}"
    assert get_metric(f"judge:{tmp_path / 'judge.yaml'}").id == "levels"
