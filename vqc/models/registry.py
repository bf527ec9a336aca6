"""Which kinds of model there are, and their numbers on the wire.

Importing this module imports no network: classes are looked up when asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vqc.errors import CheckpointError
from vqc.models.config import config_from_dict

if TYPE_CHECKING:
    from vqc.models.base import CodecModel

# kind → (module, config class, model class)
MODEL_KINDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "image-vqvae": ("vqc.models.vqvae.image", "ImageVQVAEConfig", "ImageVQVAE"),
        "audio-vqvae": ("vqc.models.vqvae.audio", "AudioVQVAEConfig", "AudioVQVAE"),
        "image-maps": ("vqc.models.image_maps.model", "ImageMapsConfig", "ImageMaps"),
        "photo": ("vqc.models.photo.model", "PhotoConfig", "PhotoModel"),
        "speech": ("vqc.models.speech.model", "SpeechConfig", "SpeechModel"),
        "phones": ("vqc.models.phones.model", "PhonesConfig", "PhonesModel"),
    }
)

# Written in every .vqc file: append, never change.
WIRE_IDS: Mapping[str, int] = MappingProxyType(
    {"image-vqvae": 1, "audio-vqvae": 2, "photo": 3, "speech": 4, "image-maps": 5, "phones": 6}
)


def model_classes(kind: str) -> tuple[type[Any], type[CodecModel]]:
    """Config class and model class of a kind; CheckpointError for a kind that this version does not know."""
    if kind not in MODEL_KINDS:
        raise CheckpointError(f"models of kind {kind!r} are not known to this version of vqc; update vqc to use it")
    module_name, config_name, model_name = MODEL_KINDS[kind]
    module = importlib.import_module(module_name)
    return getattr(module, config_name), getattr(module, model_name)


def build_model(kind: str, config: Mapping[str, Any], *, where: str = "this model") -> CodecModel:
    """An untrained model of a kind from its config as a mapping; every key is checked."""
    config_class, model_class = model_classes(kind)
    return model_class(config_from_dict(config_class, config, where=where))  # type: ignore[call-arg]
