"""Phones of transcribed speech by forced alignment with PocketSphinx, its English model and the CMU dictionary.

Two passes: the first aligns words, choosing among the pronunciations of each and putting pauses where they are; the
second aligns the phones of what the first has chosen. A frame of the aligner is a window of 25.6 ms every 10 ms, so
that its frame t is centred on 12.8 ms + 10 t, which is where its phones are put here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc._distribution import install_command
from vqc.atomic import write_atomically
from vqc.errors import MissingPackageError
from vqc.evaluation.phonemes.phone_classes import Segment
from vqc.evaluation.phonemes.utterances import SAMPLE_RATE

_FRAME_SECONDS, _FIRST_EDGE = 0.01, 0.0128 - 0.005  # of the aligner's frame 0
_UNKNOWN = "+SPN+"  # the acoustic model's phone for speech that is no word


class Aligner:
    """Aligns one utterance after the other; what it has found once it keeps in a folder, by the contents."""

    def __init__(self, cache: Path) -> None:
        """MissingPackageError: PocketSphinx is not installed."""
        try:
            from pocketsphinx import Decoder

            self.version = version("pocketsphinx")
        except (ImportError, PackageNotFoundError):
            raise MissingPackageError(
                f"phones are aligned by PocketSphinx, which is not installed; run: {install_command('phonemes')}, "
                "or give --alignments"
            ) from None
        self.cache, self.unknown = cache, set[str]()
        self._decoder: Any = Decoder(lm=None, samprate=SAMPLE_RATE, loglevel="FATAL", bestpath=False)

    def align(self, waveform: NDArray[np.float32], words: str) -> list[Segment] | None:
        """The phones of [T] at 16 kHz in [-1, 1]; None when the words cannot be found in it."""
        pcm = (np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes()
        spoken = words.lower().split()
        self._add_unknown(spoken)
        key = hashlib.sha256(f"pocketsphinx {self.version}\n{words}\n".encode() + pcm).hexdigest()
        kept = self.cache / key[:2] / f"{key}.json"
        if kept.is_file():
            found = json.loads(kept.read_text(encoding="utf-8"))
        else:
            found = self._align(pcm, " ".join(spoken))
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(found).encode(), overwrite=True)
        return [_segment(*entry) for entry in found] or None

    def _add_unknown(self, words: Iterable[str]) -> None:
        """Words that the dictionary lacks are aligned as speech of no known phones."""
        for word in words:
            if self._decoder.lookup_word(word) is None:
                self.unknown.add(word)
                self._decoder.add_word(word, _UNKNOWN, True)

    def _align(self, pcm: bytes, words: str) -> list[tuple[str, int, int]]:
        """Phones with the first frame and the number of frames of each; none when that fails."""
        self._decoder.set_align_text(words)
        try:
            self._listen(pcm)
            if self._decoder.hyp() is None:
                return []
            self._decoder.set_alignment()
            self._listen(pcm)
            return [(phone.name, phone.start, phone.duration) for phone in self._decoder.get_alignment().phones()]
        except RuntimeError:  # it has no path through the words: another text, or too little sound
            return []

    def _listen(self, pcm: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, full_utt=True)
        finally:
            self._decoder.end_utt()


def _segment(phone: str, first: int, frames: int) -> Segment:
    start = _FIRST_EDGE + first * _FRAME_SECONDS
    return Segment(start, start + frames * _FRAME_SECONDS, phone)
