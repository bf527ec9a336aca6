"""The whole experiment on a made-up language whose phones are tones, with alignments that are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from vqc.drawing.confusion import draw_confusion
from vqc.errors import OptionError
from vqc.evaluation.phonemes.phone_classes import ARTICULATORY_ORDER, CLASSES
from vqc.evaluation.phonemes.study import PhonemeStudy, speech_folder, study_phonemes
from vqc.evaluation.phonemes.utterances import find_utterances
from vqc.models.base import AudioModel
from vqc.models.speech.model import SpeechConfig, SpeechModel
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig

TONES = {"IY": 500, "S": 3_000, "M": 1_500}


class ToneModel(AudioModel):
    """Codes are the loudest frequency in steps of 500 Hz, 50 a second."""

    kind, config, sample_rate, hop_length, halo = "tones", None, 8_000, 160, 0

    def __init__(self) -> None:
        super().__init__()
        self.register_static_table()

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (9,)

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        spectrum = torch.fft.rfft(waveform.unfold(1, 160, 160)).abs()
        return (spectrum.argmax(-1) * 50 / 500).round().long()[:, None]

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        raise NotImplementedError


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Four speakers, alignments beside the recordings; speaker 4 says what its alignment does not have."""
    generator = np.random.default_rng(0)
    lines = []
    for speaker in (1, 2, 3, 4):
        name = f"{speaker}-7-0000"
        phones = generator.choice(list(TONES), 40)
        seconds = np.arange(1_600) / 16_000
        sound = np.concatenate([0.3 * np.sin(2 * np.pi * TONES[p] * seconds) for p in phones])
        folder = tmp_path / "speech" / str(speaker) / "7"
        folder.mkdir(parents=True)
        soundfile.write(folder / f"{name}.flac", sound, 16_000)
        (folder / f"{speaker}-7.trans.txt").write_text(f"{name} TONES\n")
        said = generator.permutation(phones) if speaker == 4 else phones
        lines += [f"{name} 1 {0.1 * i:.2f} 0.10 {phone}" for i, phone in enumerate(said)]
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "all.ctm").write_text("\n".join(lines))
    return tmp_path


def study(speech: Path, **options: object) -> PhonemeStudy:
    return study_phonemes(ToneModel().eval(), speech / "speech", alignments=speech / "given", **options)  # type: ignore[arg-type]


def test_codes_that_tell_the_phones_score_as_well_as_the_alignment(speech: Path) -> None:
    found = study(speech)
    assert (found.mapped, found.scored) == (("1", "3"), ("2", "4"))
    assert found.codes_per_second == 50
    assert found.score.frames == found.mapped_frames == 800
    wrong = found.score.frames - int(np.trace(found.score.confusion))
    assert found.score.accuracy == pytest.approx(1 - wrong / 800)
    assert 0.5 < found.score.accuracy < 0.8, "speaker 2 is right throughout, speaker 4 where chance has it"
    assert study(speech, context="pair").score.accuracy == pytest.approx(found.score.accuracy, abs=0.05)


def test_an_utterance_without_alignment_is_left_out_and_said(speech: Path) -> None:
    given = speech / "given" / "all.ctm"
    given.write_text("\n".join(line for line in given.read_text().splitlines() if not line.startswith("4-")))
    found = study(speech)
    assert found.left_out == ("4-7-0000",)
    assert found.score.accuracy > 0.99


def test_speakers_are_told_by_names_or_by_folders(speech: Path) -> None:
    assert [u.speaker for u in find_utterances(speech / "speech")] == ["1", "2", "3", "4"]
    other = speech / "speech" / "anna"
    other.mkdir()
    (other / "000010.wav").write_bytes(next((speech / "speech" / "1" / "7").glob("*.flac")).read_bytes())
    assert [u.speaker for u in find_utterances(speech / "speech", transcribed=False)][-1] == "anna"
    assert len(find_utterances(speech / "speech")) == 4, "it has no transcript"


def test_models_that_cannot_be_measured_are_refused(speech: Path) -> None:
    several = SpeechModel(
        SpeechConfig(mels=16, width=8, encoder_blocks=1, decoder_blocks=1, qualities=1, default_quality=1)
    )
    with pytest.raises(OptionError, match="code maps"):
        study_phonemes(several, speech / "speech", alignments=speech / "given")


def test_any_audio_model_with_one_codebook_is_measured(speech: Path) -> None:
    torch.manual_seed(0)
    model = AudioVQVAE(AudioVQVAEConfig(widths=(8, 8), strides=(8, 8), codebook_size=16, codebook_dim=4)).eval()
    model.quantizer.initialise(model.latents(0.2 * torch.randn(4, 6_400)).movedim(1, -1).flatten(0, 1))
    found = study_phonemes(model, speech / "speech", alignments=speech / "given")
    assert found.codes_per_second == 250
    assert found.score.accuracy > 0.5, "noise has placed the codebook, tones still fall to different entries"


def test_one_speaker_is_too_few(speech: Path) -> None:
    with pytest.raises(OptionError, match="one speaker"):
        study_phonemes(ToneModel(), speech / "speech" / "1", alignments=speech / "given")


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there is no folder"):
        speech_folder(str(tmp_path), "test-other")
    with pytest.raises(OptionError, match="holds no recordings"):
        find_utterances(tmp_path)


def test_the_confusion_matrix_is_drawn(speech: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = draw_confusion(
        study(speech).score.confusion, CLASSES, ARTICULATORY_ORDER, tmp_path / "confusion.png", "tones"
    ).save()
    assert path.read_bytes().startswith(b"\x89PNG")
