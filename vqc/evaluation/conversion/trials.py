"""Who is to speak with whose voice: a choice that depends on the files alone.

What a voice is known by to the converter (its reference) and to the judges (its other recordings) never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.data.audio_files import AudioReader, read_mono
from vqc.data.data_source import evenly_spaced
from vqc.errors import MediaError, OptionError, did_you_mean
from vqc.evaluation.conversion.judges import RATE
from vqc.evaluation.phonemes.utterances import Utterance

PREFERRED = (3.0, 10.0)  # seconds that a recording to convert lasts, where there are enough
SHORTEST = 1.0  # seconds of a recording that is of use at all
MOST_OTHERS = 8  # recordings that the judges know a voice by


@dataclass(frozen=True, eq=False)
class Voice:
    """Somebody whose voice is asked for."""

    speaker: str
    reference: NDArray[np.float32]  # [T] at 16 kHz: all that a converter hears of it
    others: tuple[Path, ...]  # what the judges know it by


class Trial(NamedTuple):
    """One recording that is to be in another voice."""

    source: Path
    speaker: str  # who speaks in it
    others: tuple[Path, ...]  # what the judges know that one by
    target: Voice


def readable(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[str]]:
    """Those that can be read, and a sentence for each of the others."""
    found, refused = list[Utterance](), list[str]()
    for utterance in utterances:
        try:
            _length(utterance.path)
            found.append(utterance)
        except MediaError as error:
            refused.append(f"left out: {error}")
    return found, refused


def plan_trials(
    sources: Sequence[Utterance],
    targets: Sequence[Utterance],
    *,
    speakers: Sequence[str] = (),
    count: int = 60,
    seconds: float = 10.0,
) -> list[Trial]:
    """Choose `count` trials, of each target as many and of each source speaker as many as can be.

    Args:
        sources: recordings to choose from; those of 3 to 10 s come first.
        targets: recordings of those whose voices are asked for.
        speakers: the targets by name; all that have two recordings when left out.
        seconds: of the reference of each.

    Raises:
        OptionError: there is no such speaker, or too little of one, or nobody else to be converted.
        MediaError: a recording cannot be read; see `readable`.
    """
    voices = list(_voices(_by_speaker(targets), speakers, seconds))
    spoken = {speaker: [u for u in found if _length(u.path) >= SHORTEST] for speaker, found in _by_speaker(sources)}
    spoken = {speaker: sorted(found, key=_preference) for speaker, found in spoken.items() if len(found) > 1}
    if not spoken or all(set(spoken) == {voice.speaker} for voice in voices):
        raise OptionError(
            f"the recordings to convert are of {len(spoken)} speakers with two or more of {SHORTEST:g} s; "
            "give those of somebody else than the targets"
        )
    return list(_pairs(spoken, voices, count))


def _pairs(spoken: Mapping[str, list[Utterance]], voices: Sequence[Voice], count: int) -> Iterator[Trial]:
    """In rounds over the targets; each begins with the source speaker after itself, so that all get their turns."""
    names = list(spoken)
    queues = {speaker: cycle(found) for speaker, found in spoken.items()}
    for number in range(count):
        turn, place = divmod(number, len(voices))
        voice = voices[place]
        first = names.index(voice.speaker) + 1 if voice.speaker in spoken else place
        candidates = [name for name in names[first:] + names[:first] if name != voice.speaker]
        if not candidates:
            continue
        speaker = candidates[turn % len(candidates)]
        source = next(queues[speaker]).path
        others = [u.path for u in spoken[speaker] if u.path != source]
        yield Trial(source, speaker, tuple(evenly_spaced(others, MOST_OTHERS)), voice)


def _voices(found: Sequence[tuple[str, list[Utterance]]], speakers: Sequence[str], seconds: float) -> Iterator[Voice]:
    known = dict(found)
    for name in speakers:
        if name not in known:
            raise OptionError(f"there are no recordings of a speaker {name}{did_you_mean(name, known)}")
    voices = 0
    for name in speakers or known:
        long = [u.path for u in known[name] if _length(u.path) >= SHORTEST]
        used = _reference_files(long, seconds)
        if others := long[used:]:
            voices += 1
            yield Voice(name, _joined(long[:used], seconds), tuple(evenly_spaced(others, MOST_OTHERS)))
        elif speakers:
            raise OptionError(
                f"of speaker {name} there are {len(long)} recordings of {SHORTEST:g} s or more; a reference of "
                f"{seconds:g} s and another one to judge by are needed: give more, or fewer --seconds"
            )
    if not voices:
        raise OptionError(
            f"nobody has a reference of {seconds:g} s and another recording to judge by; give more, or fewer --seconds"
        )


def _reference_files(paths: Sequence[Path], seconds: float) -> int:
    """How many recordings, from the first on, last that long; all of them if they do not."""
    total = 0.0
    for number, path in enumerate(paths, 1):
        total += _length(path)
        if total >= seconds:
            return number
    return len(paths)


def _joined(paths: Sequence[Path], seconds: float) -> NDArray[np.float32]:
    return np.concatenate([read_clip(path) for path in paths])[: round(seconds * RATE)]


@lru_cache(maxsize=64)
def read_clip(path: Path) -> NDArray[np.float32]:
    """The mean of the channels of a recording, [T] at 16 kHz; MediaError when it cannot be read."""
    return read_mono(path, RATE)[0]


@cache
def _length(path: Path) -> float:
    """Seconds, as the file says."""
    with AudioReader(path) as reader:
        return reader.frames / reader.sample_rate


def _preference(utterance: Utterance) -> tuple[bool, Path]:
    low, high = PREFERRED
    return not low <= _length(utterance.path) <= high, utterance.path


def _by_speaker(utterances: Sequence[Utterance]) -> list[tuple[str, list[Utterance]]]:
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.speaker, []).append(utterance)
    return list(groups.items())
