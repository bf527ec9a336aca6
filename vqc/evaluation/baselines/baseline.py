"""Base of the codecs that a model is compared with: settings by rising size, signal to bytes, bytes to signal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from vqc.evaluation.baselines.programs import absent
from vqc.evaluation.items import Item
from vqc.format.shapes import Media

Setting = float | str


class Baseline(ABC):
    """A codec of others.

    settings: by rising size of the file.
    words: the format of a setting for people.
    programs, package: the programs on the path that it needs, and where they are from.
    fixed: settings at which every item is measured, whatever the sizes of the model's files are.
    is_variant: it is another codec asked for in another way, and runs only when it is named.
    has_drafts: it is slow, and `draft_size` tells quickly about how large a file will be.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    media: ClassVar[Media]
    settings: ClassVar[Sequence[Setting]]
    fixed: ClassVar[Sequence[Setting]] = ()
    is_variant: ClassVar[bool] = False
    has_drafts: ClassVar[bool] = False
    words: ClassVar[str] = "quality {}"
    programs: ClassVar[Sequence[str]] = ()
    package: ClassVar[str] = ""

    @abstractmethod
    def version(self) -> str:
        """The program and how it is run, for people; of a baseline that is available."""

    def available(self) -> str | None:
        """Return None, or what is missing on this machine, such as "Pillow has been built without it"."""
        return absent(self.programs, self.package)

    def describe(self, setting: Setting) -> str:
        """Return the setting for people."""
        return self.words.format(setting)

    def draft_size(self, item: Item, setting: Setting) -> int:
        """Bytes, in some proportion to those of `encode` that changes little between settings."""
        raise NotImplementedError

    @abstractmethod
    def encode(self, item: Item, setting: Setting) -> bytes:
        """A complete file of the signal; MediaError when the program fails."""

    @abstractmethod
    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        """The restored signal, in the form and at the sample rate of the item; MediaError as above."""
