"""The table of the kinds of model: what has to be known of each, before any of it is imported.

A new kind is one row here, and its own files: model, prior, recipe and preset (`examples/06_new_kind.py` adds one from
outside). Classes are named as ``module:Class`` and looked up when they are asked for, so importing this module imports
no network.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vqc.errors import CheckpointError, ContainerError

if TYPE_CHECKING:
    from vqc.models.base import CodecModel
    from vqc.models.prior import CodePrior

Media = Literal["image", "audio"]

NO_MODEL = 255  # stands in `.vqc` files for pictures without a model, so it is of no kind


class PriorKind(NamedTuple):
    """A kind of prior, which may serve several kinds of model."""

    name: str  # in model files
    prior: str
    config: str
    presets: tuple[str, ...]  # the first is the default, and what settings of runs call this kind
    seconds: tuple[float, float]  # of one core: for a million positions of codes, and besides for a million codes


class Kind(NamedTuple):
    """A kind of model."""

    name: str  # in model files, presets and settings
    wire_id: int  # in every .vqc file; odd: image, even: audio
    model: str
    config: str
    recipe: str
    presets: tuple[str, ...]  # the first is the default
    prior: PriorKind
    seconds: float  # of one core, to restore a million pixels, or a million samples at the model's rate
    part_presets: Mapping[str, str] = MappingProxyType({})  # of parts which have another than their own name
    is_default: bool = False  # the model of this name is used for its medium when none is asked for
    wants_thumbnails: bool = False  # `vqc eval` measures it on small images
    sample_files: int | None = None  # how many of the samples `vqc eval` compresses whole, if it is slow

    @property
    def media(self) -> Media:
        """The medium that it codes, which the format tells by the parity of the number."""
        return "image" if self.wire_id % 2 else "audio"

    @property
    def model_class(self) -> type[CodecModel]:
        found: type[CodecModel] = load(self.model)
        return found

    def preset_of(self, part: str) -> str:
        """The preset that a prior, likelihood or sharp decoder for models of this kind is trained with."""
        return self.prior.presets[0] if part == "prior" else self.part_presets.get(part, part)


class Trainable(NamedTuple):
    """A kind of model to train, or a part of a trained codec."""

    what: str  # image, audio, prior, likelihood or sharp: the command of `vqc train`
    name: str  # in model files
    config: str  # class of [model] in settings
    recipe: str
    presets: tuple[str, ...]

    @property
    def is_part(self) -> bool:
        """True for a part of a trained codec."""
        return self.what not in ("image", "audio")


_PIXELCNN = PriorKind(
    name="pixelcnn",
    prior="vqc.models.vqvae.priors:PixelCNNPrior",
    config="vqc.models.vqvae.priors:PixelCNNConfig",
    presets=("pixelcnn", "pixelcnn-maps", "pixelcnn-classes"),
    seconds=(70.0, 6.0),
)
_WAVENET = PriorKind(
    name="wavenet",
    prior="vqc.models.vqvae.priors:WaveNetPrior",
    config="vqc.models.vqvae.priors:WaveNetConfig",
    presets=("wavenet",),
    seconds=(70.0, 6.0),
)

# In the order in which messages list them. Numbers are in files: append, never change. Seconds were measured with the
# bundled models (59 million pixels of a photo took 1.6 GB of memory besides).
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="photo",
            wire_id=3,
            model="vqc.models.photo.model:PhotoModel",
            config="vqc.models.photo.model:PhotoConfig",
            recipe="vqc.training.photo.recipe:PhotoRecipe",
            presets=("photo",),
            prior=PriorKind(
                name="photo",
                prior="vqc.models.photo.prior:PhotoPrior",
                config="vqc.models.photo.prior:PhotoPriorConfig",
                presets=("photo-prior",),
                seconds=(0.0, 1.6),
            ),
            seconds=0.6,
            is_default=True,
        ),
        Kind(
            name="speech",
            wire_id=4,
            model="vqc.models.speech.model:SpeechModel",
            config="vqc.models.speech.model:SpeechConfig",
            recipe="vqc.training.speech.recipe:SpeechRecipe",
            presets=("speech",),
            prior=PriorKind(
                name="speech",
                prior="vqc.models.speech.prior:SpeechPrior",
                config="vqc.models.speech.prior:SpeechPriorConfig",
                presets=("speech-prior",),
                seconds=(150.0, 1.6),
            ),
            part_presets={"sharp": "sharp-speech"},
            seconds=0.65,
            is_default=True,
        ),
        Kind(
            name="image-vqvae",
            wire_id=1,
            model="vqc.models.vqvae.image:ImageVQVAE",
            config="vqc.models.vqvae.image:ImageVQVAEConfig",
            recipe="vqc.training.vqvae.recipe:ImageRecipe",
            presets=("images", "cifar10"),
            prior=_PIXELCNN,
            seconds=1.25,
            wants_thumbnails=True,
        ),
        Kind(
            name="image-maps",
            wire_id=5,
            model="vqc.models.image_maps.model:ImageMaps",
            config="vqc.models.image_maps.model:ImageMapsConfig",
            recipe="vqc.training.image_maps.recipe:MapsRecipe",
            presets=("cifar10-maps",),
            prior=_PIXELCNN,
            seconds=1.5,
            wants_thumbnails=True,
            sample_files=2,
        ),
        Kind(
            name="phones",
            wire_id=6,
            model="vqc.models.phones.model:PhonesModel",
            config="vqc.models.phones.model:PhonesConfig",
            recipe="vqc.training.phones.recipe:PhonesRecipe",
            presets=("phones",),
            prior=_WAVENET,
            seconds=0.35,
        ),
        Kind(
            name="voice",
            wire_id=8,
            model="vqc.models.voice.model:VoiceModel",
            config="vqc.models.voice.model:VoiceConfig",
            recipe="vqc.training.voice.recipe:VoiceRecipe",
            presets=("voice",),
            prior=_WAVENET,
            seconds=0.6,
        ),
        Kind(
            name="audio-vqvae",
            wire_id=2,
            model="vqc.models.vqvae.audio:AudioVQVAE",
            config="vqc.models.vqvae.audio:AudioVQVAEConfig",
            recipe="vqc.training.vqvae.recipe:AudioRecipe",
            presets=("librispeech", "librispeech-x4"),
            prior=_WAVENET,
            seconds=0.7,
        ),
    )
}


PRIOR_RECIPE = "vqc.training.parts.prior_recipe:PriorRecipe"
OTHER_PARTS = (
    Trainable(
        what="likelihood",
        name="likelihood",
        config="vqc.models.likelihood:LikelihoodConfig",
        recipe="vqc.training.parts.likelihood_recipe:LikelihoodRecipe",
        presets=("likelihood", "likelihood-maps"),
    ),
    Trainable(
        what="sharp",
        name="sharp",
        config="vqc.training.parts.perceptual:PerceptualConfig",
        recipe="vqc.training.parts.perceptual_recipe:PerceptualRecipe",
        presets=("sharp", "sharp-speech"),
    ),
)
STAGES = (  # of kinds whose networks are trained one after the other, each into a model file of the kind
    Trainable(
        what="audio",
        name="voice-content",
        config="vqc.models.voice.model:VoiceConfig",
        recipe="vqc.training.voice.content_recipe:ContentRecipe",
        presets=("voice-content",),
    ),
)


def register(kind: Kind) -> None:
    """Add a kind of one's own, for this process; ValueError when its name or its number is taken."""
    taken = {NO_MODEL, *(other.wire_id for other in KINDS.values())}
    if kind.name in KINDS or kind.wire_id in taken:
        raise ValueError(f"a kind of model has the name {kind.name!r} or the number {kind.wire_id} already")
    KINDS[kind.name] = kind


def kind_named(name: str) -> Kind:
    """The kind with this name; CheckpointError for one that this version does not know."""
    if name not in KINDS:
        raise CheckpointError(f"models of kind {name!r} are not known to this version of vqc; update vqc to use it")
    return KINDS[name]


def kind_numbered(wire_id: int) -> Kind:
    """The kind with this number in `.vqc` files; ContainerError for one that this version does not know."""
    for kind in KINDS.values():
        if kind.wire_id == wire_id:
            return kind
    raise ContainerError(f"the .vqc file needs codec {wire_id}, which this version of vqc does not know; update vqc")


def prior_kinds() -> dict[str, PriorKind]:
    """The kinds of prior by name."""
    return {kind.prior.name: kind.prior for kind in KINDS.values()}


def prior_kind_named(name: str) -> PriorKind:
    """The kind of prior with this name; CheckpointError for one that this version does not know."""
    if name not in prior_kinds():
        raise CheckpointError(f"priors of kind {name!r} are not known to this version of vqc; update vqc to use it")
    return prior_kinds()[name]


def default_model(media: Media) -> str:
    """The name of the model that is used for a medium when none is asked for."""
    return next(kind.name for kind in KINDS.values() if kind.is_default and kind.media == media)


def trainables() -> dict[str, Trainable]:
    """All that can be trained, by its `kind` in presets and settings of runs."""
    found = [
        Trainable(what=k.media, name=k.name, config=k.config, recipe=k.recipe, presets=k.presets)
        for k in KINDS.values()
    ]
    by_kind = {one.name: one for one in found}
    for prior in prior_kinds().values():
        by_kind[prior.presets[0]] = Trainable(
            what="prior", name=prior.name, config=prior.config, recipe=PRIOR_RECIPE, presets=prior.presets
        )
    return by_kind | {one.name: one for one in (*OTHER_PARTS, *STAGES)}


def presets_for(what: str) -> list[str]:
    """The presets that come with vqc for image, audio, prior, likelihood or sharp."""
    return [preset for one in trainables().values() if one.what == what for preset in one.presets]


def build_model(kind: str, config: Mapping[str, Any], *, where: str = "this model") -> CodecModel:
    """An untrained model of a kind from its config as a mapping; every key is checked."""
    from vqc.models.config import from_mapping

    row = kind_named(kind)
    return row.model_class(from_mapping(load(row.config), config, where=f"the config of {where}"))  # type: ignore[call-arg]


def build_prior(kind: str, config: Mapping[str, Any], codec: CodecModel, *, where: str = "this prior") -> CodePrior:
    """An untrained prior of a kind for a codec model, from its config as a mapping; every key is checked.

    CheckpointError: there is no such kind, it is not one for this codec, or the config does not fit.
    """
    from vqc.models.config import from_mapping

    row = prior_kind_named(kind)
    fitting = from_mapping(load(row.config), config, where=f"the config of {where}")
    try:
        prior: CodePrior = load(row.prior)(fitting, codec)
    except ValueError as error:
        raise CheckpointError(f"{where} is not one for models of kind {codec.kind}: {error}") from None
    device = codec.static_table.device
    return prior if device.type == "cpu" else prior.to(device)  # what a `Budget` made cannot be moved


def load(name: str) -> Any:
    """The class that ``module:Class`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
