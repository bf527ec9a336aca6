"""Judges are asked once, and what they say becomes numbers and means; those that are missing leave gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from made_up_voices import voice

from vqc.evaluation.conversion import judges
from vqc.evaluation.conversion.judges import Clip, Judge, Panel, Phones, Pitch, Rating, VoicePrints
from vqc.evaluation.conversion.scores import Hearing, Scores
from vqc.evaluation.conversion.study import CONVERTED, RESTORED, SOURCE, TARGET, study_conversion
from vqc.evaluation.conversion.trials import Trial, plan_trials
from vqc.evaluation.phonemes.utterances import find_utterances

RATE = 16_000


class FakePrints(Judge):
    """Tells voices by their loudness."""

    key, says, packages, versioned = "print", "who is heard", (), ()

    def hear(self, clip: Clip) -> list[float] | None:
        loud = float(np.abs(clip).max())
        return [np.cos(loud), np.sin(loud)] if loud else None


class FakePhones(Judge):
    """Hears as many phones as there are tenths of a second."""

    key, says, packages, versioned = "phones", "which phones are heard", (), ()

    def hear(self, clip: Clip) -> list[str]:
        return ["AH" if sample > 0 else "T" for sample in clip[::1_600]]


class Missing(Judge):
    """Is not there."""

    key, says, packages, versioned = "dnsmos", "how it would be rated", ("no_such_package",), ("no-such-package",)

    def hear(self, clip: Clip) -> Any:
        raise AssertionError


def test_a_judge_is_asked_once(tmp_path: Path) -> None:
    panel, clip = Panel(tmp_path, [FakePhones]), np.ones(4_800, np.float32)
    assert panel.ask("phones", clip) == ["AH"] * 3
    (kept,) = tmp_path.rglob("*.json")
    kept.write_text('["K"]')
    assert panel.ask("phones", clip) == ["K"]
    assert panel.ask("phones", -clip) == ["T"] * 3
    assert panel.ask("phones", 2 * clip) == ["K"]  # judges hear what a file would hold
    assert panel.ask("phones", clip[:0]) is None


def test_who_is_missing_is_named(tmp_path: Path) -> None:
    panel = Panel(tmp_path, [FakePrints, Missing])
    assert panel.left_out == [
        "nobody says how it would be rated, for lack of no_such_package; run: pip install 'vqc-codec[judges]'"
    ]
    assert panel.ask("dnsmos", np.ones(1_600, np.float32)) is None


def test_versions_are_part_of_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "version", lambda name: "1.2")
    assert VoicePrints.identity() == "print resemblyzer 1.2 librosa 1.2"
    assert Missing.identity() != Rating.identity()


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """Ann is low and loud, bob is high and soft."""
    for speaker, hz, loudness in (("ann", 110, 1.0), ("bob", 165, 0.3)):
        (tmp_path / speaker).mkdir()
        for number in range(3):
            clip = loudness * voice(hz, 800 + 100 * number, 1.2) / 0.3
            soundfile.write(tmp_path / speaker / f"{number}.wav", clip.clip(-1, 1), RATE, subtype="FLOAT")
    found = find_utterances(tmp_path, transcribed=False)
    return plan_trials(found, found, count=2, seconds=1)


class Half:
    """A model that restores everything at half its loudness, and converts by giving the reference."""

    converts = True

    def restore(self, clip: Clip) -> Clip:
        return clip / 2

    def convert(self, trial: Trial, clip: Clip) -> Clip:
        return np.resize(trial.target.reference, len(clip))


def test_a_study_of_a_model(trials: list[Trial], tmp_path: Path) -> None:
    shares, kept = list[float](), list[str]()
    study = study_conversion(
        trials,
        Panel(tmp_path / "cache", [FakePrints, FakePhones, Missing, Pitch]),
        Half(),
        progress=shares.append,
        keep=lambda trial, row, clip: kept.append(row),
    )
    rows = {row.name: row for row in study.rows}
    assert list(rows) == [*dict.fromkeys(kept), TARGET]
    assert shares == sorted(shares)
    assert max(shares) < 1
    assert rows[SOURCE].of("nearer") == [False, False]
    assert rows[CONVERTED].of("nearer") == [True, True]
    assert rows[SOURCE].of("phone_errors") == [0, 0]
    assert rows[RESTORED].of("phone_errors") == [0, 0]  # the fake hears no loudness
    assert rows[SOURCE].of("dnsmos") == []
    assert rows[SOURCE].mean("dnsmos") is None
    assert rows[SOURCE].of("pitch_correlation") == pytest.approx([1, 1])
    assert rows[SOURCE].of("pitch_error") == pytest.approx([12 * np.log2(1.5)] * 2, abs=0.3)
    assert rows[CONVERTED].of("pitch_error") == pytest.approx([0, 0], abs=0.3)
    assert rows[TARGET].of("phone_errors") == []
    margin = study.above_strangers(rows[CONVERTED])
    own, strangers = rows[CONVERTED].mean("to_target"), rows[SOURCE].mean("to_target")
    assert margin is not None
    assert own is not None
    assert strangers is not None
    assert margin.mean == pytest.approx(own.mean - strangers.mean)
    found = study.as_json()
    assert [row["name"] for row in found["rows"]] == list(rows)
    assert found["rows"][0]["nearer"]["share"] == 0
    assert found["trials"][0]["scores"][SOURCE]["to_target"] == rows[SOURCE].scores[0].to_target


def test_without_a_model_the_baselines_stand_alone(trials: list[Trial], tmp_path: Path) -> None:
    study = study_conversion(trials[:1], Panel(tmp_path / "cache", [FakePrints]), None, progress=lambda share: None)
    assert study.row(CONVERTED) is None
    assert study.above_restored(study.rows[0]) is None
    assert study.rows[1].scores[0].phone_errors is None


def test_silence_has_no_print_and_no_height(trials: list[Trial], tmp_path: Path) -> None:
    hearing = Hearing(Panel(tmp_path / "cache", [FakePrints, Pitch]))
    silence = np.zeros(16_000, np.float32)
    assert hearing.height(silence) is None
    found = hearing.judge(silence, trials[0])
    assert found == Scores()


def test_the_real_judges_hear_a_voice() -> None:
    for package in ("resemblyzer", "webrtcvad", "librosa"):
        pytest.importorskip(package, exc_type=ImportError)
    prints = VoicePrints()
    assert prints.hear(np.zeros(16_000, np.float32)) is None
    found = prints.hear(voice(120, 800, 3.0))
    assert found is None or np.linalg.norm(found) == pytest.approx(1, abs=1e-3)


def test_pocketsphinx_hears_its_own_names(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    assert isinstance(Panel(tmp_path, [Phones]).ask("phones", voice(120, 800)), list)
