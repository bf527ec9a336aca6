"""The phones model: what its codes may depend on, and what they must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.codec.audio_io import Recording
from vqc.codec.open import codec_with
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.phones.model import (
    HOP,
    MEAN_FRAMES,
    PhonesConfig,
    PhonesModel,
    adapt_to_codebook,
    subtract_mean,
    warp_frequencies,
)
from vqc.nn.excitation import pulse_train
from vqc.training.phones.clusters import place

TINY = PhonesConfig(mels=16, context=2, codebook_size=8, codebook_dim=4, decoder_width=8, decoder_blocks=1)


@pytest.fixture(scope="module")
def model() -> PhonesModel:
    torch.manual_seed(0)
    model = PhonesModel(TINY)
    place(model, [voice(300, seed) for seed in range(4)])
    return model.eval().requires_grad_(False)


def voice(frames: int, seed: int = 0) -> Tensor:
    """A tone of changing pitch and colour [1, 160 · frames], in noise."""
    generator = torch.Generator().manual_seed(seed)
    hz = 150 + 60 * torch.sin(torch.arange(frames) / 9.0)
    pulses = pulse_train(hz[None], HOP, 16_000)
    noise = torch.randn(1, frames * HOP, generator=generator)
    loud = (1 + torch.sin(torch.arange(frames * HOP) / 2_000.0)) / 2
    return 0.1 * pulses * loud + 0.02 * noise


def test_there_is_a_code_every_10_ms_of_one_codebook(model: PhonesModel) -> None:
    codes = model.encode(voice(41), 1)
    assert codes.shape == (1, 1, 41)
    assert len(codes.unique()) > 2
    assert model.decode(codes, 1).shape == (1, 41 * HOP)


def test_how_loud_it_is_leaves_the_codes_alone(model: PhonesModel) -> None:
    quiet, loud = voice(200), 4 * voice(200)
    assert (model.encode(quiet, 1) == model.encode(loud, 1)).float().mean() > 0.98


def test_a_filter_before_it_leaves_the_codes_alone() -> None:
    """What a microphone does to all frames alike is part of the mean."""
    log_mel = torch.randn(1, 100, 16)
    torch.testing.assert_close(subtract_mean(log_mel + torch.randn(16)), subtract_mean(log_mel), atol=1e-4, rtol=1e-4)


def test_digital_silence_is_no_part_of_the_mean(model: PhonesModel) -> None:
    spoken = voice(100)
    padded = torch.nn.functional.pad(spoken, (0, 100 * HOP))
    alone, together = (subtract_mean(model.log_mel(x))[:, :98] for x in (spoken, padded))
    torch.testing.assert_close(alone, together, atol=0.02, rtol=0.02)


def test_silence_has_a_code(model: PhonesModel) -> None:
    assert torch.isfinite(model.decode(model.encode(torch.zeros(1, 10 * HOP), 1), 1)).all()


def test_the_halo_is_all_that_frames_depend_on(model: PhonesModel) -> None:
    waveform, first = voice(900), 400
    assert model.halo > MEAN_FRAMES
    whole = model.context(model.log_mel(waveform))[:, first : first + 50]
    part = waveform[:, (first - model.halo) * HOP : (first + 50 + model.halo) * HOP]
    torch.testing.assert_close(
        model.context(model.log_mel(part))[:, model.halo : model.halo + 50], whole, atol=1e-4, rtol=1e-4
    )


def test_a_speaker_is_moved_to_where_the_codebook_is() -> None:
    """What an affine map has done to the entries that were said is undone; of few frames nothing is believed."""
    generator = torch.Generator().manual_seed(0)
    codebook = 4 * torch.randn(20, 3, generator=generator)
    said = torch.randint(0, 20, (5_000,), generator=generator)
    heard = codebook[said] @ (torch.eye(3) + 0.1 * torch.randn(3, 3, generator=generator)) + torch.tensor(
        [0.3, 0, -0.3]
    )
    heard = heard + 0.1 * torch.randn(heard.shape, generator=generator)
    before, after = (float((x - codebook[said]).square().mean()) for x in (heard, adapt_to_codebook(heard, codebook)))
    assert after < 0.25 * before
    torch.testing.assert_close(adapt_to_codebook(heard[:1], codebook), heard[:1], atol=0.2, rtol=0)


def test_a_part_is_decoded_as_within_the_whole(model: PhonesModel) -> None:
    codes = model.encode(voice(400), 1)
    whole = model.decode(codes, 1)
    part = model.decode(codes[..., 123:323], 1, first_frame=123)
    torch.testing.assert_close(part[:, 20 * HOP : -20 * HOP], whole[:, 143 * HOP : 303 * HOP], atol=1e-4, rtol=1e-3)


def test_a_warp_moves_what_is_at_a_frequency() -> None:
    ramp = torch.arange(16.0)[None]
    torch.testing.assert_close(warp_frequencies(ramp, 0.9), 0.9 * ramp)
    torch.testing.assert_close(warp_frequencies(ramp, 1.1), (1.1 * ramp).clamp(max=15))
    assert warp_frequencies(ramp, 1.0) is ramp


def test_a_voice_that_is_warped_is_warped_back(model: PhonesModel) -> None:
    plain = model.log_mel(voice(300))[0]
    chosen = [model.fit_speaker(warp_frequencies(plain, factor)).warp for factor in (0.9, 1.0, 1.1)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] > chosen[2]


def test_a_file_of_it_gives_the_same_codes(model: PhonesModel, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "phones.safetensors", model, name="phones", training={}, figures={})
    assert torch.equal(
        load_checkpoint(tmp_path / "phones.safetensors").model.encode(voice(50), 1), model.encode(voice(50), 1)
    )


def test_long_and_short_recordings_go_through_files(model: PhonesModel) -> None:
    codec = codec_with(model, b"123456")
    for samples in (1, 1_000, 150_000):
        block = voice(1_000)[0, :samples].numpy()[:, None]
        restored = np.concatenate(list(codec.decompress(codec.compress(Recording([block], 16_000)))))
        assert restored.shape == block.shape
        assert np.isfinite(restored).all()


def test_impossible_configs_are_refused() -> None:
    with pytest.raises(ValueError, match="mels is 1"):
        PhonesConfig(mels=1)
    with pytest.raises(ValueError, match="codebook_size is 1"):
        PhonesConfig(codebook_size=1)


def test_a_codebook_without_spread_moves_nothing() -> None:
    vectors = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(adapt_to_codebook(vectors, torch.zeros(16, 4)), vectors)
