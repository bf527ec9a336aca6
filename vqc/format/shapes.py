"""What comes out of a file: the size of an image or of audio, and how its channels are coded. For the numbers in files
see `vqc.format.container`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Literal, NoReturn

from vqc.errors import ContainerError

Media = Literal["image", "audio"]

MAX_PIXELS = 2**28  # the largest phone photos have 2 * 10^8
MAX_SAMPLES = 2**36  # per channel: nine days at 88.2 kHz
MAX_CHANNELS = 255
SAMPLE_RATES = range(1_000, 1_000_001)  # in Hz; what is outside is a mistake or an attack

RATE_OF_CODE = MappingProxyType(
    {
        1: 8_000, 2: 11_025, 3: 12_000, 4: 16_000, 5: 22_050, 6: 24_000, 7: 32_000,
        8: 44_100, 9: 48_000, 10: 88_200, 11: 96_000, 12: 176_400, 13: 192_000,
    }
)  # fmt: skip
CODE_OF_RATE = {rate: code for code, rate in RATE_OF_CODE.items()}
GRAYSCALE, ALPHA = 1, 2  # flags of images
MID_SIDE, SILENCE, CHANNEL_MASK = 1, 2, 4  # flags of audio


@dataclass(frozen=True, kw_only=True)
class ImageShape:
    """Size in pixels, whether to come back as grayscale, and whether an alpha section is there."""

    media: ClassVar[Media] = "image"
    items: ClassVar[int] = 1  # with codes of their own in each stream
    tells_silence: ClassVar[bool] = False
    largest: ClassVar[int] = MAX_PIXELS

    may_be_streamed: ClassVar[bool] = False
    chunk_frames: ClassVar[None] = None

    width: int
    height: int
    grayscale: bool = False
    alpha: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> int:
        """Pixels: what a limit is compared with."""
        return self.pixels

    @property
    def extent(self) -> float:
        """Pixels: what a rate is of."""
        return self.pixels

    @property
    def size_in_words(self) -> str:
        return f"{self.width:,} x {self.height:,} pixels"

    @property
    def length_in_words(self) -> str:
        return self.size_in_words

    def rate(self, size: int) -> float:
        """Bits per pixel of a file of `size` bytes."""
        return 8 * size / self.pixels

    def numbers(self) -> tuple[int, ...]:
        """The shape as it stands in a file."""
        assert min(self.width, self.height) >= 1, "an image has pixels"
        return self.width, self.height

    def flags(self) -> int:
        """The flags as they stand in a file."""
        return self.grayscale * GRAYSCALE | self.alpha * ALPHA

    @property
    def as_image(self) -> ImageShape:
        """This shape, where only that of an image can be."""
        return self

    @property
    def as_audio(self) -> NoReturn:
        """None: whoever asks knows that this is audio."""
        raise AssertionError("the shape of an image")

    def without_alpha(self) -> ImageShape:
        """The shape of what codes stand for."""
        return replace(self, alpha=False)

    def telling_silence(self) -> ImageShape:
        """This shape: an image has no silence."""
        return self

    def of_chunks(self, frames: int | None, samples: int) -> NoReturn:
        """Raise ContainerError: only recordings have chunks."""
        raise ContainerError("the .vqc file is damaged: an image has no chunks; get it again")


@dataclass(frozen=True, kw_only=True)
class AudioShape:
    """Samples per channel at the rate of the source, and how channels are coded.

    mid_side: the two coded channels are mid and side.
    silence: the streams of the one channel begin with what those of several always begin with: which are silent.
    channel_mask: where the channels stand, as in WAV (0: not known); None: as so many usually do.
    chunk_frames: of the core of a chunk; None: as many as usual. See `vqc.format.stream`.
    """

    media: ClassVar[Media] = "audio"
    alpha: ClassVar[bool] = False
    largest: ClassVar[int] = MAX_SAMPLES
    may_be_streamed: ClassVar[bool] = True

    samples: int
    sample_rate: int
    channels: int
    mid_side: bool = False
    silence: bool = False
    channel_mask: int | None = None
    chunk_frames: int | None = None

    @property
    def tells_silence(self) -> bool:
        """True when each stream begins with a bit for each channel: clear where it is silent and has no codes."""
        return self.channels > 1 or self.silence

    @property
    def items(self) -> int:
        """Channels: those that sound have codes of their own in each stream."""
        return self.channels

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    @property
    def extent(self) -> float:
        """Seconds: what a rate is of."""
        return self.seconds

    @property
    def size(self) -> int:
        """Samples per channel: what a limit is compared with."""
        return self.samples

    @property
    def size_in_words(self) -> str:
        return f"{self.samples:,} samples"

    @property
    def length_in_words(self) -> str:
        minutes = math.ceil(self.seconds / 60)
        return f"{minutes:,} minutes of {self.channels:,} channel{'s' * (self.channels > 1)}"

    def rate(self, size: int) -> float:
        """Kilobits per second of a file of `size` bytes."""
        return 8 * size / self.seconds / 1000

    def numbers(self) -> tuple[int, ...]:
        """The shape as it stands in a file: 0 samples where their number comes at its end."""
        assert 0 <= self.samples <= MAX_SAMPLES, "audio has samples"
        assert 1 <= self.channels <= MAX_CHANNELS, "a plausible number of channels"
        assert self.sample_rate in SAMPLE_RATES, "a plausible sample rate"
        numbers = self.samples, CODE_OF_RATE.get(self.sample_rate, self.sample_rate), self.channels
        return numbers if self.channel_mask is None else (*numbers, self.channel_mask)

    def flags(self) -> int:
        """The flags as they stand in a file."""
        assert not self.mid_side or self.channels == 2, "mid and side are made of two channels"
        assert not self.silence or self.channels == 1, "streams of several channels always tell what is silent"
        return self.mid_side * MID_SIDE | self.silence * SILENCE | (self.channel_mask is not None) * CHANNEL_MASK

    @property
    def as_image(self) -> NoReturn:
        """None: whoever asks knows that this is an image."""
        raise AssertionError("the shape of audio")

    @property
    def as_audio(self) -> AudioShape:
        """This shape, where only that of audio can be."""
        return self

    def without_alpha(self) -> AudioShape:
        """The shape of what codes stand for."""
        return self

    def telling_silence(self) -> AudioShape:
        """The shape of such a recording whose streams tell what is silent."""
        return replace(self, silence=self.channels == 1)

    def of_chunks(self, frames: int | None, samples: int) -> AudioShape:
        """The shape of a recording of so many samples (0: nobody knows yet), with so many frames in a chunk."""
        return replace(self, chunk_frames=frames, samples=samples)


Shape = ImageShape | AudioShape
