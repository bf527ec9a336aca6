"""Signals to codes and back without a file: `encode` gives the codes that it would hold, `decode` what it restores.

    image, batch or waveform ─ encode ─► Codes ─ decode ─► Image or Audio

Both take the way of files, with plain bits for an entropy coder. So the codes are those of `vqc.compress` with the same
options, whatever the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.media import Audio, Image, Media, is_audio, to_picture, to_waveform
from vqc.codec.open import Model, codec_for_digest, open_codec, with_perceptual_decoder
from vqc.codec.rate import Rate
from vqc.codec.segments import NO_CODE
from vqc.codec.stream_coder import StreamCoder
from vqc.codec.validation import check_quality
from vqc.data.image_files import Picture
from vqc.errors import MediaError, OptionError
from vqc.format.chunking import silence_bits
from vqc.format.container import Container, Entropy, Header, join_streams
from vqc.format.shapes import Shape
from vqc.models.kinds import KINDS

SILENT = NO_CODE  # in the place of the codes of a channel that is exactly silent

CodeArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes, and what decoding them needs besides.

    array: int64 [G, h, w] of an image, [N, G, h, w] of a batch, [C, G, T] of a waveform of C channels; there −1 stands
        where a channel is exactly silent. G: see `CodecModel.describe_groups`.
    model: its name, for people.
    digest: first six bytes of the model's, by which it is found.
    quality: at which the codes are, a whole number.
    shape: of the image, of each image of a batch, or of the waveform.
    """

    array: CodeArray
    model: str
    digest: bytes
    quality: int
    shape: Shape

    @property
    def is_batch(self) -> bool:
        """Whether these are the codes of a batch of images."""
        return self.shape.media == "image" and self.array.ndim == 4

    def __repr__(self) -> str:
        shown = " x ".join(map(str, self.array.shape))
        return f"Codes({shown}, {self.model} at quality {self.quality}, {self.shape.size_in_words})"


def encode(
    media: Media,
    *,
    sample_rate: int | None = None,
    model: Model = None,
    quality: float | None = None,
    rate: Rate | None = None,
    device: str = "auto",
) -> Codes:
    """Codes of an image, of a batch of images or, when a sample rate is given, of a waveform.

    They are the codes that `vqc.compress` writes with the same options. Images of a batch are encoded one by one, so
    that codes do not depend on what else is in it.

    Args:
        media: as for `vqc.compress`; also a batch: a tensor [N, 1 or 3, H, W] or a NumPy array [N, H, W, 1 or 3].
        sample_rate: samples per second of a waveform; None for images.
        model: name or path of a model, or what `load_model` gave; by default the one for the medium.
        quality: 1 (smallest) up to the model's `qualities` (best); by default the model's own choice. May lie between.
        rate: effort, or λ, or a size that the file would have.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.

    Raises:
        MediaError: the media has another type, shape or range, or an alpha channel, which has no codes.
        OptionError: an option has a value that cannot be used, or it is unclear what the media is.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    rate = rate or Rate()
    if is_batch(media, sample_rate):
        codec = open_codec("image", model, device)
        parts = [encoded(codec, _opaque(image), quality, rate) for image in media]
        if not parts:
            raise MediaError("the batch holds no images; there is nothing to encode")
        return replace(parts[0], array=np.stack([part.array for part in parts]))
    if not is_audio(media, sample_rate):
        return encoded(open_codec("image", model, device), _opaque(media), quality, rate)
    assert sample_rate is not None, "is_audio has looked"
    recording = Recording([to_waveform(media)], sample_rate)
    return encoded(open_codec("audio", model, device), recording, quality, rate)


def decode(
    codes: Codes | NDArray[Any] | Tensor,
    *,
    model: Model = None,
    quality: int | None = None,
    sharp: bool = False,
    device: str = "auto",
) -> Image | Audio | list[Image]:
    """Restore what codes stand for: an `Image`, an `Audio`, or of a batch a list of images.

    Args:
        codes: what `encode` gave, also with another array in it (`dataclasses.replace`); or an array of whole numbers
            alone, which needs a model and its quality: [G, h, w] or [N, G, h, w] of an image model, [G, T] or [C, G, T]
            of an audio model. All of the grid is restored then, at the model's own sample rate.
        model: in place of the one that the codes name.
        quality: of an array alone.
        sharp: restore with the model's sharp decoder: more texture, less true to the original.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.

    Raises:
        OptionError: the array does not have the shape or the numbers of such codes; there is no such device, or the
            model has no sharp decoder.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    if isinstance(codes, Codes):
        if quality is not None:
            raise OptionError("the codes come with their quality; leave it out")
        media = codes.shape.media
        codec = codec_for_digest(codes.digest, device, sharp) if model is None else open_codec(media, model, device)
    else:
        if model is None or quality is None:
            raise OptionError("an array of codes needs the model that they are of, and their quality")
        codec = open_codec(None, model, device)
        codes = _described(codec, codes, quality)
    check_quality(codec.model, codes.quality, codec.name, Rate())
    codec = with_perceptual_decoder(codec) if sharp else codec
    if codes.is_batch:
        return [Image.of(codec.restore(container_of(codec, replace(codes, array=one)))) for one in codes.array]
    return restore(codec, codes)


def restore(codec: Codec[Any, Any], codes: Codes) -> Image | Audio:
    """Restore codes of one image or waveform with the codec of their model; see `decode`."""
    return codec.framing.gathered(codec.restore(container_of(codec, codes)), codes.shape)


def codes_in(codec: Codec[Any, Any], container: Container) -> Codes:
    """The codes of a file that was made with the codec's model; alpha has none.

    Raises:
        ContainerError: the file is damaged.
    """
    header, array = container.header, codec.reader(container).read_all()  # [C, G, T] or [1, G, h, w]
    shown = array[0] if header.media == "image" else array
    return Codes(shown, codec.name, header.digest, header.quality, header.shape.without_alpha())


def encoded(codec: Codec[Any, Any], signal: Any, quality: float | None, rate: Rate) -> Codes:
    """Encode a `Picture` without alpha, or a `Recording`; see `encode`."""
    made = codec.make_file(signal, quality=quality, entropy="auto", rate=rate, codes_alone=True)
    return codes_in(codec, made.container)


def is_batch(media: object, sample_rate: int | None) -> TypeGuard[NDArray[Any] | Tensor]:
    """Tell several images, in an array or tensor of four axes, from one image and from waveforms."""
    return sample_rate is None and isinstance(media, np.ndarray | Tensor) and media.ndim == 4


def _opaque(media: Any) -> Picture:
    picture = to_picture(media)
    if picture.alpha is not None:
        raise MediaError("an image with an alpha channel, which has no codes; leave that away, or use vqc.compress")
    return picture


def _described(codec: Codec[Any, Any], array: NDArray[Any] | Tensor, quality: int) -> Codes:
    """Codes as an array alone, with the shape that fills all of their grid."""
    numbers = np.asarray(array.detach().cpu() if isinstance(array, Tensor) else array)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise OptionError(f"codes are whole numbers, and these are {numbers.dtype}")
    described = codec.framing.described(numbers) if numbers.size else None
    if described is None:
        raise OptionError(f"codes of shape {numbers.shape}; those of the model {codec.name} are {codec.framing.axes}")
    array, shape = described
    return Codes(array.astype(np.int64), codec.name, codec.digest, quality, shape)


def container_of(codec: Codec[Any, Any], codes: Codes, entropy: Entropy = "none") -> Container:
    """The file of codes [G, h, w] or [C, G, T], by default in plain bits; OptionError when they are none."""
    shape, array = codes.shape, codes.array
    array = array[None] if shape.media == "image" else array  # [C, G, ...]
    segments, coder = codec.framing.segments(shape), StreamCoder(codec.model, codes.quality)
    if array.shape != (wanted := (shape.items, len(coder.sizes), *segments.grid)):
        raise OptionError(f"codes of shape {array.shape}, where {shape.size_in_words} have {wanted}")
    if (array == SILENT).any():
        shape = shape.telling_silence()
    sizes = np.array(coder.sizes).reshape(1, -1, *[1] * (array.ndim - 2))  # [1, G, 1, ...]
    streams = []
    for index in range(len(segments)):
        part = array[(slice(None), slice(None), *segments.region(index))]
        sounds = (part != SILENT).any(axis=tuple(range(1, part.ndim))) | (not shape.tells_silence)  # [C]
        if ((part[sounds] < 0) | (part[sounds] >= sizes)).any():
            raise OptionError(f"the codes are not all between 0 and the size of their codebook ({codec.name})")
        prefix = silence_bits(sounds.tolist()) if shape.tells_silence else b""
        streams.append(prefix + coder.write(part[sounds].astype(np.uint16), entropy))
    kind = KINDS[codec.model.kind].wire_id
    header = Header(codec=kind, entropy=entropy, quality=codes.quality, digest=codec.digest, shape=shape)
    return Container(header=header, body=join_streams(streams))
