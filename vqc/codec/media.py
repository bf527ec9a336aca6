"""What the Python interface takes and gives: arrays, Pillow images and tensors, here made into pictures and waveforms.

Nothing is guessed: what could mean two things is refused with a sentence.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.atomic import Target, atomic_file, check_target, write_atomically
from vqc.data.audio_files import FULL_SCALE, clipping
from vqc.data.audio_writer import AudioWriter, audio_format, check_writable
from vqc.data.image_files import Picture, encode_image, from_pillow, image_format
from vqc.errors import MediaError, MediaWarning, OptionError

_FULL_SCALE_INT16 = 32768
_MOST_SPEAKERS = 8  # of usual recordings; no image is so narrow
_NOT_A_WAVEFORM = 100  # a peak that is no clipping but another scale


Media: TypeAlias = NDArray[Any] | Tensor | PIL.Image.Image | Picture  # what can be compressed


@dataclass(frozen=True, eq=False)
class Image:
    """A restored image: `array` is uint8 [H, W] (grayscale), [H, W, 2] (and alpha), [H, W, 3] (RGB) or [H, W, 4]."""

    array: NDArray[np.uint8]

    @classmethod
    def of(cls, picture: Picture) -> Image:
        """Put pixels and alpha into one array."""
        return cls(picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha]))

    @property
    def channels_first(self) -> NDArray[np.uint8]:
        """A view [C, H, W]."""
        array = self.array if self.array.ndim == 3 else self.array[..., None]
        return array.transpose(2, 0, 1)

    def to_pil(self) -> PIL.Image.Image:
        """A Pillow image of mode L, LA, RGB or RGBA."""
        return PIL.Image.fromarray(self.array)

    def save(
        self, target: Target, *, format: str | None = None, quality: int | None = None, overwrite: bool = False
    ) -> None:
        """Write an image file: png, jpeg, webp, tiff, bmp or avif, by the suffix of the target unless given.

        Args:
            quality: of JPEG, WebP (lossless otherwise) and AVIF, 1 to 100.

        Raises:
            OptionError: the format or suffix is another, or has no quality.
            OutputError: the target cannot be written, or exists.
        """
        check_target(target, overwrite=overwrite)
        data = encode_image(_picture(self.array), format or image_format(target), quality=quality)
        write_atomically(target, data, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        """Return the PNG that a notebook shows."""
        return encode_image(_picture(self.array), "png")

    def __repr__(self) -> str:
        height, width, *channels = self.array.shape
        return f"Image({width} x {height} pixels, {channels[0] if channels else 1} channels)"


@dataclass(frozen=True, eq=False)
class Audio:
    """A restored waveform: `samples` is float32 [T, C] in [-1, 1]."""

    samples: NDArray[np.float32]
    sample_rate: int  # in Hz

    @property
    def channels_first(self) -> NDArray[np.float32]:
        """A view [C, T]."""
        return self.samples.T

    def save(
        self, target: Target, *, format: str | None = None, quality: int | None = None, overwrite: bool = False
    ) -> None:
        """Write an audio file: wav, flac, ogg, opus or mp3, by the suffix of the target unless given.

        Args:
            quality: of Ogg, Opus and MP3, 1 to 100.

        Raises:
            OptionError: the format or suffix is another, or has no quality.
            OutputError: the target cannot be written, exists, or is of a format without this sample rate or so many
                channels.
        """
        check_target(target, overwrite=overwrite)
        name, channels = os.fspath(target), self.samples.shape[1]
        format = format or audio_format(target)
        check_writable(format, self.sample_rate, channels, name=name)
        with (
            atomic_file(target, overwrite=overwrite) as file,
            AudioWriter(file, self.sample_rate, channels, format=format, quality=quality, name=name) as writer,
        ):
            writer.write(self.samples)

    def __repr__(self) -> str:
        samples, channels = self.samples.shape
        return f"Audio({samples / self.sample_rate:.2f} s, {channels} channels at {self.sample_rate} Hz)"


def is_audio(media: object, sample_rate: int | None) -> bool:
    """Tell waveforms, which come with a sample rate, from images. Raises OptionError for what is neither."""
    if sample_rate is not None and (isinstance(sample_rate, bool) or not isinstance(sample_rate, int | np.integer)):
        raise OptionError(f"sample_rate {sample_rate!r} is not a whole number of samples per second")
    if isinstance(media, Picture | PIL.Image.Image):
        if sample_rate is not None:
            raise OptionError("sample_rate was given with an image; leave it out")
        return False
    if isinstance(media, np.ndarray | Tensor):
        if sample_rate is None and media.ndim < 2 + isinstance(media, Tensor):
            raise OptionError(f"an array of shape {tuple(media.shape)} can only be audio, which needs a sample_rate")
        return sample_rate is not None
    hint = "; use compress_file for files" if isinstance(media, str | bytes) or hasattr(media, "__fspath__") else ""
    raise OptionError(f"cannot compress a {type(media).__name__}: give a NumPy array, Pillow image or tensor{hint}")


def to_picture(media: Media) -> Picture:
    """The picture of a Pillow image, of an array [H, W] or [H, W, 1..4], or of a tensor [1..4, H, W].

    Arrays and tensors are uint8, or float in [0, 1]. One channel is grayscale, three are RGB, a second or fourth is
    alpha. Raises MediaError for anything else.
    """
    if isinstance(media, Picture):
        return _picture(media.pixels if media.alpha is None else np.dstack([media.pixels, media.alpha]))
    if isinstance(media, PIL.Image.Image):
        return from_pillow(media)
    if isinstance(media, Tensor):
        if media.ndim != 3 or not 1 <= media.shape[0] <= 4:
            raise MediaError(f"an image tensor of shape {tuple(media.shape)}; give [C, H, W] with 1 to 4 channels")
        held = media.detach().cpu()
        held = held.float() if held.dtype == torch.bfloat16 else held  # which NumPy lacks
        return _picture(held.permute(1, 2, 0).numpy())
    return _picture(media)


def to_waveform(media: Media) -> NDArray[np.float32]:
    """Samples [T, C] of an array [T] or [T, C], or of a tensor [T] or [C, T]: floats in [-1, 1] or int16.

    Of floats somewhat beyond there is a warning (`MediaWarning`); the codec clips them. Raises MediaError for anything
    else.
    """
    if isinstance(media, Tensor):
        held = media.detach().cpu()
        media = (held.float() if held.is_floating_point() else held).numpy().T
    array: NDArray[Any] = np.asarray(media)
    if array.ndim not in (1, 2):
        raise MediaError(f"a waveform of shape {array.shape}; give arrays [T] or [T, C], or tensors [T] or [C, T]")
    if array.dtype == np.int16:
        array = array.astype(np.float32) / _FULL_SCALE_INT16
    if not np.issubdtype(array.dtype, np.floating):
        raise MediaError(f"a waveform of type {array.dtype}; give floats in [-1, 1] or int16")
    peak = np.abs(array).max(initial=0)
    if peak > _NOT_A_WAVEFORM:
        raise MediaError(f"a waveform with values up to {peak:.0f}; scale it to [-1, 1]")
    if peak > FULL_SCALE:
        warnings.warn(MediaWarning(f"the waveform {clipping(peak)}"), stacklevel=3)
    return (array if array.ndim == 2 else array[:, None]).astype(np.float32, copy=False)


def _levels(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Levels 0..255 of the values of an image, uint8 or floats in [0, 1]."""
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise MediaError(f"an image of type {image.dtype}; give uint8, or floats in [0, 1] (audio needs a sample_rate)")
    if image.size and not (image.min() >= 0 and image.max() <= 1):  # also when there are NaNs
        raise MediaError("a float image with values outside [0, 1]; scale or clamp it (audio needs a sample_rate)")
    levels: NDArray[np.uint8] = (image * 255).round().astype(np.uint8)
    return levels


def _picture(array: NDArray[Any]) -> Picture:
    if array.ndim == 2:
        if array.shape[1] <= _MOST_SPEAKERS and np.issubdtype(array.dtype, np.floating):
            raise MediaError(f"a float array of shape {array.shape}: audio needs a sample_rate, images are [H, W, C]")
        array = array[..., None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
        raise MediaError(f"an image array of shape {array.shape}; give [H, W] or [H, W, C] with 1 to 4 channels")
    array = _levels(array)
    channels = array.shape[2]
    colours = array[..., :3] if channels >= 3 else array[..., 0]
    return Picture(colours, array[..., -1] if channels in (2, 4) else None)
