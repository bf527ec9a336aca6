"""Which kinds of prior there are, and which a codec model gets unless another is asked for.

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
    from vqc.models.prior import CodePrior

# kind → (module, config class, prior class)
PRIOR_KINDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "pixelcnn": ("vqc.models.vqvae.priors", "PixelCNNConfig", "PixelCNNPrior"),
        "wavenet": ("vqc.models.vqvae.priors", "WaveNetConfig", "WaveNetPrior"),
        "photo": ("vqc.models.photo.prior", "PhotoPriorConfig", "PhotoPrior"),
        "speech": ("vqc.models.speech.prior", "SpeechPriorConfig", "SpeechPrior"),
    }
)

# kind of codec model → kind of prior
DEFAULT_PRIORS: Mapping[str, str] = MappingProxyType(
    {
        "image-vqvae": "pixelcnn",
        "image-maps": "pixelcnn",
        "audio-vqvae": "wavenet",
        "photo": "photo",
        "speech": "speech",
        "phones": "wavenet",
    }
)


def prior_classes(kind: str) -> tuple[type[Any], type[CodePrior]]:
    """Config class and class of a kind of prior; CheckpointError for one that this version does not know."""
    if kind not in PRIOR_KINDS:
        raise CheckpointError(f"priors of kind {kind!r} are not known to this version of vqc; update vqc to use it")
    module_name, config_name, prior_name = PRIOR_KINDS[kind]
    module = importlib.import_module(module_name)
    return getattr(module, config_name), getattr(module, prior_name)


def build_prior(kind: str, config: Mapping[str, Any], codec: CodecModel, *, where: str = "this prior") -> CodePrior:
    """An untrained prior of a kind for a codec model, from its config as a mapping; every key is checked.

    CheckpointError: there is no such kind, it is not one for this codec, or the config does not fit.
    """
    config_class, prior_class = prior_classes(kind)
    fitting = config_from_dict(config_class, config, where=where)
    try:
        prior = prior_class(fitting, codec)
    except ValueError as error:
        raise CheckpointError(f"{where} is not one for models of kind {codec.kind}: {error}") from None
    return prior.to(codec.static_table.device)
