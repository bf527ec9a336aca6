"""The 41 classes of the phoneme experiment (arXiv 1711.00937, section 4.2), and phones as one class each 10 ms.

The paper does not list its classes. Here they are the 39 phones of the CMU dictionary without stress, silence, and one
for all else: noise, laughter, and words that the dictionary does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ARPABET = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"),
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH"),
    *("V", "W", "Y", "Z", "ZH"),
)
SILENCE, OTHER = len(ARPABET), len(ARPABET) + 1
CLASSES = (*ARPABET, "sil", "other")
# Phones that are made alike next to each other, so that confusions lie near the diagonal of a picture.
ARTICULATORY_ORDER = (
    *("IY", "IH", "EY", "EH", "AE", "AY", "AA", "AO", "AW", "AH", "ER", "UH", "UW", "OW", "OY"),
    *("Y", "W", "R", "L", "M", "N", "NG", "V", "DH", "Z", "ZH", "F", "TH", "S", "SH", "HH"),
    *("CH", "JH", "B", "D", "G", "P", "T", "K", "sil", "other"),
)
FRAME_SECONDS = 0.01

_INDEX = {name: index for index, name in enumerate(ARPABET)}
_SILENCES = {"", "SIL", "SP", "SPN_SIL", "PAU", "H#", "<SIL>", "<EPS>", "<S>", "</S>", "_"}


class Segment(NamedTuple):
    """A phone and its place in a recording."""

    start: float  # seconds
    stop: float  # seconds
    phone: str  # as the aligner calls it: "AH0", "SIL", "+SPN+"


def class_of(phone: str) -> int:
    """The index in `CLASSES` of a phone by any aligner's name: stress is left off, unknown names are `OTHER`."""
    name = phone.strip().upper()
    if name in _SILENCES:
        return SILENCE
    return _INDEX.get(name.rstrip("0123456789"), OTHER)


def frame_classes(segments: Iterable[Segment], seconds: float) -> NDArray[np.int64]:
    """Return the class in the middle of each whole 10 ms, int64 [N]; silence where no segment is."""
    middles = (np.arange(int(seconds / FRAME_SECONDS + 1e-6)) + 0.5) * FRAME_SECONDS
    classes = np.full(len(middles), SILENCE, np.int64)
    for segment in segments:
        first, last = np.searchsorted(middles, (segment.start, segment.stop))
        classes[first:last] = class_of(segment.phone)
    return classes
