"""Networks of the NTIRE 2026 challenge on efficient super-resolution, from a clone of its repository.

The reference is ``NTIRE-ESR@CLONE#TEAM``. The team's Python file in the clone is imported, like any code that a user
names; most files need nothing but torch. Weights are read as plain tensors. Images are restored without tiles, as in
the challenge.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ...datasets.fetch.digests import digest_of
from ...datasets.names import did_you_mean
from ...datasets.strict import Strict, read_yaml, validated
from ..entry import MethodEntry
from ..errors import MethodError, MissingWeightsError, UnknownMethodError
from ..interface import AnyMethod, Interface, MethodCard
from ..programs.recipes import head_of
from .tiling import blend_of, restore_tiled

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "NTIRE-ESR"
_SEPARATOR = "#"
_SCALE = 4


class Team(Strict):
    """One entry of the challenge."""

    file: str
    """Name of its files in ``models`` and ``model_zoo``."""
    network: Annotated[str, Field(alias="class")]
    """The class of ``models/FILE.py``."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    gpu: bool = False
    """Whether the network can only be built on a machine with a GPU."""


class Challenge(Strict):
    """The challenge's repository, and its teams by number."""

    repository: str
    commit: str
    licence: str
    teams: dict[str, Team]


@lru_cache(maxsize=1)
def challenge() -> Challenge:
    """Description of the challenge's repository, from ``ntire_esr.yaml``."""
    text = files(__package__).joinpath("ntire_esr.yaml").read_text(encoding="utf-8")
    return validated(Challenge, read_yaml(text, "ntire_esr.yaml", MethodError), "ntire_esr.yaml", MethodError)


def ntire_ids() -> tuple[str, ...]:
    """Ids of all teams."""
    return tuple(f"{PREFIX}{_SEPARATOR}{team}" for team in challenge().teams)


def split(text: str) -> tuple[str, str | None]:
    """Id and clone of ``NTIRE-ESR@CLONE#TEAM``."""
    head, _, team = text.partition(_SEPARATOR)
    _, _, clone = head.partition("@")
    return f"{PREFIX}{_SEPARATOR}{team.zfill(2)}", clone or None


class TeamNetwork:
    """A ``Method`` that runs one team's network.

    Args:
        card: description of the method.
        network: the loaded network, a torch module.
        tile: side of a tile's centre in LQ pixels; None: images are restored without tiles.
        overlap: context around a tile in LQ pixels.
    """

    def __init__(self, card: MethodCard, network: Any, tile: int | None, overlap: int) -> None:
        self.card = card
        self._network, self._tile, self._overlap = network, tile, overlap

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; deterministic, the seeds change nothing."""
        if scale != _SCALE:
            raise MethodError(f"{self.card.id} is a network for scale {_SCALE}, not {scale}; give --scale 4")
        if self._tile is None:
            result: Tensor = self._network(lq)
            return result
        return restore_tiled(
            self._network, lq, _SCALE, tile=self._tile, overlap=self._overlap, blend=blend_of(self._overlap)
        )


def ntire_entry(id: str, folder: str | None, *, tile: int | None, overlap: int) -> MethodEntry:
    """The method of a team, whether or not the user has a complete clone of the repository.

    Args:
        id: ``NTIRE-ESR#TEAM``.
        folder: the clone; None: the user named none.
        tile: side of a tile's centre in LQ pixels; None: images are restored without tiles.
        overlap: context around a tile in LQ pixels.

    Raises:
        UnknownMethodError: no team has this number.
    """
    description = challenge()
    number = id.partition(_SEPARATOR)[2]
    team = description.teams.get(number)
    if team is None:
        raise UnknownMethodError(f"unknown method '{id}'{did_you_mean(id, ntire_ids())}; write NTIRE-ESR@CLONE#TEAM")
    card = MethodCard(
        id,
        "regression",
        f"{team.network}, NTIRE 2026 efficient SR, team {number}",
        (_SCALE,),
        code=f"{description.repository} {description.commit}",
        licence=description.licence,
        weights=(f"models/{team.file}.py", f"model_zoo/{team.file}.pth"),
    )
    missing = _missing(id, number, team, folder)
    if missing or folder is None:

        def refuse(device: str) -> AnyMethod:
            raise MissingWeightsError(id, missing)

        return MethodEntry(card, Interface.TENSOR, refuse, {}, missing=missing, origin=PREFIX)
    code, weights = (Path(folder, name) for name in card.weights)
    digests = digest_of(code), digest_of(weights)

    def load(device: str) -> AnyMethod:
        network = _build(team, code, weights, device)
        if (digest_of(code), digest_of(weights)) != digests:
            raise MethodError(f"{code} or {weights} was replaced while it was read; run again")
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return TeamNetwork(replace(card, parameters=parameters), network, tile, overlap)

    settings: dict[str, object] = {"code": digests[0], "arguments": team.arguments, "commit": head_of(Path(folder))}
    settings |= {} if tile is None else {"tile": tile, "overlap": overlap, "blend": blend_of(overlap)}
    return MethodEntry(card, Interface.TENSOR, load, settings, digests[1], origin=PREFIX)


def _missing(id: str, number: str, team: Team, folder: str | None) -> str:
    description = challenge()
    advice = f"clone {description.repository} ({description.licence}) and name it: {PREFIX}@CLONE{_SEPARATOR}{number}"
    if folder is None:
        return f"{id}: {advice}"
    if not Path(folder).is_dir():
        return f"{id}: no folder {folder}; {advice}"
    for path in (f"models/{team.file}.py", f"model_zoo/{team.file}.pth"):
        if not Path(folder, path).is_file():
            return f"{id}: {Path(folder, path)} is missing; {advice}"
    return ""


def _build(team: Team, code: Path, weights: Path, device: str) -> Any:
    """Build a team's network and load its weights.

    Raises:
        MethodError: the code cannot be imported, the network cannot be built on this machine, or the weights do not
            fit it.
    """
    import torch

    name = f"asasr_bench_ntire_esr_{team.file}"
    spec = importlib.util.spec_from_file_location(name, code)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        sys.modules[name] = module  # pickle and dataclasses look the file's classes up here
        spec.loader.exec_module(module)
        network = getattr(module, team.network)(**team.arguments)
    except ModuleNotFoundError as error:
        raise MethodError(f"{code}: its code needs {error.name}, which is not installed here") from None
    except Exception as error:
        needs = "; its code can be built where there is a GPU alone" if team.gpu else ""
        raise MethodError(f"{code}: {type(error).__name__}: {str(error).splitlines()[0]}{needs}") from None
    finally:
        sys.modules.pop(name, None)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        for key in ("params_ema", "params", "state_dict", "model"):
            state = state[key] if isinstance(state.get(key), dict) else state
        strict = team.file != "team00_SPAN"  # the challenge's own program loads this one without strict names
        network.load_state_dict(state, strict=strict)
    except Exception as error:
        raise MethodError(f"{weights}: {type(error).__name__}: {str(error).splitlines()[0]}; get it again") from None
    return network.to(device).eval().requires_grad_(False)
