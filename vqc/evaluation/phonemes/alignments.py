"""Sources of the phones of an utterance: forced alignment with its transcript, or files that were given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqc.evaluation.phonemes.alignment_files import read_alignments
from vqc.evaluation.phonemes.forced_alignment import Aligner
from vqc.evaluation.phonemes.phone_classes import Segment
from vqc.evaluation.phonemes.utterances import Utterance


class Alignments(ABC):
    """Phones of utterances."""

    @abstractmethod
    def of(self, utterance: Utterance, waveform: NDArray[np.float32]) -> list[Segment] | None:
        """Return the phones of an utterance, whose waveform [T] at 16 kHz is given; None when there are none."""

    @property
    def unknown(self) -> frozenset[str]:
        """Words so far that the dictionary does not have."""
        return frozenset()


class ForcedAlignments(Alignments):
    """Aligned now, or found in the cache."""

    def __init__(self, cache: Path) -> None:
        self._aligner = Aligner(cache)

    def of(self, utterance: Utterance, waveform: NDArray[np.float32]) -> list[Segment] | None:
        assert utterance.words is not None, "utterances to align have transcripts"
        return self._aligner.align(waveform, utterance.words)

    @property
    def unknown(self) -> frozenset[str]:
        return frozenset(self._aligner.unknown)


class GivenAlignments(Alignments):
    """Read from files."""

    def __init__(self, folder: Path) -> None:
        self._segments = read_alignments(folder)

    def of(self, utterance: Utterance, waveform: NDArray[np.float32]) -> list[Segment] | None:
        return self._segments.get(utterance.name)
