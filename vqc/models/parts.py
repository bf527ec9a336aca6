"""Parts of a codec model that are trained after it, and their way into its file.

A part lives in its codec's file: its tensors under a prefix, its description under a key of the same name. Nothing here
imports torch before it builds something.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from vqc.errors import CheckpointError
from vqc.models.config import config_to_dict, from_mapping
from vqc.models.files.tensors import StoredTensor, digest_tensors
from vqc.models.kinds import build_prior

if TYPE_CHECKING:
    from torch import nn

    from vqc.models.base import CodecModel


class Part(ABC):
    """A part of a codec model. Stored names never change: files have them."""

    name: ClassVar[str]  # in model files; also of its command of `vqc train`
    attribute: ClassVar[str]  # of a `CodecModel`
    title: ClassVar[str]  # in messages
    fields: ClassVar[tuple[str, ...]]  # of its description
    optional: ClassVar[tuple[str, ...]] = ("training", "figures")  # those of them that may be left out
    in_digest: ClassVar[bool] = False  # whether it decides about bytes of files; then it is stored as it is

    @property
    def prefix(self) -> str:
        """Beginning of the stored names of its tensors."""
        return f"{self.name}."

    @property
    def told(self) -> tuple[str, ...]:
        """The fields that whoever saves it tells."""
        return tuple(name for name in self.fields if name in ("training", "figures"))

    def of(self, model: CodecModel) -> nn.Module | None:
        """The part that a model has, if any."""
        found: nn.Module | None = getattr(model, self.attribute)
        return found

    @abstractmethod
    def build(self, described: Mapping[str, Any], model: CodecModel, where: str) -> nn.Module:
        """The part that a description asks for, to be filled; CheckpointError when the model can have none such."""

    @abstractmethod
    def describe(self, part: Any, tensors: Sequence[StoredTensor]) -> dict[str, Any]:
        """Describe a part and its tensors for a model file, without `training` and `figures`."""

    def attach(self, model: CodecModel, part: Any) -> None:
        """Give a model this part."""
        setattr(model, self.attribute, part.eval().requires_grad_(False))


class PriorPart(Part):
    """Probabilities of the codes: without it files are longer, and others."""

    name = attribute = title = "prior"
    fields = ("kind", "config", "parameters", "training", "figures")
    in_digest = True

    def build(self, described: Mapping[str, Any], model: CodecModel, where: str) -> nn.Module:
        prior = build_prior(described["kind"], described["config"], model, where=where)
        prior.quantize_(check=False)  # whoever fills it checks what it is filled with
        return prior

    def describe(self, part: Any, tensors: Sequence[StoredTensor]) -> dict[str, Any]:
        return {"kind": part.kind, "config": config_to_dict(part.config), "parameters": _elements(tensors)}

    def attach(self, model: CodecModel, part: Any) -> None:
        model.attach_prior(part)


class LikelihoodPart(Part):
    """p(x | codes), for evaluation alone."""

    name = attribute = title = "likelihood"
    fields = ("config", "training")
    optional = ("config", "training")

    def build(self, described: Mapping[str, Any], model: CodecModel, where: str) -> nn.Module:
        from vqc.models.likelihood import Likelihood, LikelihoodConfig

        config = from_mapping(LikelihoodConfig, described.get("config", {}), where=f"the config of {where}")
        return Likelihood(config, model.media, model.qualities)

    def describe(self, part: Any, tensors: Sequence[StoredTensor]) -> dict[str, Any]:
        return {"config": config_to_dict(part.config)}


class PerceptualPart(Part):
    """A perceptual decoder: it restores more texture from the same codes, and less of the original."""

    name, attribute, title = "sharp", "perceptual", "sharp decoder"
    fields = ("digest", "parameters", "training", "figures")

    def build(self, described: Mapping[str, Any], model: CodecModel, where: str) -> nn.Module:
        try:
            return model.make_perceptual()
        except ValueError as error:
            raise CheckpointError(f"{where} is what this version of vqc does not know: {error}") from None

    def describe(self, part: Any, tensors: Sequence[StoredTensor]) -> dict[str, Any]:
        return {"digest": digest_tensors([], tensors), "parameters": _elements(tensors)}

    def attach(self, model: CodecModel, part: Any) -> None:
        model.attach_perceptual(part)


PRIOR, LIKELIHOOD, PERCEPTUAL = PriorPart(), LikelihoodPart(), PerceptualPart()
PARTS: tuple[Part, ...] = (PRIOR, LIKELIHOOD, PERCEPTUAL)


def part_of(stored_name: str) -> Part | None:
    """The part that a tensor of a model file belongs to; None for one of the codec itself."""
    return next((part for part in PARTS if stored_name.startswith(part.prefix)), None)


def stored_name(name: str) -> str:
    """The name in model files of a tensor of a model's state."""
    attribute, dot, rest = name.partition(".")
    return next((part.prefix + rest for part in PARTS if dot and part.attribute == attribute), name)


def state_name(name: str) -> str:
    """The inverse of `stored_name`."""
    part = part_of(name)
    return name if part is None else f"{part.attribute}.{name.removeprefix(part.prefix)}"


def _elements(tensors: Sequence[StoredTensor]) -> int:
    return sum(math.prod(tensor.shape) for tensor in tensors)
