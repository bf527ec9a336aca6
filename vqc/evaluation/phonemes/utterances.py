"""Spoken utterances with their speakers and transcripts, in the layout of LibriSpeech.

A folder anywhere below the one that is given holds recordings and one or more ``*.trans.txt``, each line of which is
the name of a recording without its suffix, a space, and what is said in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from vqc.data.formats import SUFFIXES
from vqc.data.validation_split import split_key
from vqc.data.walk import files_below
from vqc.errors import OptionError

SAMPLE_RATE = 16_000


class Utterance(NamedTuple):
    """A recording of one speaker."""

    name: str  # without suffix
    path: Path
    speaker: str
    words: str | None  # as the transcript has them; None where there is none


def find_utterances(folder: Path, *, transcribed: bool = True) -> list[Utterance]:
    """The utterances in a folder, in the order of their paths.

    The speaker is what the names of LibriSpeech and other corpora tell, else the folder in which the recording lies.

    Args:
        folder: searched with all folders in it.
        transcribed: leave out recordings without a transcript.

    Raises:
        OptionError: there are none, or a transcript cannot be read.
        MediaError: a folder may not be read.
    """
    if not folder.is_dir():
        raise OptionError(f"{folder} is not a folder; give one with recordings and their transcripts")
    files = sorted(files_below(folder))
    transcripts = [path for path in files if path.name.endswith(".trans.txt")]
    words = {key: text for path in transcripts for key, text in _read_transcript(path).items()}
    recordings = [path for path in files if path.suffix.lower() in SUFFIXES["audio"]]
    found = [Utterance(p.stem, p, speaker_of(p), words.get(p.parent / p.stem)) for p in recordings]
    found = [utterance for utterance in found if utterance.words is not None or not transcribed]
    if not found:
        what = "recordings with transcripts (NAME.trans.txt)" if transcribed else "recordings"
        raise OptionError(f"{folder} holds no {what}; give a folder in the layout of LibriSpeech")
    return found


def speaker_of(path: Path) -> str:
    """Return who speaks in a recording."""
    key = split_key(path.name)
    return key.removeprefix("speaker ") if key.startswith("speaker ") else path.parent.name


def _read_transcript(path: Path) -> dict[Path, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} cannot be read as transcripts: {error}") from None
    pairs = [line.strip().partition(" ") for line in lines if line.strip()]
    return {path.parent / name: words for name, _, words in pairs}
