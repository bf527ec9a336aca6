"""Framing, which is all that differs between media: a signal is cut into windows of the network, and joined again.

signal ─ cut ─► windows ─ batches ─► network ─► codes of each segment
signal ◄─ join ◄─ network ◄─ codes of each segment and its context
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.codec.media import Audio, Image
from vqc.codec.progress import Progress
from vqc.codec.segments import SegmentReader
from vqc.format.chunking import Chunking
from vqc.format.shapes import Shape
from vqc.format.tiling import Tiling

Signal = TypeVar("Signal")
Restored = TypeVar("Restored")
Given = TypeVar("Given")
Result = TypeVar("Result")
Returned = TypeVar("Returned")


BATCH_VALUES = 2**20  # of pixels, in three colours, or samples that the network is given at once
SMALL_VALUES = 2**16  # of an item that is put into a batch


def is_small(shape: Shape) -> bool:
    """Tell whether an item of this size is coded together with others: all of it is then held."""
    return 0 < shape.size * shape.items <= SMALL_VALUES


class Window(NamedTuple):
    """A segment to encode, with its context."""

    values: NDArray[Any]  # uint8 [H, W] or [H, W, 3], or float32 [A, T] of the A channels that sound
    inner: tuple[slice, ...]  # the window's codes that are the segment's own
    positions: int  # of those codes
    prefix: bytes = b""  # what stands before the codes in its stream where that tells what is silent


class Cut(NamedTuple):
    """The part of a file that is known once all of a signal has been cut."""

    shape: Shape
    prefixes: list[bytes]  # what stands before the codes in each stream
    alpha: bytes | None = None  # the section of a container
    traits: bytes = b""  # what the model says once of all of it


class Workload(NamedTuple):
    """The amount of computation that a file takes."""

    values: float  # pixels, or samples at the model's rate, that the network restores
    positions: float  # of codes
    resampled: float  # samples that come out of a resampler


class Framing(ABC, Generic[Signal, Restored]):
    """The cut of the signals of one medium into windows of a model, and back.

    axes: of arrays of codes, in words.
    """

    axes: ClassVar[str]

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        device: torch.device = self.model.static_table.device
        return device

    @abstractmethod
    def check(self, signal: Signal) -> None:
        """Raise MediaError when the format has no place for such a signal, as far as is known before it is cut."""

    @abstractmethod
    def held(self, signal: Signal) -> Signal:
        """The signal in memory, so that it can be read again and again."""

    @abstractmethod
    def score(self, signal: Signal, restored: Restored, metric: str) -> float:
        """Score what was restored of a signal that is held, by a key of the catalogue of metrics.

        Raises:
            MediaError: the metric is not defined for such a signal.
        """

    @abstractmethod
    def positions(self, signal: Signal) -> float:
        """Estimate the number of positions of codes that a signal will have, for progress only; 0 if unknown."""

    @abstractmethod
    def cut(self, signal: Signal) -> Generator[Window, None, Cut]:
        """Yield the windows of a signal in the order of their streams; return what is then known of all of it.

        Raises:
            MediaError: there is nothing to compress, or the format has no place for it.
        """

    def each(self, use: Callable[[Window], Result], windows: Iterable[Window]) -> Iterable[Result]:
        """Use every window, several at once where that is faster; the results in their order."""
        return map(use, windows)

    @abstractmethod
    def batches(self, window: Window) -> Iterable[Tensor]:
        """Give a window to the network in batches [B, 3, H, W] in [0, 1], or [B, T] in [-1, 1]."""

    @abstractmethod
    def segments(self, shape: Any) -> Tiling | Chunking:
        """The segments of a file of this shape."""

    @abstractmethod
    def join(self, reader: SegmentReader, progress: Progress | None = None) -> Restored:
        """Decode the codes of a file and put the signal together.

        Raises (at once, or when the damaged part is reached):
            ContainerError: the file is damaged.
        """

    def most_together(self, shape: Any) -> int:
        """How many signals of this shape `render_each` restores at once; 1 where it is no faster."""
        return 1

    def render_each(self, codes: NDArray[np.int64], readers: Sequence[SegmentReader]) -> list[Restored]:
        """Restore signals of one shape and quality, of one segment each, whose codes [B, G, ...] have been read."""
        return [self.join(reader) for reader in readers]

    @abstractmethod
    def described(self, codes: NDArray[Any]) -> tuple[NDArray[Any], Shape] | None:
        """Codes of one signal or several, all axes there, and the shape that fills all of their grid.

        None where they do not have the axes of such codes, which are `axes`.
        """

    @abstractmethod
    def gathered(self, restored: Restored, shape: Any) -> Image | Audio:
        """All of what is restored, in memory.

        Raises:
            ContainerError: the file is damaged.
        """

    def verify(self, reader: SegmentReader) -> None:
        """Read all that a file says, without the network.

        Raises:
            ContainerError: the file is damaged.
        """
        for _ in reader:  # one segment at a time is held
            pass

    @abstractmethod
    def workload(self, shape: Any) -> Workload:
        """Return the work of restoring a file of this shape."""


def drain(
    generator: Generator[Given, None, Returned],
    use: Callable[[Given], Result],
    each: Callable[[Callable[[Given], Result], Iterable[Given]], Iterable[Result]] = map,
) -> tuple[list[Result], Returned]:
    """Use everything that a generator yields, in turn or as `each` does; return the results, and what it returned."""
    returned = list[Returned]()

    def given() -> Iterator[Given]:
        returned.append((yield from generator))

    return list(each(use, given())), returned[0]
