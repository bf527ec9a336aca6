"""Chunks cover every frame once, however the samples come, and their reconstructions meet without a jump."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.format import chunking
from vqc.format.chunking import Chunking, CrossFade, cut, model_samples
from vqc.format.spans import chunk_core


def in_blocks(samples: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    """The samples in blocks of these lengths, again and again."""
    blocks, start, turn = [], 0, 0
    while start < len(samples):
        blocks.append(samples[start : start + lengths[turn % len(lengths)]])
        start, turn = start + lengths[turn % len(lengths)], turn + 1
    return blocks


CHUNK = 1024


@pytest.fixture(scope="module", autouse=True)
def _chunks_of_one_length() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "chunk_core", lambda hop: CHUNK)
        yield


@pytest.mark.parametrize(("hop", "frames"), [(1280, 256), (256, 256), (255, 258), (64, 1024)])
def test_chunks_have_enough_frames_and_samples(hop: int, frames: int) -> None:
    assert chunk_core(hop) == frames


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 12_000),
    lengths=st.lists(st.integers(1, 5_000), min_size=1, max_size=4),
    halo=st.sampled_from([0, 3, 200, 1500]),
)
def test_windows_are_cuts_of_the_whole_whatever_the_blocks(samples: int, lengths: list[int], halo: int) -> None:
    hop = 2
    waveform = np.arange(1, samples * 2 + 1, dtype=np.float32).reshape(samples, 2)
    cutting = Chunking(samples, 1000, model_rate=1000, hop=hop, halo=halo)
    padded = np.zeros((cutting.frames * hop, 2), np.float32)
    padded[:samples] = waveform
    windows = list(cut(in_blocks(waveform, lengths), hop=hop, halo=halo))
    assert len(windows) == len(cutting)
    position = 0
    for index, (span, waveforms, is_last) in enumerate(windows):
        assert is_last == (index == len(windows) - 1)
        assert span == cutting.span(index)
        assert (span.start, span.outer_start) == (position, max(0, position - halo))
        assert span.outer_stop == min(cutting.frames, span.stop + halo)
        assert np.array_equal(waveforms.T, padded[span.outer_start * hop : span.outer_stop * hop])
        position = span.stop
    assert position == cutting.frames


def test_a_window_is_given_as_soon_as_its_context_is_there() -> None:
    """And so no more than that is ever held."""
    given_blocks = 0

    def endless() -> object:
        nonlocal given_blocks
        while True:
            given_blocks += 1
            yield np.zeros((4, 1), np.float32)

    windows = cut(endless(), hop=4, halo=10)  # type: ignore[arg-type]
    for index in range(3):
        next(windows)
        assert given_blocks == (index + 1) * CHUNK + 10 + 1, "and what shows that more comes"


@pytest.mark.parametrize(
    ("samples", "rate", "expected"), [(1, 48_000, 1), (48_000, 48_000, 16_000), (3, 44_100, 2), (10, 8_000, 20)]
)
def test_the_coded_length_covers_the_source(samples: int, rate: int, expected: int) -> None:
    assert model_samples(samples, rate, 16_000) == expected


@pytest.mark.parametrize("halo", [0, 1, 2, 50])
@pytest.mark.parametrize("frames", [CHUNK, CHUNK + 1, 2 * CHUNK + 5, 3 * CHUNK])
def test_reconstructions_of_one_waveform_join_to_it(halo: int, frames: int, rng: np.random.Generator) -> None:
    hop = 10
    cutting = Chunking(frames * hop, 8000, model_rate=8000, hop=hop, halo=halo)
    waveform = rng.standard_normal((2, frames * hop)).astype(np.float32)
    fade, pieces = CrossFade(), []
    for index in range(len(cutting)):
        span, (before, after) = cutting.span(index), cutting.reach(index)
        assert max(before, after) <= min(80, halo * hop)  # 20 ms of 8 kHz in halves
        piece = waveform[:, span.start * hop - before : span.stop * hop + after].copy()
        pieces.append(fade.add(piece, before, after))
    assert np.allclose(np.concatenate(pieces, axis=1), waveform, atol=1e-6)


def test_a_jump_is_spread_over_twenty_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 32)
    cutting = Chunking(64 * 10, 8000, model_rate=8000, hop=10, halo=20)
    assert [cutting.reach(index) for index in range(2)] == [(0, 80), (80, 0)]
    fade = CrossFade()
    pieces = [
        fade.add(np.full((1, 400), level, np.float32), *cutting.reach(index)) for index, level in enumerate([0.0, 1.0])
    ]
    joined = np.concatenate(pieces, axis=1)[0]
    assert joined.shape == (640,)
    steps = np.diff(joined)
    assert steps.max() < 1.01 / 160
    assert np.flatnonzero(steps > 0).tolist() == list(range(239, 400))
