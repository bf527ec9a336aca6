"""Forced alignment of a recording of the package whose words are known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import vqc
from vqc.data.audio_files import read_mono
from vqc.evaluation.phonemes import forced_alignment
from vqc.evaluation.phonemes.forced_alignment import Aligner
from vqc.evaluation.phonemes.phone_classes import CLASSES, OTHER, SILENCE, class_of, frame_classes

pytest.importorskip("pocketsphinx")

RECORDING = Path(vqc.__file__).parent / "evaluation" / "samples" / "audio" / "2414-128291-0000.flac"
WORDS = "WHAT HATH HAPPENED UNTO ME"


@pytest.fixture
def aligner(tmp_path: Path) -> Aligner:
    return Aligner(tmp_path / "kept")


def test_the_phones_of_the_words_follow_each_other(aligner: Aligner) -> None:
    segments = aligner.align(read_mono(RECORDING, 16_000)[0], WORDS)
    assert segments is not None
    assert all(a.stop == pytest.approx(b.start) for a, b in pairwise(segments))
    spoken = [segment.phone for segment in segments if class_of(segment.phone) not in (SILENCE, OTHER)]
    assert spoken[0] in ("W", "HH")
    assert "".join(spoken).endswith("TUWMIY")


def test_frames_are_loud_where_vowels_are(aligner: Aligner) -> None:
    waveform = read_mono(RECORDING, 16_000)[0]
    classes = frame_classes(aligner.align(waveform, WORDS) or [], len(waveform) / 16_000)
    power = np.square(waveform[: len(classes) * 160].reshape(-1, 160)).mean(1)
    vowels = np.isin(classes, [CLASSES.index(name) for name in ("AH", "AE", "IY", "UW")])
    assert power[vowels].mean() > 10 * power[classes == SILENCE].mean()


def test_what_was_aligned_is_kept(aligner: Aligner, monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = read_mono(RECORDING, 16_000)[0]
    found = aligner.align(waveform, WORDS)
    monkeypatch.setattr(forced_alignment.Aligner, "_align", lambda *_: pytest.fail("it has been aligned already"))
    assert aligner.align(waveform, WORDS) == found
    with pytest.raises(pytest.fail.Exception):
        aligner.align(waveform, WORDS + " TOO")


def test_words_that_the_dictionary_lacks_are_other(aligner: Aligner) -> None:
    segments = aligner.align(read_mono(RECORDING, 16_000)[0], "WHAT HATH HAPPXQED UNTO ME")
    assert aligner.unknown == {"happxqed"}
    assert segments is not None
    assert sum(class_of(segment.phone) == OTHER for segment in segments) == 1


def test_words_that_are_not_there_have_no_alignment(aligner: Aligner) -> None:
    assert aligner.align(np.zeros(1_600, np.float32), WORDS * 5) is None
