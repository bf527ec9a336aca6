"""Training sets before they are decoded: items with names, and a way to decode each.

Folders, the files of CIFAR-10 and the sets of torchvision and torchaudio all become a `DataSource`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from numpy.typing import NDArray

from vqc.data.formats import MEDIA
from vqc.format.shapes import Media

Split = Literal["training", "validation"]
Each = TypeVar("Each")


class DataItem(NamedTuple):
    """One image or recording.

    name: how messages and figures call it.
    key: what decides by its hash about validation, where the set has no validation part of its own.
    part: the set's own part, or None where that is left to the hash.
    weight: how often it is drawn in training, relative to the other items of its set.
    label: its class, where the set tells one.
    """

    name: str
    key: str
    part: Split | None = None
    weight: float = 1.0
    label: str = ""


class Contents(NamedTuple):
    """All items of a set; `read` decodes one by its index.

    Images are uint8 [H, W, 3]; audio is int16 [T], mono at the sample rate that was asked for. MediaError from `read`
    means that the item is skipped.
    """

    items: Sequence[DataItem]
    read: Callable[[int], NDArray[Any]]


@dataclass(frozen=True)
class DataSource:
    """A set to decode.

    title: how the set is called in captions.
    identity: everything that decides about what is decoded; equal identities mean equal contents.
    contents: looks into the set; not called when a decoded copy of this identity is at hand.
    notes: sentences the user should see.
    """

    title: str
    identity: str
    contents: Callable[[], Contents]
    notes: tuple[str, ...] = ()


def evenly_spaced(items: Sequence[Each], count: int) -> list[Each]:
    """Return at most `count` of the items, evenly spaced."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def counted(count: int, media: Media) -> str:
    """Such as "1 image" and "2,000 audio files"."""
    return f"{count:,} {MEDIA[media].plural[: -1 if count == 1 else None]}"
