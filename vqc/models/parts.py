"""Parts of a codec model that are trained after it, and the table of all that can be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vqc.models.kinds import KINDS, prior_kinds


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a codec model."""

    name: str  # of the command of `vqc train`, and in settings of runs
    recipe: str
    config: str
    presets: tuple[str, ...]


PRIOR_RECIPE = "vqc.training.parts.prior_recipe:PriorRecipe"
LIKELIHOOD = Part(
    name="likelihood",
    recipe="vqc.training.parts.likelihood_recipe:LikelihoodRecipe",
    config="vqc.models.likelihood:LikelihoodConfig",
    presets=("likelihood", "likelihood-maps"),
)
PERCEPTUAL = Part(
    name="sharp",
    recipe="vqc.training.parts.perceptual_recipe:PerceptualRecipe",
    config="vqc.training.parts.perceptual:PerceptualConfig",
    presets=("sharp", "sharp-speech"),
)


class Trainable(NamedTuple):
    """What can be trained: a kind of model, or a part for a codec that is there."""

    what: str  # image, audio, prior, likelihood or sharp: the command of `vqc train`
    name: str  # in model files
    config: str  # class of [model] in settings
    recipe: str
    presets: tuple[str, ...]

    @property
    def is_part(self) -> bool:
        """Whether it is trained for a codec that is there."""
        return self.what not in ("image", "audio")


def trainables() -> dict[str, Trainable]:
    """What settings of runs call a kind, and what that is."""
    found = {k.name: Trainable(k.media, k.name, k.config, k.recipe, k.presets) for k in KINDS.values()}
    for prior in prior_kinds().values():
        found[prior.presets[0]] = Trainable("prior", prior.name, prior.config, PRIOR_RECIPE, prior.presets)
    for part in (LIKELIHOOD, PERCEPTUAL):
        found[part.name] = Trainable(part.name, part.name, part.config, part.recipe, part.presets)
    return found


def presets_for(what: str) -> list[str]:
    """The presets that come with vqc for image, audio, prior, likelihood or sharp."""
    return [preset for one in trainables().values() if one.what == what for preset in one.presets]
