"""Neural compression of photos and speech.

    import vqc

    data = vqc.compress(image)                            # PIL image, NumPy array or tensor → bytes of a .vqc file
    data = vqc.compress(waveform, sample_rate=44_100)
    vqc.decompress(data).array                            # uint8 [H, W, 3], or .samples float32 [T, C]
    vqc.compress(image, rate=vqc.Rate(target_bytes=20_000))
    vqc.compress_file("photo.jpg", "photo.vqc")
    vqc.decompress_file("photo.vqc", "photo.png")
    vqc.train(vqc.TrainOptions("image", data=("photos",), minutes=120, name="mine", add=True))
    vqc.set_threads(1)                                    # CPU threads to compute with

Names are loaded when they are used, so that `import vqc` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vqc._version import __version__

if TYPE_CHECKING:
    from vqc.codec.api import (
        Audio,
        Image,
        Rate,
        Report,
        VerifyResult,
        compress,
        compress_file,
        decompress,
        decompress_file,
        verify,
    )
    from vqc.errors import (
        CheckpointError,
        ContainerError,
        MediaError,
        MissingPackageError,
        ModelNameError,
        ModelNotFoundError,
        OptionError,
        OutputError,
        TrainingError,
        VQCError,
    )
    from vqc.models.files.zoo import load_model
    from vqc.processors import set_threads
    from vqc.training.options import TrainOptions
    from vqc.training.train import train

_ERRORS = (
    *("CheckpointError", "ContainerError", "MediaError", "MissingPackageError", "ModelNameError"),
    *("ModelNotFoundError", "OptionError", "OutputError", "TrainingError", "VQCError"),
)
_CODEC = (
    *("Audio", "Image", "Rate", "Report", "VerifyResult"),
    *("compress", "compress_file", "decompress", "decompress_file", "verify"),
)
_MODULES = {
    **dict.fromkeys(_ERRORS, "vqc.errors"),
    **dict.fromkeys(_CODEC, "vqc.codec.api"),
    "TrainOptions": "vqc.training.options",
    "load_model": "vqc.models.files.zoo",
    "set_threads": "vqc.processors",
    "train": "vqc.training.train",
}

__all__ = [
    "Audio",
    "CheckpointError",
    "ContainerError",
    "Image",
    "MediaError",
    "MissingPackageError",
    "ModelNameError",
    "ModelNotFoundError",
    "OptionError",
    "OutputError",
    "Rate",
    "Report",
    "TrainOptions",
    "TrainingError",
    "VQCError",
    "VerifyResult",
    "__version__",
    "compress",
    "compress_file",
    "decompress",
    "decompress_file",
    "load_model",
    "set_threads",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'vqc' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
