"""Networks from a clone of the challenge's repository: stand-ins with the classes that it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from asasr_bench.methods.errors import MethodError, MissingWeightsError, UnknownMethodError
from asasr_bench.methods.networks.ntire_esr import challenge, ntire_ids
from asasr_bench.methods.reference import parse_reference
from asasr_bench.methods.registry import REGISTRY, resolve

CODE = """
import torch

class DSCF_Fused(torch.nn.Module):
    def __init__(self, num_in_ch, num_out_ch, feature_channels, upscale):
        super().__init__()
        assert (num_in_ch, num_out_ch, feature_channels, upscale) == (3, 3, 26, 4)
        self.body = torch.nn.Conv2d(3, 48, 3, padding=1)

    def forward(self, x):
        return torch.nn.functional.pixel_shuffle(self.body(x), 4)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one team, whose class has the name and arguments that ``test_demo.py`` gives it."""
    for folder in ("models", "model_zoo"):
        (tmp_path / "clone" / folder).mkdir(parents=True)
    (tmp_path / "clone" / "models" / "team15_DSCF_Fused.py").write_text(CODE)
    layer = torch.nn.Conv2d(3, 48, 3, padding=1)
    state = {"body.weight": layer.weight, "body.bias": layer.bias}
    torch.save({"params_ema": state}, tmp_path / "clone" / "model_zoo" / "team15_DSCF_Fused.pth")
    return tmp_path / "clone"


def test_a_team_restores_by_its_own_class_and_tensors(clone: Path) -> None:
    entry = resolve(f"NTIRE-ESR@{clone}#15")
    assert (entry.card.id, entry.card.licence, entry.card.scales) == ("NTIRE-ESR#15", "MIT", (4,))
    method = entry.load("cpu")
    lq = torch.rand(2, 3, 9, 7)
    state = torch.load(clone / "model_zoo" / "team15_DSCF_Fused.pth", weights_only=True)["params_ema"]
    planes = torch.nn.functional.conv2d(lq, state["body.weight"], state["body.bias"], padding=1)
    torch.testing.assert_close(method.restore(lq, 4, [0, 0]), torch.nn.functional.pixel_shuffle(planes, 4))
    assert method.card.parameters == 48 * 27 + 48
    with pytest.raises(MethodError, match="scale 4, not 2"):
        method.restore(lq, 2, [0, 0])
    assert resolve({"name": "ours", "id": "NTIRE-ESR#15", "folder": str(clone)}).card.id == "ours"


def test_code_and_tensors_belong_to_the_identity(clone: Path) -> None:
    before = resolve(f"NTIRE-ESR@{clone}#15").identity_of_all()
    assert before == resolve(f"other=NTIRE-ESR@{clone}#15").identity_of_all()
    (clone / "models" / "team15_DSCF_Fused.py").write_text(CODE + "\n# changed\n")
    assert resolve(f"NTIRE-ESR@{clone}#15").identity_of_all() != before


def test_what_is_missing_or_cannot_be_built_is_told(clone: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"clone https://github.com/Amazingren/NTIRE2026_ESR \(MIT\)"):
        resolve("NTIRE-ESR#15")
    with pytest.raises(MissingWeightsError, match=r"team18_DISP\.py is missing"):
        resolve(f"NTIRE-ESR@{clone}#18")
    with pytest.raises(UnknownMethodError, match="NTIRE-ESR@CLONE#TEAM"):
        resolve(f"NTIRE-ESR@{clone}#99")
    (clone / "models" / "team15_DSCF_Fused.py").write_text("import no_such_module")
    with pytest.raises(MethodError, match="needs no_such_module, which is not installed"):
        resolve(f"NTIRE-ESR@{clone}#15").load("cpu")
    (clone / "models" / "team15_DSCF_Fused.py").write_text(CODE.replace("self.body = ", "self.other = "))
    with pytest.raises(MethodError, match=r"team15_DSCF_Fused\.pth: RuntimeError"):
        resolve(f"NTIRE-ESR@{clone}#15").load("cpu")


def test_tensors_that_hold_code_are_refused(clone: Path) -> None:
    torch.save({"params": {"body.weight": Path("x")}}, clone / "model_zoo" / "team15_DSCF_Fused.pth")
    with pytest.raises(MethodError, match="UnpicklingError"):
        resolve(f"NTIRE-ESR@{clone}#15").load("cpu")


def test_all_teams_are_listed() -> None:
    assert set(ntire_ids()) <= set(REGISTRY.names())
    assert len(challenge().teams) == 15
    assert parse_reference("NTIRE-ESR@some/where#1").changed_fields() == {"id": "NTIRE-ESR#01", "folder": "some/where"}
