"""The section ``model`` of a configuration: a backbone, how it was trained, its adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from ..datasets.strict import Strict
from .choices import Family, LoraScope, Prediction, Resize, Role, Text

Number = Annotated[float, Field(strict=False)]
"""YAML may write it as an integer."""
Positive = Annotated[float, Field(gt=0, strict=False)]

HUB = "hub:"
"""Marks an adapter file on the Hub: ``hub:OWNER/REPO/PATH`` or ``hub:OWNER/REPO@REVISION/PATH``."""

_RANK = 16
"""Of the ASASR authors' ``dpo`` and ``adv`` adapters; their ``sr`` has 128."""


class HubFile(NamedTuple):
    """A file on the Hub."""

    repository: str
    """``OWNER/REPO``."""
    revision: str | None
    """Branch, tag or commit; None: the newest."""
    name: str
    """Path in the repository."""


def hub_file(reference: str) -> HubFile:
    """What ``hub:OWNER/REPO@REVISION/PATH`` means; the revision may be left out.

    Raises:
        ValueError: it has no such parts.
    """
    owner, _, path = reference.removeprefix(HUB).partition("/")
    repository, _, name = path.partition("/")
    repository, marked, revision = repository.partition("@")
    if not (owner and repository and name) or (marked and not revision):
        raise ValueError(f"'{reference}' is no file on the Hub; write hub:OWNER/REPO/PATH or hub:OWNER/REPO@REV/PATH")
    return HubFile(f"{owner}/{repository}", revision or None, name)


def names_a_folder(source: str, start: Path = Path()) -> bool:
    """Whether a source is a local folder, seen from ``start``, and not a name on the Hub."""
    path = Path(source).expanduser()
    return path.is_absolute() or path.parts[:1] in ((), ("..",)) or source.startswith("./") or (start / path).is_dir()


def _well_formed(path: str) -> str:
    if path.startswith(HUB):
        hub_file(path)
    return path


class TextConfig(Strict):
    """The text that the network is given: ``zeros``, or the ``empty`` prompt as the family's own encoders have it.

    The defaults are what trainings had before this key: UNets were trained with zeros.
    """

    training: Text = "zeros"
    sampling: Text = "zeros"


class NoiseConfig(Strict):
    """Noise at sigma 1, in every training stage and at the start of sampling; see ``noise.NoiseSource``."""

    s: Annotated[float, Field(ge=0, strict=False)] = 0.0
    size: Annotated[int, Field(ge=1)] = 64


class ModelConfig(Strict):
    """A backbone and its adapters."""

    family: Family
    source: str | None = None
    """Hub id or local folder in diffusers' layout. None: random weights from ``network`` and ``vae``."""
    revision: str | None = None
    """Commit, tag or branch of a source on the Hub; None: the newest."""
    network: dict[str, Any] = Field(default_factory=dict)
    """diffusers' configuration of the transformer or UNet, for random weights."""
    vae: dict[str, Any] = Field(default_factory=dict)
    """diffusers' configuration of ``AutoencoderKL``, for random weights; ``small`` works on pixels."""
    weights: str | None = None
    """Safetensors file of a whole trained network, in place of random weights."""
    seed: int = 0
    """Of random weights and new adapters."""
    scale: Annotated[int, Field(ge=1)] | None = None
    """Of the super-resolution; None: that of ``data``."""
    prediction: Prediction = "velocity"
    """Of ``small``; the other families predict what they were trained for."""
    patch: Annotated[int, Field(ge=1)] = 2
    """Of ``small``: side of the pixel blocks that become channels."""
    scope: LoraScope = "condition"
    """Of ``flux``: tokens that adapters act on."""
    text: TextConfig | None = None
    """None: zeros; for ``flux`` zeros in training and the empty prompt in sampling, as its authors have it."""
    resize: Resize = "bicubic"
    """How LQ images are brought to output size before they are encoded."""
    noise: NoiseConfig = NoiseConfig()
    rank: Annotated[int, Field(ge=1)] | dict[Role, Annotated[int, Field(ge=1)]] = _RANK
    alpha: Positive | dict[Role, Positive] = float(_RANK)
    """Rank and alpha of new adapters: of all roles, or by role (16 where one is not named)."""
    adapters: dict[Role, Annotated[str, AfterValidator(_well_formed)]] = Field(default_factory=dict)
    """Files of trained adapters; ``hub:OWNER/REPO@REVISION/PATH`` is one on the Hub, the revision may be left out."""

    def rank_of(self, role: Role) -> int:
        """Rank of a new adapter."""
        return self.rank if isinstance(self.rank, int) else self.rank.get(role, _RANK)

    def alpha_of(self, role: Role) -> float:
        """Alpha of a new adapter, which acts with ``alpha / rank``."""
        return self.alpha if isinstance(self.alpha, float) else self.alpha.get(role, float(_RANK))

    def text_in(self, phase: Literal["training", "sampling"]) -> Text:
        """What the network reads in a phase; random weights have no encoders, and read zeros."""
        if self.source is None or self.family == "small":
            return "zeros"
        text = self.text or TextConfig(sampling="empty" if self.family == "flux" else "zeros")
        return text.training if phase == "training" else text.sampling

    @property
    def reduction(self) -> int:
        """Image pixels along one latent's side."""
        if self.family == "small":
            return 1
        return int(2 ** (len(self.vae.get("block_out_channels", range(4))) - 1))

    @property
    def multiple(self) -> int:
        """What sides of latents must be multiples of; of a source of another shape than its family's it is not known
        before it is loaded."""
        if self.family == "flux":
            return 2
        blocks = self.network.get("block_out_channels", range(3 if self.family == "sdxl" else 4))
        return int((self.patch if self.family == "small" else 1) * 2 ** (len(blocks) - 1))
