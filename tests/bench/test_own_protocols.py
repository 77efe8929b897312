"""Protocols of other people: their values are in their names, so that two never share a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from asasr_bench.bench.protocols import ProtocolError, get_protocol, recorded_protocol
from asasr_bench.bench.spec import load_spec

CODE = """
from asasr_bench.bench.protocols import Protocol

MINE = Protocol("mine", 1, "Shaved by 2", shave=2)
FOURFOLD = Protocol("fourfold", 1, "Of scale 4", scale=4)
TAKEN = Protocol("asasr", 1, "")
SCALED = Protocol("classic-x3", 1, "")
FORGED = Protocol("a\\nb", 1, "")
OTHER = 1

def shaved(pixels):
    return Protocol("shaved", 1, "", shave=pixels)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CODE)
    return tmp_path / "own.py"


def test_values_are_in_the_name_and_words_are_not(code: Path) -> None:
    before = get_protocol("./own.py:MINE", 2)
    assert (before.shave, before.name.rpartition("-")[0]) == (2, "mine")
    code.write_text(CODE.replace("Shaved by 2", "Two pixels"))
    assert get_protocol("own:MINE", 2).name == before.name
    code.write_text(CODE.replace("shave=2", "shave=3"))
    assert get_protocol("./own.py:MINE", 2).name not in ("mine", before.name)


def test_arguments_and_a_name(code: Path) -> None:
    one, other = (
        get_protocol({"object": "./own.py:shaved", "args": {"pixels": pixels}, "name": "cut"}, 2) for pixels in (1, 2)
    )
    assert (one.shave, other.shave) == (1, 2)
    assert one.name.startswith("cut-")
    assert one.name != other.name
    assert other.name.rpartition("-")[2] == get_protocol("./own.py:MINE", 2).name.rpartition("-")[2]  # the same values


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("own:TAKEN", "is a protocol of asasr-bench itself"),
        ("own:SCALED", "is a protocol of asasr-bench itself"),
        ("own:FORGED", "cannot be printed"),
        ("own:OTHER", "cannot be made"),
        ("own:FOURFOLD", "is for scale 4, not 2"),
        ("own:shaved", "go into 'args'"),
        ("own:missing", "has no attribute"),
        ({"object": "own:MINE", "args": {"shave": 3}}, "takes no 'args'"),
        ({"object": "asasr", "name": "mine"}, "go with a protocol of your own"),
        ("asarr", "did you mean 'asasr'"),
    ],
)
def test_what_is_no_protocol_says_why(reference: str, told: str, code: Path) -> None:
    with pytest.raises(ProtocolError, match=told):
        get_protocol(reference, 2)


def test_a_store_keeps_the_values(code: Path) -> None:
    from dataclasses import asdict

    mine = get_protocol("own:MINE", 2)
    assert recorded_protocol(mine.name, [{}, asdict(mine)]) == mine
    assert recorded_protocol("asasr", []).name == "asasr"
    with pytest.raises(ProtocolError, match="unknown protocol"):
        recorded_protocol(mine.name, [])


def test_a_spec_finds_it_beside_itself(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "{name: s, metrics: [psnr_y], scale: 2, protocol: PROTOCOL}"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for protocol in ("./own.py:MINE", "own:MINE", "{object: './own.py:shaved', args: {pixels: 2}, name: mine}"):
        quoted = protocol if protocol.startswith("{") else f"'{protocol}'"
        (tmp_path / "spec.yaml").write_text(text.replace("PROTOCOL", quoted))
        spec = load_spec(tmp_path / "spec.yaml", {"scale": 3})
        assert get_protocol(spec.protocol, spec.scale).shave == 2
