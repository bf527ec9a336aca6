"""What every rival is: settings by rising size, signal to bytes, bytes to signal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from vqc.evaluation.items import Item
from vqc.evaluation.results import Media

Setting = float | str


class Rival(ABC):
    """A codec of others.

    settings: by rising size of the file.
    fixed: settings at which every item is measured, whatever the sizes of the model's files are.
    has_drafts: it is slow, and `draft_size` tells quickly about how large a file will be.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    media: ClassVar[Media]
    settings: ClassVar[Sequence[Setting]]
    fixed: ClassVar[Sequence[Setting]] = ()
    has_drafts: ClassVar[bool] = False

    @abstractmethod
    def version(self) -> str:
        """The program and how it is run, for people; of a rival that is available."""

    @abstractmethod
    def available(self) -> str | None:
        """None, or what is missing on this machine, such as "Pillow has been built without it"."""

    @abstractmethod
    def describe(self, setting: Setting) -> str:
        """The setting for people."""

    def draft_size(self, item: Item, setting: Setting) -> int:
        """Bytes, in some proportion to those of `encode` that changes little between settings."""
        raise NotImplementedError

    @abstractmethod
    def encode(self, item: Item, setting: Setting) -> bytes:
        """A complete file of the signal; MediaError when the program fails."""

    @abstractmethod
    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        """The restored signal, in the form and at the sample rate of the item; MediaError as above."""
