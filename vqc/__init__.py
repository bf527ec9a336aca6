"""Neural compression of photos and speech.

    import vqc

    data = vqc.compress(image)                            # PIL image, NumPy array or tensor → bytes of a .vqc file
    data = vqc.compress(waveform, sample_rate=44_100)
    vqc.decompress(data).array                            # uint8 [H, W, 3], or .samples float32 [T, C]
    vqc.compress(image, rate=vqc.Rate(target_bytes=20_000))
    vqc.compress_file("photo.jpg", "photo.vqc")
    vqc.decompress_file("photo.vqc", "photo.png")
    codes = vqc.encode(image, quality=5)                  # .array int64 [G, h, w]; of a batch [N, G, h, w]
    vqc.decode(codes).array
    samples, rate = vqc.read("talk.vqc")                  # as soundfile does; vqc.write(path, samples, rate)
    vqc.open("day.vqc").read(16_000)                      # samples by range; also seek, tell
    vqc.info("photo.vqc").rate                            # without decoding
    vqc.convert(waveform, 16_000, to="19").samples        # the same words in another voice
    vqc.evaluate("photos/", qualities="all", against=["jpeg", "avif"])
    vqc.read_codes("photo.vqc").array                     # the codes of a file
    vqc.open_archive("set.vqca")[0].decode()              # a data set in one file: see vqc.torch too
    vqc.sample("cifar10", 16, seed=1)                     # images that nobody took, from what the prior has learnt
    vqc.train(vqc.TrainOptions("image", data=("photos",), minutes=120, name="mine", add=True))
    vqc.set_threads(1)                                    # CPU threads to compute with

Names are loaded when they are used, so that `import vqc` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vqc._version import __version__

if TYPE_CHECKING:
    from vqc.archive.reader import open_archive
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
    from vqc.codec.codes import Codes, decode, encode
    from vqc.codec.convert import convert, convert_file, voices
    from vqc.codec.inspect.info import FileInfo, info
    from vqc.codec.inspect.read_codes import read_codes
    from vqc.codec.read_write import read, write
    from vqc.codec.sound_file import SoundFile, open  # noqa: A004
    from vqc.errors import (
        ArchiveWarning,
        CheckpointError,
        ContainerError,
        MediaError,
        MediaWarning,
        MissingPackageError,
        ModelNameError,
        ModelNotFoundError,
        ModelWarning,
        OptionError,
        OutputError,
        TargetError,
        TrainingError,
        VQCError,
        VQCWarning,
    )
    from vqc.evaluation.api import evaluate
    from vqc.evaluation.results import Evaluation
    from vqc.models.files.checkpoint import LoadedModel, ModelInfo
    from vqc.models.files.zoo import list_models, load_model
    from vqc.processors import set_threads
    from vqc.sampling.complete import complete
    from vqc.sampling.sample import sample
    from vqc.training.options import TrainOptions
    from vqc.training.train import train

_ERRORS = (
    *("ArchiveWarning", "CheckpointError", "ContainerError", "MediaError", "MediaWarning", "MissingPackageError"),
    *("ModelNameError", "ModelNotFoundError", "ModelWarning", "OptionError", "OutputError", "TargetError"),
    *("TrainingError", "VQCError", "VQCWarning"),
)
_CODEC = (
    *("Audio", "Image", "Rate", "Report", "VerifyResult"),
    *("compress", "compress_file", "decompress", "decompress_file", "verify"),
)
_MODULES = {
    **dict.fromkeys(_ERRORS, "vqc.errors"),
    **dict.fromkeys(_CODEC, "vqc.codec.api"),
    "TrainOptions": "vqc.training.options",
    **dict.fromkeys(("Codes", "decode", "encode"), "vqc.codec.codes"),
    **dict.fromkeys(("convert", "convert_file", "voices"), "vqc.codec.convert"),
    **dict.fromkeys(("FileInfo", "info"), "vqc.codec.inspect.info"),
    **dict.fromkeys(("read", "write"), "vqc.codec.read_write"),
    **dict.fromkeys(("LoadedModel", "ModelInfo"), "vqc.models.files.checkpoint"),
    **dict.fromkeys(("list_models", "load_model"), "vqc.models.files.zoo"),
    **dict.fromkeys(("SoundFile", "open"), "vqc.codec.sound_file"),
    "Evaluation": "vqc.evaluation.results",
    "evaluate": "vqc.evaluation.api",
    "open_archive": "vqc.archive.reader",
    "complete": "vqc.sampling.complete",
    "read_codes": "vqc.codec.inspect.read_codes",
    "sample": "vqc.sampling.sample",
    "set_threads": "vqc.processors",
    "train": "vqc.training.train",
}

__all__ = [
    "ArchiveWarning",
    "Audio",
    "CheckpointError",
    "Codes",
    "ContainerError",
    "Evaluation",
    "FileInfo",
    "Image",
    "LoadedModel",
    "MediaError",
    "MediaWarning",
    "MissingPackageError",
    "ModelInfo",
    "ModelNameError",
    "ModelNotFoundError",
    "ModelWarning",
    "OptionError",
    "OutputError",
    "Rate",
    "Report",
    "SoundFile",
    "TargetError",
    "TrainOptions",
    "TrainingError",
    "VQCError",
    "VQCWarning",
    "VerifyResult",
    "__version__",
    "complete",
    "compress",
    "compress_file",
    "convert",
    "convert_file",
    "decode",
    "decompress",
    "decompress_file",
    "encode",
    "evaluate",
    "info",
    "list_models",
    "load_model",
    "open",
    "open_archive",
    "read",
    "read_codes",
    "sample",
    "set_threads",
    "train",
    "verify",
    "voices",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'vqc' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
