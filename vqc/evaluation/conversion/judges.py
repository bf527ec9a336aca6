"""Judges of a clip at 16 kHz, all from outside but for the pitch, and the folder in which what they say is kept.

A judge says the same of the same samples each time, so that what it said once is kept, by the samples and its version.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from vqc._distribution import install_command
from vqc.atomic import write_atomically
from vqc.evaluation.phonemes.phone_loop import PhoneLoop
from vqc.metrics.audio_metrics import dnsmos
from vqc.nn.pitch import PITCH_HOP, track_pitch

RATE = 16_000  # Hz, of all clips
SHORTEST_PRINT = 0.4  # seconds of speech that a voice can be told by

Clip = NDArray[np.float32]  # [T] in [-1, 1]


class Judge(ABC):
    """Somebody who hears a clip and says something of it that JSON can hold, None where there is nothing to say."""

    key: ClassVar[str]
    says: ClassVar[str]  # for people, what is missing without it
    packages: ClassVar[tuple[str, ...]]  # modules without which it cannot be heard
    versioned: ClassVar[tuple[str, ...]]  # distributions on whose version it depends what it says

    @abstractmethod
    def hear(self, clip: Clip) -> Any:
        """Say it of [T] at 16 kHz in [-1, 1]."""

    @classmethod
    def absent(cls) -> list[str]:
        """The packages that are not installed."""
        return [name for name in cls.packages if find_spec(name) is None]

    @classmethod
    def identity(cls) -> str:
        """Its name, and the versions on which it depends what it says."""
        found = []
        for name in cls.versioned:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                found.append(name)
        return " ".join((cls.key, *found))


class VoicePrints(Judge):
    """Resemblyzer's speaker encoder: a vector of 256 values and length 1, alike for clips of one voice.

    Wan et al. 2018 (GE2E), trained on some thousand speakers; volume and pauses are levelled as its package does it.
    """

    key, says = "print", "who is heard"
    packages, versioned = ("resemblyzer", "webrtcvad", "librosa"), ("resemblyzer", "librosa")

    @cached_property
    def _package(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old names in scipy and setuptools
            import resemblyzer

            return resemblyzer

    @cached_property
    def _encoder(self) -> Any:
        return self._package.VoiceEncoder("cpu", verbose=False)

    def hear(self, clip: Clip) -> list[float] | None:
        """The vector; None where hardly anybody speaks."""
        if not clip.any():
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            speech = self._package.preprocess_wav(clip)
            if len(speech) < SHORTEST_PRINT * RATE:
                return None
            found = self._encoder.embed_utterance(speech)
        return [round(float(value), 6) for value in found] if np.isfinite(found).all() else None


class Phones(Judge):
    """The phones that PocketSphinx hears where any may follow any other."""

    key, says = "phones", "which phones are heard"
    packages, versioned = ("pocketsphinx",), ("pocketsphinx",)

    @cached_property
    def _loop(self) -> PhoneLoop:
        return PhoneLoop()

    def hear(self, clip: Clip) -> list[str]:
        """Their names."""
        return self._loop.hear(clip)


class Rating(Judge):
    """The overall quality from 1 to 5 as DNSMOS P.835 guesses it (Reddy et al. 2022)."""

    key, says = "dnsmos", "how it would be rated"
    packages, versioned = ("speechmos", "librosa", "onnxruntime"), ("speechmos",)

    def hear(self, clip: Clip) -> float:
        """One number."""
        return dnsmos(clip)


class Pitch(Judge):
    """The pitch that this project tracks: states of `vqc.nn.pitch` every 20 ms, 0 where there is none."""

    key, says = "pitch", "how high it is"
    packages, versioned = (), ()

    def hear(self, clip: Clip) -> list[int]:
        """The states."""
        padded = np.pad(clip, (0, -len(clip) % PITCH_HOP))
        states: list[int] = track_pitch(torch.from_numpy(padded)[None])[0].tolist()
        return states


JUDGES: tuple[type[Judge], ...] = (VoicePrints, Phones, Rating, Pitch)


class Panel:
    """The judges that can be heard here; what they say is kept in a folder.

    `left_out` has a sentence for each of the others. Asked are all that there are, unless some are named.
    """

    def __init__(self, cache: Path, judges: Sequence[type[Judge]] | None = None) -> None:
        self.cache, judges = cache, JUDGES if judges is None else judges
        self.left_out = [
            f"nobody says {judge.says}, for lack of {' and '.join(judge.absent())}; run: {install_command('judges')}"
            for judge in judges
            if judge.absent()
        ]
        self._judges = {judge.key: judge() for judge in judges if not judge.absent()}

    def ask(self, key: str, clip: Clip) -> Any:
        """What a judge says of a clip [T]; None if it is not here."""
        judge = self._judges.get(key)
        if judge is None or not len(clip):
            return None
        clip = np.ascontiguousarray(clip.clip(-1, 1), dtype=np.float32)
        name = hashlib.sha256(f"{judge.identity()}\n".encode() + clip.tobytes()).hexdigest()
        kept = self.cache / key / name[:2] / f"{name}.json"
        if kept.is_file():
            return json.loads(kept.read_text(encoding="utf-8"))
        said = judge.hear(clip)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(said).encode(), overwrite=True)
        return said
