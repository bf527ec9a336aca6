"""Phones as a recogniser hears them that knows no words: any phone may follow any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc._distribution import needs_extra
from vqc.errors import MissingPackageError

RATE = 16_000  # Hz, of what it listens to
PAUSES = {"SIL", "+NSN+", "+SPN+", "NSN", "SPN"}


class PhoneLoop:
    """PocketSphinx with its English model of phones.

    MissingPackageError: it is not installed.
    """

    def __init__(self) -> None:
        with needs_extra("phonemes", "phones are heard by PocketSphinx, which is not installed", MissingPackageError):
            from pocketsphinx import Decoder, get_model_path
        phones = get_model_path("en-us/en-us-phone.lm.bin")
        self._decoder: Any = Decoder(allphone=phones, lm=None, lw=2.0, beam=1e-20, pbeam=1e-20, loglevel="FATAL")

    def hear(self, clip: NDArray[np.float32]) -> list[str]:
        """The phones of [T] at 16 kHz in [-1, 1], without pauses and noises."""
        self._decoder.start_utt()
        self._decoder.process_raw((clip.clip(-1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        return phones_in([segment.word for segment in self._decoder.seg() or ()])

    def __call__(self, clip: NDArray[np.float32]) -> float:
        """How many phones a second are heard in [T]."""
        return len(self.hear(clip)) / (len(clip) / RATE)


def phones_in(heard: Sequence[str]) -> list[str]:
    """What of that which was heard is a phone, and no silence or noise."""
    return [phone for phone in heard if phone not in PAUSES]


def phone_errors(spoken: Sequence[str], heard: Sequence[str]) -> int:
    """How many phones have to be put in, left out or replaced to make one sequence of the other (Levenshtein 1966)."""
    row = np.arange(len(heard) + 1)  # errors of nothing against the first phones that were heard
    place = np.arange(len(heard) + 1)
    for phone in spoken:
        replaced = row[:-1] + np.array([phone != other for other in heard], dtype=np.int64)
        best = row + 1  # it was left out
        best[1:] = np.minimum(best[1:], replaced)
        row = np.minimum.accumulate(best - place) + place  # others were put in
    return int(row[-1])
