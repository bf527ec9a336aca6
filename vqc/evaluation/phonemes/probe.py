"""The map from codes to phones, and how often it is right (arXiv 1711.00937, section 4.2).

The map is learnt on one half of the speakers and scored on the other: each code stands for the phone that it is most
often heard with. With context, each pair of a code and the one before it stands for a phone of its own; a pair that
has been heard less often than `LEAST_HEARD` times falls back to its code, and a code never heard to the phone that is
most frequent of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.evaluation.phonemes.phone_classes import CLASSES, FRAME_SECONDS, SILENCE

Context = Literal["single", "pair"]
LEAST_HEARD = 3  # frames: a pair heard once says little of the phone

Int64Array = NDArray[np.int64]


class AlignedCodes(NamedTuple):
    """The codes and the phones of an utterance, one of each every 10 ms."""

    speaker: str
    codes: Int64Array  # [N]
    before: Int64Array  # [N], the code before that one; -1 for the first
    classes: Int64Array  # [N]


class Score(NamedTuple):
    """Score of a map on the phones of speakers it has not heard."""

    accuracy: float  # share of the frames
    accuracy_speech: float  # of those that are not silence
    chance: float  # accuracy of phones drawn at random with the frequencies of the half that was mapped
    majority: float  # accuracy of always saying the most frequent phone of that half
    frames: int
    confusion: Int64Array  # [41, 41], frames by their class and by what the map says


def align_codes(speaker: str, codes: Int64Array, codes_per_second: float, classes: Int64Array) -> AlignedCodes:
    """Codes [n] and classes [N] of an utterance, put together: of each 10 ms the code in its middle counts."""
    place = ((np.arange(len(classes)) + 0.5) * FRAME_SECONDS * codes_per_second).astype(np.int64)
    there = place < len(codes)
    shifted = np.concatenate([[-1], codes])  # [n + 1]: the code before each
    return AlignedCodes(speaker, codes[place[there]], shifted[place[there]], classes[there])


def split_speakers(speakers: Sequence[str]) -> tuple[list[str], list[str]]:
    """Every second speaker in the order of their names, and the others."""
    ordered = sorted(set(speakers))
    return ordered[::2], ordered[1::2]


class CodeMap:
    """Codes, or pairs of them, to phones."""

    def __init__(self, utterances: Sequence[AlignedCodes], codebook_size: int, context: Context) -> None:
        self.size, self.context = codebook_size, context
        codes, pairs, classes = self._joined(utterances)  # [N] each
        shares = np.bincount(classes, minlength=len(CLASSES)) / len(classes)  # [41]
        self.shares, self.majority = shares, int(shares.argmax())
        counts = np.zeros((codebook_size, len(CLASSES)), np.int64)
        np.add.at(counts, (codes, classes), 1)
        self.codes = np.where(counts.any(1), counts.argmax(1), self.majority)  # [K], a class for each code
        self.pairs, place = np.unique(pairs, return_inverse=True)  # [P] pairs, and which one each of [N] is
        of_pairs = np.zeros((len(self.pairs), len(CLASSES)), np.int32)
        np.add.at(of_pairs, (place, classes), 1)
        often = of_pairs.sum(1) >= LEAST_HEARD
        self.pairs, self.classes_of_pairs = self.pairs[often], of_pairs[often].argmax(1)

    def phones(self, codes: Int64Array, pairs: Int64Array) -> Int64Array:
        """Classes [N] for codes [N]."""
        alone: Int64Array = self.codes[codes]
        if self.context == "single" or not len(self.pairs):
            return alone
        place = np.searchsorted(self.pairs, pairs).clip(max=len(self.pairs) - 1)
        together: Int64Array = np.where(self.pairs[place] == pairs, self.classes_of_pairs[place], alone)
        return together

    def score(self, utterances: Sequence[AlignedCodes]) -> Score:
        """Count how often the map is right on these."""
        codes, pairs, classes = self._joined(utterances)  # [N] each
        said = self.phones(codes, pairs)  # [N]
        right, speech = said == classes, classes != SILENCE
        confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
        np.add.at(confusion, (classes, said), 1)
        here = np.bincount(classes, minlength=len(CLASSES)) / len(classes)
        return Score(
            accuracy=float(right.mean()),
            accuracy_speech=float(right[speech].mean()) if speech.any() else 0.0,
            chance=float(here @ self.shares),
            majority=float(here[self.majority]),
            frames=len(classes),
            confusion=confusion,
        )

    def _joined(self, utterances: Sequence[AlignedCodes]) -> tuple[Int64Array, Int64Array, Int64Array]:
        codes = np.concatenate([u.codes for u in utterances])
        before = np.concatenate([u.before for u in utterances])
        return codes, (before + 1) * self.size + codes, np.concatenate([u.classes for u in utterances])
