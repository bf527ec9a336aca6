"""From the name of a model or the digest in a file to a codec on a device."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, overload

from vqc.codec.audio_io import AudioFraming, Blocks, Recording
from vqc.codec.codec import Codec
from vqc.codec.framing import Framing
from vqc.codec.image_io import ImageFraming
from vqc.codec.validation import check_header
from vqc.data.image_files import Picture
from vqc.devices import find_device
from vqc.errors import ContainerError, OptionError
from vqc.format.container import Header
from vqc.format.shapes import Media
from vqc.models import kinds
from vqc.models.base import CodecModel
from vqc.models.files.checkpoint import LoadedModel
from vqc.models.files.zoo import load_model, load_model_by_digest

FRAMINGS: Mapping[Media, type[Framing[Any, Any]]] = MappingProxyType({"image": ImageFraming, "audio": AudioFraming})
Model = str | os.PathLike[str] | LoadedModel | None  # None: the default for the medium


def not_for(entropy: str) -> tuple[str, ...]:
    """The parts of a model that making files with this entropy mode does without."""
    return ("likelihood", "sharp") if entropy in ("auto", "prior") else ("likelihood", "sharp", "prior")


@overload
def open_codec(
    media: Literal["image"], model: Model, device: str, *, without: tuple[str, ...] = ()
) -> Codec[Picture, Picture]: ...
@overload
def open_codec(
    media: Literal["audio"], model: Model, device: str, *, without: tuple[str, ...] = ()
) -> Codec[Recording, Blocks]: ...
@overload
def open_codec(media: Media | None, model: Model, device: str, *, without: tuple[str, ...] = ()) -> Codec[Any, Any]: ...
def open_codec(media: Media | None, model: Model, device: str, *, without: tuple[str, ...] = ()) -> Codec[Any, Any]:
    """The codec to compress with; of a model that is given, whatever its medium, where that is None.

    Args:
        without: parts that a model given by name or path need not have; see `load_model`.

    Raises:
        OptionError: the model is for the other medium, or there is no such device.
        ModelNotFoundError, CheckpointError: the model is not there, or its file is damaged.
    """
    if not isinstance(model, LoadedModel):
        if model is not None and not isinstance(model, str | os.PathLike):
            raise OptionError(f"a model is given by name, by path or as loaded, not as {type(model).__name__}")
        if model is None:
            assert media is not None, "there is a default for each medium"
            model = kinds.default_model(media)
        model = load_model(model, find_device(device), without=without)
    codec = _codec(model)
    if media is not None and codec.model.media != media:
        what, other = ("an image", "audio") if media == "image" else ("audio", "images")
        raise OptionError(
            f"the model {model.info.name} is for {other}, but this is {what}; leave the model out, or choose another"
        )
    return codec


def codec_for_file(header: Header, device: str, *, sharp: bool = False) -> Codec[Any, Any]:
    """The codec to decompress with, if asked for with the model's sharp decoder.

    Raises:
        OptionError: there is no such device, or the model has no sharp decoder.
        ModelNotFoundError, CheckpointError: the model is not there, or its file is damaged.
        ContainerError: the file has no model, is of an unknown kind, or asks for what its model does not have.
    """
    if header.is_plain:
        what = "a picture without loss" if header.is_lossless else "an AVIF picture"
        how = "--lossy" if header.is_lossless else "quality 8 or less"
        raise ContainerError(f"the .vqc file holds {what}, which has no codes; compress it with {how}")
    kinds.kind_numbered(header.codec)  # a version that does not know the kind would look for its models in vain
    codec = codec_for_digest(header.digest, device, sharp)
    check_header(header, codec.model.kind, codec.model.qualities, codec.digest, codec.name)
    return with_perceptual_decoder(codec) if sharp else codec


def codec_for_digest(digest: bytes, device: str, sharp: bool) -> Codec[Any, Any]:
    """The codec of the model whose digest begins so, with a sharp decoder in its file if that is asked for.

    Raises:
        OptionError: there is no such device.
        ModelNotFoundError, CheckpointError: the model is not there, or its file is damaged.
    """
    return _codec(load_model_by_digest(digest, find_device(device), perceptual=sharp))


def with_perceptual_decoder(codec: Codec[Any, Any]) -> Codec[Any, Any]:
    """The codec that restores the same files with the model's sharp decoder; OptionError when it has none.

    It is not for compressing: an encoder that looks at what is restored would choose other codes.
    """
    if codec.model.perceptual is None:
        raise OptionError(
            f"the model {codec.name} has no sharp decoder; restore without it, or train one with vqc train sharp"
        )
    return codec_with(codec.model.with_perceptual_decoder(), codec.digest, codec.name)


def codec_with(model: CodecModel, digest: bytes, name: str = "given") -> Codec[Any, Any]:
    """The codec of a model on the device to work on; see `Codec` for the arguments."""
    return Codec(FRAMINGS[model.media](model), digest, name=name)


def _codec(loaded: LoadedModel) -> Codec[Any, Any]:
    return codec_with(loaded.model, bytes.fromhex(loaded.info.digest), loaded.info.name)
