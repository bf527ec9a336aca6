"""What differs between media where files are read and written: see `vqc.codec.image_io` and `vqc.codec.audio_io`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Generic, NamedTuple

from vqc.atomic import Target
from vqc.codec.choice import Choice
from vqc.codec.codec import Compressed
from vqc.codec.framing import Restored, Signal
from vqc.data.metadata import Policy
from vqc.errors import OptionError
from vqc.format.metadata import Metadata
from vqc.format.shapes import Shape

Source = str | os.PathLike[str] | bytes  # a path, or the bytes of a file


class Writing(NamedTuple):
    """How a restored file is written."""

    format: str  # as `format_for` gives it
    metadata: Metadata  # of which as much is kept as the format holds
    overwrite: bool  # whether an existing file may be replaced
    quality: int | None = None  # of a format with loss, 1 to 100; its usual one if None


class MediaFiles(ABC, Generic[Signal, Restored]):
    """Files of one medium."""

    @abstractmethod
    def open(self, source: Source, limit: int | None) -> AbstractContextManager[tuple[Signal, Shape]]:
        """Read a file, or begin to, of at most `limit` pixels: its signal and size.

        Raises:
            MediaError: it cannot be read, is damaged or not supported.
        """

    @abstractmethod
    def in_chunks(self, signal: Signal, seconds: float) -> Signal:
        """The signal, to be cut into chunks of so many seconds; OptionError where there are none."""

    @abstractmethod
    def metadata(self, source: Source, signal: Signal, policy: Policy) -> Metadata:
        """Read what is to be kept of the metadata of a source, whose signal is that of `open`."""

    @abstractmethod
    def mse(self, source: Source, signal: Signal, restored: Restored) -> float:
        """Return the mean squared error of the signal of a source and what was restored, full scale being 1."""

    def choose(
        self,
        signal: Signal,
        lossy: Callable[[], Compressed],
        choice: Choice,
        metadata: Metadata,
    ) -> Compressed:
        """The file of a signal, which `lossy` makes with a model; see `vqc.codec.choice.choose`.

        Raises:
            OptionError: media of this sort are not kept without loss.
        """
        if choice.lossless:
            raise OptionError("only images are kept without loss; for audio take FLAC")
        return lossy()

    @abstractmethod
    def format_for(self, target: Target, format: str | None, shape: Shape) -> str:
        """The format given, or the one that the suffix of the target asks for.

        Raises:
            OptionError: the suffix asks for none.
            OutputError: the format cannot hold a signal of this shape.
        """

    @abstractmethod
    def encode(self, restored: Restored, shape: Shape, format: str, name: str) -> bytes:
        """The bytes of a file without metadata, which errors call by this name."""

    @abstractmethod
    def write(self, restored: Restored, shape: Shape, target: Target, how: Writing) -> int:
        """Write a file whole or not at all; return its length in bytes."""


def source_name(source: Source) -> str:
    """The name of a source in errors."""
    return "the file" if isinstance(source, bytes) else os.fspath(source)


def source_size(source: Source) -> int:
    """The bytes of a source."""
    return len(source) if isinstance(source, bytes) else Path(source).stat().st_size
