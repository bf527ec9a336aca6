"""Recordings in another voice: by name, by a recording, from a compressed file; and references that are none."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import vqc
from vqc.codec import voices
from vqc.codec.voices import SYNTHETIC
from vqc.data.audio_files import Samples
from vqc.errors import MediaError, MediaWarning, OptionError
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint
from vqc.models.voice.model import VoiceModel
from vqc.models.voice.traits import Traits

GOLDEN = Path(__file__).parent.parent / "golden"
RATE = 16_000


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    loaded = load_checkpoint(GOLDEN / "voice.safetensors")
    names = loaded.model.config.speakers
    for row, name in enumerate(names):
        traits = loaded.model.observer().traits()._replace(pitch=40.0 + 30 * row)
        loaded.model.voices[row] = torch.tensor(list(traits.to_bytes()))
        assert loaded.model.voice(name).pitch == traits.pitch
    return loaded


def speech(seconds: float, hz: float = 120.0, rate: int = RATE) -> np.ndarray:
    """Pulses whose pitch wanders and which pause: [T]."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.25 * np.sin(2 * np.pi * 1.3 * t))) / rate
    noise = np.random.default_rng(0).standard_normal(len(t))
    return ((0.1 * sum(np.cos(k * phase) / k for k in range(1, 9))) * (np.sin(2 * np.pi * 0.8 * t) > -0.5)
            + 0.002 * noise).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (22_050, 2), (8_000, 1)])
def test_length_rate_and_channels_are_kept(model: LoadedModel, rate: int, channels: int) -> None:
    samples = np.stack([speech(1.3, rate=rate)] * channels, 1)
    audio = vqc.convert(samples, rate, to="ben", model=model)
    assert audio.samples.shape == samples.shape
    assert audio.sample_rate == rate
    assert np.isfinite(audio.samples).all()


def test_a_voice_and_a_pitch_are_heard(model: LoadedModel) -> None:
    x = speech(1.5)
    own, anna, ben = (vqc.convert(x, RATE, to=to, model=model).samples for to in (None, "anna", "ben"))
    assert np.abs(anna - ben).max() > 1e-3
    assert np.abs(own - ben).max() > 1e-3
    kept = vqc.convert(x, RATE, to="ben", pitch="keep", model=model).samples
    moved = vqc.convert(x, RATE, to="ben", pitch=4.0, model=model).samples
    assert np.abs(kept - moved).max() > 1e-3


def test_a_reference_is_a_file_or_samples(model: LoadedModel, tmp_path: Path) -> None:
    reference = speech(1.5, 210.0, 22_050)
    soundfile.write(tmp_path / "reference.wav", reference, 22_050, "FLOAT")
    x = speech(0.6)
    from_file = vqc.convert(x, RATE, to=tmp_path / "reference.wav", model=model).samples
    from_samples = vqc.convert(x, RATE, to=(reference, 22_050), model=model).samples
    assert np.array_equal(from_file, from_samples)


def test_a_reference_is_listened_to_once(model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[str]()
    listen = voices.voice_in

    def counted(model: VoiceModel, blocks: Iterable[Samples], sample_rate: int, name: str) -> Traits:
        heard.append(name)
        return listen(model, blocks, sample_rate, name)

    monkeypatch.setattr(voices, "voice_in", counted)
    reference = tmp_path / "reference.wav"
    for hz in (210.0, 150.0):
        soundfile.write(reference, speech(2.0 + hz / 1000, hz), RATE)
        vqc.convert(speech(1.0), RATE, to=reference, model=model)
        vqc.convert(speech(1.2), RATE, to=reference, model=model)
    assert heard == [str(reference)] * 2


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (speech(0.6), "at least 1 s"),
        (np.zeros(3 * RATE, np.float32), "silent"),
        (np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32) * 0.1, "no voice is found"),
        (0.3 * np.sin(2 * np.pi * 220 * np.arange(3 * RATE) / RATE).astype(np.float32), "no voice is found"),
    ],
    ids=["short", "silent", "noise", "tone"],
)
def test_a_reference_without_a_voice_is_refused(model: LoadedModel, samples: np.ndarray, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        vqc.convert(speech(1.0), RATE, to=(samples, RATE), model=model)


def test_a_clipped_reference_is_warned_of(model: LoadedModel) -> None:
    with pytest.warns(MediaWarning, match="is clipped"):
        vqc.convert(speech(1.0), RATE, to=(np.clip(12 * speech(2.0), -1, 1), RATE), model=model)


def test_no_such_voice_is_told_with_those_that_there_are(model: LoadedModel) -> None:
    with pytest.raises(OptionError, match=r"did you mean 'anna'.*anna, ben"):
        vqc.convert(speech(1.0), RATE, to="annna", model=model)


def test_other_models_change_no_voices() -> None:
    with pytest.raises(OptionError, match="cannot change voices"):
        vqc.voices(load_checkpoint(GOLDEN / "speech.safetensors"))


def test_voices_are_listed(model: LoadedModel) -> None:
    assert vqc.voices(model) == ("anna", "ben")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_converted_file_says_that_it_is_synthetic(model: LoadedModel, tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "talk.flac", tmp_path / f"other{suffix}"
    with soundfile.SoundFile(source, "w", RATE, 1) as file:
        file.title, file.comment = "A talk", "my own voice"
        file.write(speech(1.2))
    report = vqc.convert_file(source, target, to="ben", model=model)
    assert report.samples == int(1.2 * RATE)
    with soundfile.SoundFile(target) as file:
        assert (file.title, file.comment) == ("A talk", SYNTHETIC)
        assert (file.frames, file.samplerate) == (int(1.2 * RATE), RATE)


def test_a_compressed_file_is_restored_in_another_voice(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    from vqc.models.files.zoo import add_model

    path = add_model(GOLDEN / "voice.safetensors").name
    x = speech(1.5)
    soundfile.write(tmp_path / "talk.wav", x, RATE)
    vqc.compress_file(tmp_path / "talk.wav", tmp_path / "talk.vqc", model=path)
    vqc.decompress_file(tmp_path / "talk.vqc", tmp_path / "own.wav")
    vqc.decompress_file(tmp_path / "talk.vqc", tmp_path / "other.wav", to=(speech(2.0, 230.0), RATE))
    own, other = (soundfile.read(tmp_path / name)[0] for name in ("own.wav", "other.wav"))
    assert own.shape == other.shape == x.shape
    assert np.abs(own - other).max() > 1e-3
    assert soundfile.SoundFile(tmp_path / "other.wav").comment == SYNTHETIC
    assert "comment" not in soundfile.SoundFile(tmp_path / "own.wav").copy_metadata()


def test_parts_of_a_long_file_are_those_of_all_of_it_in_any_voice(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    from vqc.models.files.zoo import add_model

    data = vqc.compress(speech(23.0), sample_rate=RATE, model=add_model(GOLDEN / "voice.safetensors").name)
    target, other = io.BytesIO(), io.BytesIO()
    reference = speech(2.0, 230.0), RATE
    vqc.decompress_file(data, target, format="wav", to=reference)
    vqc.decompress_file(data, other, format="wav", to=reference, start=15.0, duration=1.0)
    whole, part = (soundfile.read(io.BytesIO(file.getvalue()))[0] for file in (target, other))
    assert np.array_equal(part, whole[15 * RATE : 16 * RATE])
