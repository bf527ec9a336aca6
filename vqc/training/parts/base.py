"""The recipe that the parts of a trained codec share: its prior, its likelihood and its perceptual decoder.

A part is trained on data that the codec has seen or might see, and written into a copy of the codec's file. The codec
stays as it is, bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vqc.data.data_source import evenly_spaced
from vqc.errors import OptionError, TrainingError
from vqc.models.config import Config
from vqc.models.files.checkpoint import LoadedModel
from vqc.models.files.header import codec_digest
from vqc.models.files.zoo import load_model
from vqc.training.media import MEDIA
from vqc.training.recipe import Recipe
from vqc.training.sampling import check_not_empty
from vqc.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PartConfig(Config):
    """The codec of a part, and the data that are kept from it."""

    codec: str = ""  # model file
    codec_digest: str = ""  # of that without its prior; empty: any
    leave_out: str = ""  # items with this in their names are not trained on, such as images that have been compressed


class PartRecipe(Recipe):
    """A recipe whose task config is a `PartConfig`; see `vqc.training.recipe.Recipe`."""

    examples = "images or recordings"

    def codec(self, settings: Settings) -> LoadedModel:
        """The codec as its file has it; TrainingError when the file holds another by now."""
        loaded = load_model(settings.task.codec)
        expected = settings.task.codec_digest
        if expected not in ("", codec_digest(loaded.info.path)):
            raise TrainingError(f"{loaded.info.path} is no longer the codec {expected[:12]} that this run is for")
        return loaded

    def sample_rate(self, settings: Settings) -> int | None:
        return getattr(self.codec(settings).model, "sample_rate", None)

    def initialise(self, model: Any, dataset: Any, settings: Settings) -> None:
        """A part begins as it was built."""

    def held_out(self, dataset: Any, codec: Any, settings: Settings, crop: int) -> list[Tensor]:
        """Validation batches that the codec encodes whole, [B, 3, H, W] or [1, T].

        TrainingError: all of the data are smaller than one code.
        """
        medium, items = MEDIA[codec.media], evenly_spaced(dataset.validation, settings.task.validation_items)
        return check_not_empty(medium.held_out(dataset, items, medium.code_size(codec), crop), dataset)


def check_crop(crop: int, codec: Any, *, whole: bool = False) -> None:
    """OptionError unless a crop is of whole codes; 0 where `whole` images can be taken."""
    unit = MEDIA[codec.media].code_size(codec)
    if crop % unit or crop < (0 if whole else unit):
        raise OptionError(f"task.crop is {crop}; it must be a multiple of {unit}, the size of a code")


def no_batches(step: int) -> Any:
    """Batches of a task that only measures."""
    raise AssertionError("a task that measures asks for no batch")
