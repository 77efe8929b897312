"""No score is kept when what made the pixels changed: runs in one process and in several, against fresh stores."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import open_store
from asasr_bench.bench.execute.run import Summary, run
from asasr_bench.bench.spec import load_spec, parse_spec
from asasr_bench.datasets.images import write_png

NET = """
from asasr_bench.methods.interface import MethodCard
class Net:
    card = MethodCard('net', 'regression', 'Repeats pixels, darker')
    weight_files = ()
    def __init__(self, gain=1.0):
        self.gain = gain
    def restore(self, lq, scale, seeds):
        return self.gain * lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
"""

Values = dict[str, float]
Evaluate = Callable[..., Values]


@pytest.fixture(autouse=True)
def _own_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield
    sys.path[:] = path
    _forget()


def _forget() -> None:
    """What a new process does: import anew."""
    for name, module in list(sys.modules.items()):
        if "pytest-of-" in str(getattr(module, "__file__", "") or ""):
            del sys.modules[name]


@pytest.fixture
def hr(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(2):
        write_png(tmp_path / "hr" / f"image{number}.png", np.ascontiguousarray(photo[90 * number :][:64, :64]))
    return tmp_path / "hr"


def _values(store: Path) -> Values:
    with open_store(store) as opened:
        scores = opened.scores()
    assert set(scores["status"]) == {"done"}, set(scores["message"])
    return {str(name): float(mean) for name, mean in scores.groupby("method")["value"].mean().items()}


@pytest.fixture
def evaluated(tmp_path: Path, hr: Path) -> Callable[..., tuple[Values, Summary]]:
    """Run methods into a store; a fresh store where none is named."""
    fresh = (tmp_path / f"fresh{number}" for number in itertools.count())

    def evaluated(*methods: Any, store: str = "", **more: Any) -> tuple[Values, Summary]:
        folder = tmp_path / store if store else next(fresh)
        keys = {"methods": list(methods), "metrics": ["psnr_y"], "datasets": [f"D={hr}"], "device": "cpu", **more}
        summary = run(load_spec("classic-x4-float", keys), folder)
        return _values(folder), summary

    return evaluated


def test_instances_of_one_class_keep_their_own_scores(tmp_path: Path, evaluated) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    (tmp_path / "conf.py").write_text("from sharp import Net\nweak = Net(1.0)\nstrong = Net(0.8)\n")
    methods = "weak=conf:weak", "strong=conf:strong"
    first, _ = evaluated(*methods, store="S")
    assert first["weak"] > first["strong"] + 3
    again, summary = evaluated(*methods, store="S")
    assert (again, summary.measured) == (first, 0)
    assert evaluated(methods[1])[0] == {"strong": first["strong"]}


@pytest.mark.parametrize("reference", ["fac:make", "./fac.py:make"])
def test_an_edited_factory_or_helper_is_done_again(tmp_path: Path, evaluated, reference: str) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    (tmp_path / "fac.py").write_text("from sharp import Net\ndef make(): return Net(1.0)\n")
    before, _ = evaluated(reference, store="S")
    for file, source in (
        ("fac.py", "from sharp import Net\ndef make(): return Net(0.8)\n"),
        ("sharp.py", NET.replace("self.gain *", "self.gain * 0.5 *")),
    ):
        (tmp_path / file).write_text(source)
        _forget()
        after, summary = evaluated(reference, store="S")
        assert summary.measured == 2
        _forget()
        assert after == evaluated(reference)[0] != before
        before = after


def test_code_edited_in_a_running_process_is_refused_until_it_is_reloaded(tmp_path: Path, evaluated) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    before, _ = evaluated("sharp:Net", store="S")
    (tmp_path / "sharp.py").write_text(NET.replace("gain=1.0", "gain=0.8"))
    with pytest.raises(Exception, match=r"sharp\.py was changed after this process imported it"):
        evaluated("sharp:Net", store="S")
    importlib.reload(sys.modules["sharp"])
    after, _ = evaluated("sharp:Net", store="S")
    assert after["net"] < before["net"] - 3


def _compact(path: Path, seed: int) -> None:
    import torch
    from safetensors.torch import save_file
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.manual_seed(seed)
    network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=1, upscale=4)
    save_file(network.state_dict(), path)


def test_a_weight_file_replaced_between_two_evaluations_of_one_process(tmp_path: Path, evaluated) -> None:
    file = tmp_path / "net.safetensors"
    _compact(file, 1)
    first, _ = evaluated(str(file), store="S")
    _compact(file, 2)
    second, summary = evaluated(str(file), store="S")
    assert summary.measured == 2
    assert second == evaluated(str(file))[0] != first
    _compact(file, 1)
    assert evaluated(str(file), store="S")[0] == first


DECLARED = """
from pathlib import Path
from asasr_bench.methods.interface import MethodCard
class Net:
    card = MethodCard('net', 'regression', 'Repeats pixels, darker')
    def __init__(self, file):
        self.weight_files = (file,)
        self.gain = float(Path(file).read_text())
    def restore(self, lq, scale, seeds):
        return self.gain * lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
"""


def test_declared_weight_files_and_arguments(tmp_path: Path, evaluated) -> None:
    (tmp_path / "declared.py").write_text(DECLARED)
    (tmp_path / "a.txt").write_text("1.0")
    (tmp_path / "b.txt").write_text("0.8")
    methods = [{"name": name, "object": "declared:Net", "args": {"file": f"{name}.txt"}} for name in "ab"]
    first, _ = evaluated(*methods, store="S")
    assert first["a"] > first["b"] + 3
    (tmp_path / "a.txt").write_text("0.8")
    second, _ = evaluated(*methods, store="S")
    assert second == {"a": first["b"], "b": first["b"]}
    with open_store(tmp_path / "S") as opened:
        assert [card.incomplete for card in opened.methods().values()] == ["", ""]


def test_an_instance_older_than_its_weight_file_is_refused(tmp_path: Path, evaluated) -> None:
    (tmp_path / "declared.py").write_text(DECLARED + "\nnet = Net('a.txt')\ndef held(): return net\n")
    (tmp_path / "a.txt").write_text("1.0")
    for reference in ("declared:net", "declared:held"):
        evaluated(reference, store="S")
    (tmp_path / "a.txt").write_text("0.8")
    for reference in ("declared:net", "declared:held"):
        with pytest.raises(Exception, match=r"weight files of .(net|held). were changed after it was made"):
            evaluated(reference, store="S")
    importlib.reload(sys.modules["declared"])
    assert evaluated("declared:net", store="S")[0] == evaluated("declared:net")[0]


def test_what_is_not_known_goes_into_the_store(tmp_path: Path, evaluated) -> None:
    (tmp_path / "sharp.py").write_text(NET.replace("    weight_files = ()\n", ""))
    evaluated("sharp:Net", "bicubic", store="S")
    with open_store(tmp_path / "S") as opened:
        cards = opened.methods()
    assert "identity incomplete: it does not declare its weight files" in cards["net"].incomplete
    assert cards["bicubic"].incomplete == ""


SPEC = """
name: mine
protocol: classic-x4-float
datasets: [{name: D, hr: hr}]
methods:
  - sharp:Net
  - dark=./dark.py:Net
  - {name: darker, object: "sharp:Net", args: {gain: 0.5}}
metrics: [psnr_y]
device: cpu
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_methods_beside_a_spec_are_found_from_anywhere(tmp_path: Path, hr: Path, monkeypatch, workers: int) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    (tmp_path / "dark.py").write_text(NET.replace("1.0", "0.8"))
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    spec = load_spec(tmp_path / "spec.yaml", {"workers": workers})
    run(spec, tmp_path / "S")
    result = _values(tmp_path / "S")
    assert result["net"] > result["dark"] > result["darker"]
    moved = parse_spec(SPEC, origin="spec", base=tmp_path)
    assert run(moved, tmp_path / "S").measured == 0


def test_the_working_folder_is_importable(tmp_path: Path, hr: Path, session) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    write_png(tmp_path / "lq.png", np.zeros((8, 8, 3), np.uint8))
    for method in ("sharp:Net", "./sharp.py:Net", "mine=sharp.py:Net"):
        assert session("restore", method, "lq.png", "sr.png", "--device", "cpu").status == 0
    result = session("restore", "shrap:Net", "lq.png", "sr.png")
    assert result.status != 0
    assert str(tmp_path) in result.err
    assert "installed packages" in result.err


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"object": "sharp:Net", "args": {"gian": 1}}, "args"),
        ({"object": "conf:net", "args": {"gain": 1}}, "takes no 'args'"),
        ({"id": "bicubic", "args": {"gain": 1}}, "'args' goes with 'object'"),
        ("conf:odd", "family 'nonsense'"),
        ("conf:leave", "SystemExit"),
        ("sys:exit", "SystemExit"),
    ],
)
def test_wrong_objects_are_told(tmp_path: Path, evaluated, entry, said: str) -> None:
    (tmp_path / "sharp.py").write_text(NET)
    (tmp_path / "conf.py").write_text(
        NET.replace("'regression'", "'nonsense'") + "\nimport sharp, sys\nnet = sharp.Net()\nodd = Net()\n"
        "def leave(): sys.exit(0)\n"
    )
    with pytest.raises(Exception, match=said):
        evaluated(entry)
