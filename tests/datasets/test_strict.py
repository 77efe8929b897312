"""The one reader of text from outside: bounds, wording, near names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from asasr_bench.datasets.errors import BenchError
from asasr_bench.datasets.names import did_you_mean
from asasr_bench.datasets.strict import Strict, YamlError, read_file, read_mapping, read_yaml, validated
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator


class Inner(Strict):
    folder: str
    kind: Literal["hq", "lq"] = "hq"
    void: Annotated[tuple[int, ...], Field(strict=False)] = ()


class Outer(Strict):
    name: str
    sets: Annotated[tuple[str | Inner, ...], Field(strict=False, min_length=1)]
    inner: Inner | None = None
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_no_test(self) -> Outer:
        if self.name == "test":
            raise ValueError("'test' is taken")
        return self


class RefusedError(BenchError):
    """As callers have their own."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"name": "a", "set": ["x"]}, "'sets': this key is missing; 'set': unknown key; did you mean 'sets'?"),
        ({"name": "a", "sets": [{"folder": "f", "kin": "hq"}]}, "'sets.0.kin': unknown key; did you mean 'kind'?"),
        ({"name": "a", "sets": [{}]}, "'sets.0.folder': this key is missing"),
        ({"name": "a", "sets": []}, "'sets': Tuple should have at least 1 item after validation, not 0"),
        ({"name": "a", "sets": ["x"], "inner": {"folder": "f", "kind": "hr"}},
         "'inner.kind': should be 'hq' or 'lq', not 'hr'"),
        ({"name": "a", "sets": ["x"], "inner": {"folder": "f", "q": 1}},
         "'inner.q': unknown key; known: folder, kind, void"),
        ({"name": 3, "sets": ["x"]}, "'name': should be a valid string, not 3"),
        ({"name": "test", "sets": ["x"]}, "'test' is taken"),
        ({"name": "a", "sets": ["x"], "weights": {"w.1": "x"}}, "'weights.w.1': should be a valid number, not 'x'"),
        ({"name": "a", "sets": [{"folder": "f", "void": ["x"]}]},
         "'sets.0.void.0': should be a valid integer, not 'x'"),
    ],
)  # fmt: skip
def test_a_refusal_names_file_place_cause_and_a_near_name(content: object, said: str) -> None:
    with pytest.raises(RefusedError) as error:
        validated(Outer, content, "file.yaml", RefusedError)
    assert str(error.value) == f"file.yaml: {said}"


def test_many_problems_are_counted() -> None:
    with pytest.raises(YamlError, match=r"; and 4 more$") as error:
        validated(Outer, {"name": "a", "sets": ["x"], **{f"zz{number}": 1 for number in range(9)}}, "f")
    assert str(error.value).count("unknown key") == 5


@pytest.mark.parametrize(
    ("name", "known", "listing", "said"),
    [
        ("psnr", ["psnr_y", "ssim_y"], "", "; did you mean 'psnr_y'?"),
        ("PSNR_Y", ["psnr_y"], "asasr-bench list metrics", "; did you mean 'psnr_y'? see 'asasr-bench list metrics'"),
        ("miuo:camvid", ["miou", "ap"], "", "; did you mean 'miou'?"),
        ("Set6", ["Set5", "Set14", "Sets", "Set8"], "", "; did you mean 'Sets', 'Set8' or 'Set5'?"),
        ("zzz", ["psnr_y", "ssim_y"], "", "; known: psnr_y, ssim_y"),
        ("zzz", list("abcdefghijklmn"), "", "; known: a, b, c, d, e, f, g, h, i, j, k, l and 2 more"),
        ("zzz", ["psnr_y"], "asasr-bench list metrics", "; see 'asasr-bench list metrics'"),
        ("zzz", [], "", "; known: none"),
    ],
)
def test_near_names_or_where_to_find_one(name: str, known: list[str], listing: str, said: str) -> None:
    assert did_you_mean(name, known, listing) == said


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_PLAIN)
def test_plain_values_are_read_as_pyyaml_reads_them(value: object) -> None:
    text = yaml.safe_dump(value)
    assert read_yaml(text, "x") == yaml.safe_load(text) == value


def test_depth_counts_what_aliases_stand_for() -> None:
    lines = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 30))
    assert len(read_yaml(lines, "x")) == 30
    with pytest.raises(YamlError, match="nested more than 40 deep"):
        read_yaml(lines + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(30, 60)), "x")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda path: read_file(path / "none.yaml", RefusedError), "cannot be read"),
        (lambda path: read_mapping("[1]", "f.yaml", "a spec", RefusedError), "f.yaml: a spec is a mapping"),
        (lambda path: read_yaml("a: [", "f.yaml", RefusedError), "f.yaml: not valid YAML"),
    ],
)
def test_the_caller_chooses_the_error(read: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=said):
        read(tmp_path)
