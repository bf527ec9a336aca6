"""Who is converted to whom, and what each side knows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqc.errors import OptionError
from vqc.evaluation.conversion.trials import Trial, plan_trials, read_clip
from vqc.evaluation.phonemes.utterances import Utterance, find_utterances

RATE = 8_000


def speech(folder: Path, speaker: str, *seconds: float) -> None:
    (folder / speaker).mkdir(parents=True)
    for number, length in enumerate(seconds):
        tone = 0.1 * np.sin(np.arange(int(length * RATE)) * (0.1 + 0.01 * number))
        soundfile.write(folder / speaker / f"{speaker}{number}.wav", tone, RATE)


def found(folder: Path) -> list[Utterance]:
    return find_utterances(folder, transcribed=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for speaker in ("ann", "bob", "cid", "dan"):
        speech(tmp_path / "data", speaker, 2, 4, 5, 0.5, 3.5, 20)
    return tmp_path / "data"


def counts(trials: list[Trial]) -> tuple[Counter[str], Counter[str]]:
    return Counter(trial.target.speaker for trial in trials), Counter(trial.speaker for trial in trials)


def test_everybody_gets_the_same_number_of_turns(folder: Path) -> None:
    trials = plan_trials(found(folder), found(folder), count=24, seconds=5)
    targets, speakers = counts(trials)
    assert set(targets.values()) == set(speakers.values()) == {6}
    assert all(trial.speaker != trial.target.speaker for trial in trials)
    assert [trial.source for trial in trials] == [
        t.source for t in plan_trials(found(folder), found(folder), count=24, seconds=5)
    ]


def test_recordings_of_three_to_ten_seconds_come_first(folder: Path) -> None:
    trials = plan_trials(found(folder), found(folder), count=12, seconds=5)
    names = Counter(trial.source.name[3:] for trial in trials)
    assert names == {"1.wav": 4, "2.wav": 4, "4.wav": 4}


def test_judges_know_a_voice_by_other_recordings_than_the_converter(folder: Path) -> None:
    trial = plan_trials(found(folder), found(folder), count=2, seconds=5)[0]
    first, second, *others = (folder / "ann" / f"ann{number}.wav" for number in (0, 1, 2, 4, 5))
    assert trial.target.speaker == "ann"
    heard = np.concatenate([read_clip(first), read_clip(second)])
    assert np.array_equal(trial.target.reference, heard[: 5 * 16_000])
    assert trial.target.others == tuple(others)
    assert trial.source not in trial.others
    assert {path.parent.name for path in trial.others} == {trial.speaker}


def test_targets_are_chosen_by_name_and_may_be_elsewhere(folder: Path, tmp_path: Path) -> None:
    speech(tmp_path / "others", "eve", 5, 3)
    speech(tmp_path / "others", "fay", 12)
    trials = plan_trials(found(folder), found(tmp_path / "others"), count=8, seconds=4)
    assert counts(trials) == ({"eve": 8}, dict.fromkeys(("ann", "bob", "cid", "dan"), 2))  # fay has one recording
    trials = plan_trials(found(folder), found(folder), speakers=("bob", "dan"), count=6, seconds=4)
    assert counts(trials)[0] == {"bob": 3, "dan": 3}


@pytest.mark.parametrize(
    ("speakers", "seconds", "message"),
    [
        (("eva",), 4, "no recordings of a speaker eva, did you mean 'eve'"),
        (("fay",), 4, "of speaker fay there are 1 recordings of 1 s or more; a reference of 4 s and another one"),
        ((), 9, "nobody has a reference of 9 s and another recording to judge by"),
    ],
)
def test_too_little_of_a_voice_is_one_sentence(
    folder: Path, tmp_path: Path, speakers: tuple[str, ...], seconds: float, message: str
) -> None:
    speech(tmp_path / "others", "eve", 5, 3)
    speech(tmp_path / "others", "fay", 12)
    with pytest.raises(OptionError, match=message):
        plan_trials(found(folder), found(tmp_path / "others"), speakers=speakers, seconds=seconds)


def test_somebody_else_has_to_speak(tmp_path: Path) -> None:
    speech(tmp_path, "ann", 4, 4, 4)
    with pytest.raises(OptionError, match="the recordings to convert are of 1 speakers"):
        plan_trials(found(tmp_path), found(tmp_path), seconds=4)
