"""The speech model: codes and back, pitch symbols, and what a decoder may depend on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import SPEECH as TINY

from vqc.models.speech.model import CODE_HOP, PITCHES, SpeechCodes, SpeechModel
from vqc.nn.excitation import pulse_train

PAUSE = 8  # code frame in which the voice below pauses


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    torch.manual_seed(0)
    model = SpeechModel(TINY)
    for name, buffer in model.named_buffers():
        if ".codebook_" in name:
            buffer.normal_(std=3)
    model.klt.copy_(torch.linalg.qr(torch.randn(model.klt.shape)).Q)
    model.klt_mean.fill_(-3.0)
    return model.eval().requires_grad_(False)


def voice(frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    hz = 120 + 30 * torch.sin(torch.arange(frames * PITCHES) / 7)
    hz[PAUSE * PITCHES : (PAUSE + 2) * PITCHES] = 0
    return 0.1 * pulse_train(hz[None], 320, 16_000) + 0.01 * torch.randn(1, frames * CODE_HOP, generator=generator)


@pytest.mark.parametrize("quality", [1, 2])
def test_codes_lie_in_their_codebooks_and_decode_to_as_many_samples(model: SpeechModel, quality: int) -> None:
    codes = model.encode(voice(5), quality)
    sizes = model.codebook_sizes(quality)
    assert codes.shape == (1, len(sizes), 5)
    assert (codes >= 0).all()
    assert (codes < torch.tensor(sizes)[None, :, None]).all()
    assert model.decode(codes, quality).shape == (1, 5 * CODE_HOP)


def test_decode_is_synthesis_from_what_quantize_saw(model: SpeechModel) -> None:
    waveform = voice(5)
    codes = model.encode(waveform, 2)
    pitch = codes[:, :PITCHES].transpose(1, 2).reshape(1, -1)
    direct = model.synthesize(model.quantize(waveform, pitch, 2), 2)
    torch.testing.assert_close(model.decode(codes, 2), direct, atol=1e-5, rtol=1e-4)


def test_untrained_encoder_network_adds_nothing_to_the_klt(model: SpeechModel) -> None:
    log_mel = model.log_mel(voice(4))
    assert not model.encoder(log_mel, 1).any()


@pytest.mark.parametrize("quality", [1, 2])
def test_a_halo_of_codes_is_context_enough(model: SpeechModel, quality: int) -> None:
    waveform = voice(30)
    codes = model.encode(waveform, quality)
    whole = model.decode(codes, quality)
    first = 12
    part = model.decode(codes[..., first - model.halo :], quality, first_frame=first - model.halo)
    core = part[:, model.halo * CODE_HOP :]
    error = (core - whole[:, first * CODE_HOP :]).square().mean() / whole.square().mean()
    assert float(error) < 0.05, "the phase of the pulses starts anew after a pause in the halo"


def test_noise_moves_with_the_first_frame(model: SpeechModel) -> None:
    codes = model.encode(torch.zeros(1, 4 * CODE_HOP), 1)
    assert torch.equal(model.decode(codes, 1, first_frame=0), model.decode(codes, 1))
    assert not torch.equal(model.decode(codes, 1, first_frame=3), model.decode(codes, 1))


@given(st.lists(st.integers(0, 127), min_size=PITCHES, max_size=40 * PITCHES))
@settings(deadline=None, max_examples=60)
def test_pitch_symbols_are_reversible(model: SpeechModel, states: list[int]) -> None:
    frames = len(states) // PITCHES
    pitch = np.array(states[: frames * PITCHES], dtype=np.int64).reshape(frames, PITCHES).T
    codes = np.concatenate([pitch, np.zeros((4, frames), np.int64)])
    symbols = model.to_symbols(codes)
    assert symbols.min() >= 0
    assert symbols.max() < 128
    np.testing.assert_array_equal(model.from_symbols(symbols), codes)


@given(st.lists(st.integers(0, 127), min_size=PITCHES, max_size=10 * PITCHES))
@settings(deadline=None, max_examples=60)
def test_any_symbols_are_valid_pitches(model: SpeechModel, symbols: list[int]) -> None:
    frames = len(symbols) // PITCHES
    array = np.array(symbols[: frames * PITCHES], dtype=np.int64).reshape(PITCHES, frames)
    states = model.from_symbols(np.concatenate([array, np.zeros((4, frames), np.int64)]))[:PITCHES]
    assert states.min() >= 0
    assert states.max() < 128


def test_a_steady_voice_costs_one_symbol() -> None:
    model = SpeechModel(TINY)
    codes = np.zeros((8, 10), np.int64)
    codes[:PITCHES] = 40
    symbols = model.to_symbols(codes)[:PITCHES].T.reshape(-1)
    assert not symbols[1:].any()


def test_gradients_reach_the_encoder_through_the_codes() -> None:
    torch.manual_seed(0)
    model = SpeechModel(TINY)
    waveform, pitch = voice(4), torch.full((1, 16), 40)
    result: SpeechCodes = model.quantize(waveform, pitch, 2)
    model.synthesize(result, 2).square().mean().backward()
    gradient = model.encoder.output.weight.grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0
