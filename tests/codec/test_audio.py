"""Sound of any rate, length and number of channels comes back with the same; the bytes depend on nothing else."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from vqc.codec import contexts, mid_side
from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.open import codec_with
from vqc.errors import ContainerError, MediaError, ModelNotFoundError, VQCError
from vqc.format import chunking
from vqc.format.container import Container, read_container, split_streams, write_container
from vqc.format.shapes import AudioShape
from vqc.models.base import AudioModel

DIGEST = bytes(range(32))


@pytest.fixture
def codec(audio_model: AudioModel) -> Codec:
    return codec_with(audio_model, DIGEST, "tiny")


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 32 frames, 256 samples."""
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 32)


def tones(samples: int, rate: int, channels: int = 1) -> np.ndarray:
    time = np.arange(samples)[:, None] / rate
    return (0.4 * np.sin(2 * np.pi * np.array([220 + 130 * c for c in range(channels)]) * time)).astype(np.float32)


def restored(codec: Codec, data: bytes) -> np.ndarray:
    return np.concatenate(list(codec.decompress(data)))


def shape_of(data: bytes) -> AudioShape:
    shape = read_container(data).header.shape
    assert isinstance(shape, AudioShape)
    return shape


@pytest.mark.parametrize("rate", [1000, 8000, 11_025, 16_000, 44_100, 48_000, 1_000_000])
@pytest.mark.parametrize("channels", [1, 2, 3, 9])
@pytest.mark.parametrize("samples", [1, 2, 999, 3000])
def test_every_rate_length_and_channel_count_comes_back(codec: Codec, rate: int, channels: int, samples: int) -> None:
    before = tones(samples, rate, channels)
    data = codec.compress(Recording([before], rate))
    assert shape_of(data).sample_rate == rate
    after = restored(codec, data)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert np.abs(after).max() <= 1


@pytest.mark.parametrize("rate", [8000, 44_100])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_it_is_the_same_sound_at_the_same_place(codec: Codec, rate: int, channels: int) -> None:
    before = tones(rate, rate, channels)
    after = restored(codec, codec.compress(Recording([before], rate)))
    middle = slice(rate // 10, -rate // 10)
    assert np.abs(after - before)[middle].max() < 0.05  # a shift of one sample at 8 kHz would make 0.07


@pytest.mark.parametrize("kind", ["silence", "constant", "clipped", "beyond full scale", "one click"])
@pytest.mark.parametrize("channels", [1, 2])
def test_extreme_signals_survive(codec: Codec, kind: str, channels: int) -> None:
    before = np.zeros((5000, channels), np.float32)
    if kind == "constant":
        before[:] = 0.25
    elif kind == "clipped":
        before[:] = np.sign(tones(5000, 8000, channels))
    elif kind == "beyond full scale":
        before[:] = 3 * tones(5000, 8000, channels)
    elif kind == "one click":
        before[2500] = 1
    after = restored(codec, codec.compress(Recording([before], 8000)))
    assert after.shape == before.shape
    assert np.isfinite(after).all()
    assert np.median(np.abs(after - before.clip(-1, 1))) < 0.05


def test_the_bytes_do_not_depend_on_the_blocks(codec: Codec, short_chunks: None, rng: np.random.Generator) -> None:
    for rate in (8000, 44_100, 5000):
        before = rng.uniform(-1, 1, (3000, 2)).astype(np.float32)
        whole = codec.compress(Recording([before], rate))
        for length in (1, 97, 256, 2048, 2999):
            blocks = [before[start : start + length] for start in range(0, len(before), length)]
            assert codec.compress(Recording(blocks, rate)) == whole, (rate, length)
        assert codec.compress(Recording([before[:0], before, before[:0]], rate)) == whole


@pytest.mark.parametrize("samples", [256, 257, 511, 2000])
@pytest.mark.parametrize("channels", [1, 2])
def test_chunks_do_not_show(codec: Codec, samples: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tones(samples, 8000, channels)
    whole = codec.compress(Recording([before], 8000), entropy="none")
    unchunked = restored(codec, whole)
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 32)
    data = codec.compress(Recording([before], 8000), entropy="none")
    count = -(-samples // 256)
    streams = split_streams(read_container(data).body, count)
    header = channels > 1
    assert b"".join(stream[header:] for stream in streams).__len__() == len(read_container(whole).body) - header
    assert np.allclose(restored(codec, data), unchunked, atol=1e-6)


def test_without_context_chunks_show(codec: Codec, short_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail."""
    before = tones(2000, 8000)
    good = restored(codec, codec.compress(Recording([before], 8000)))
    monkeypatch.setattr(type(codec.model), "halo", 0)
    assert not np.allclose(restored(codec, codec.compress(Recording([before], 8000))), good, atol=1e-3)


def test_batches_of_channels_do_not_mix_them(codec: Codec, short_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "_BATCH_SAMPLES", 4 * 56 * 8)
    before = tones(1000, 8000, 11)
    together = restored(codec, codec.compress(Recording([before], 8000)))
    for channel in range(11):
        alone = restored(codec, codec.compress(Recording([before[:, channel : channel + 1]], 8000)))
        assert np.allclose(together[:, channel : channel + 1], alone, atol=1e-6)


def test_mid_and_side_of_what_is_nearly_mono_only(codec: Codec) -> None:
    left, right = tones(4000, 8000, 2).T
    for stereo, expected in [
        ([left, left], True),
        ([left, left + 0.05 * right], True),
        ([left, right], False),
        ([left, 0 * left], False),
        ([left, -left], False),
        ([0 * left, 0 * left], False),  # silence tells nothing of what follows
    ]:
        before = np.stack(stereo, 1)
        data = codec.compress(Recording([before], 8000))
        assert shape_of(data).mid_side == expected
        assert np.abs(restored(codec, data) - before)[50:-50].max() < 0.06


def test_two_equal_channels_cost_hardly_more_than_one(codec: Codec, short_chunks: None) -> None:
    before = tones(4000, 44_100)
    mono = codec.compress(Recording([before], 44_100))
    stereo = codec.compress(Recording([before.repeat(2, axis=1)], 44_100))
    assert len(stereo) <= len(mono) + 3  # a byte a chunk
    after = restored(codec, stereo)
    assert np.array_equal(after[:, 0], after[:, 1])
    assert np.array_equal(after[:, :1], restored(codec, mono))


def test_channels_that_fall_silent_cost_nothing_and_stay_silent(codec: Codec, short_chunks: None) -> None:
    before = tones(256 * 8, 8000, 3)
    before[256 * 2 : 256 * 5, 1] = 0
    before[256 * 3 : 256 * 4] = 0
    data = codec.compress(Recording([before], 8000), entropy="none")
    lengths = [len(stream) for stream in split_streams(read_container(data).body, 8)]
    assert lengths == [1 + 256 * n for n in (3, 3, 2, 0, 2, 3, 3, 3)]
    after = restored(codec, data)
    assert (after[256 * 2 + 80 : 256 * 5 - 80, 1] == 0).all()
    assert (after[256 * 3 + 80 : 256 * 4 - 80] == 0).all()
    steady = np.ones(len(before), bool)
    for join in (0, 2, 3, 4, 5, 8):  # the fades into silence and out of it, and the ends
        steady[max(0, 256 * join - 80) : 256 * join + 80] = False
    assert np.abs(after - before)[steady].max() < 0.05


def test_one_channel_that_falls_silent_does_so_exactly(codec: Codec, short_chunks: None) -> None:
    before = tones(256 * 6, 8000)
    whole = codec.compress(Recording([before], 8000), entropy="none")
    assert not shape_of(whole).silence
    assert [len(stream) for stream in split_streams(read_container(whole).body, 6)] == [256] * 6
    before[256 * 2 : 256 * 4] = 0
    data = codec.compress(Recording([before], 8000), entropy="none")
    assert shape_of(data).silence
    assert [len(stream) for stream in split_streams(read_container(data).body, 6)] == [257, 257, 1, 1, 257, 257]
    after = restored(codec, data)
    assert (after[256 * 2 + 80 : 256 * 4 - 80] == 0).all()
    assert np.abs(after - before)[80 : 256 * 2 - 80].max() < 0.05
    assert np.abs(after - before)[256 * 4 + 80 : -80].max() < 0.05


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("entropy", ["none", "static", "auto"])
def test_digital_silence_is_digital_silence(codec: Codec, channels: int, entropy: str) -> None:
    data = codec.compress(Recording([np.zeros((44_100, channels), np.float32)], 44_100), entropy=entropy)
    assert len(data) <= 24
    assert not restored(codec, data).any()


def test_the_channel_mask_is_kept(codec: Codec) -> None:
    for mask in (None, 0, 0x60F, 2**32 - 1):
        shape = shape_of(codec.compress(Recording([tones(500, 8000, 6)], 8000, channel_mask=mask)))
        assert (shape.channels, shape.channel_mask) == (6, mask)


def test_memory_does_not_grow_with_the_length(codec: Codec) -> None:
    def endless(blocks: int) -> Iterator[np.ndarray]:
        block = tones(8192, 8000, 2)
        for _ in range(blocks):
            yield block

    def peak(blocks: int) -> tuple[int, int, int]:
        tracemalloc.start()
        data = codec.compress(Recording(endless(blocks), 8000), entropy="none")
        compressing = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]
        count = sum(len(block) for block in codec.decompress(data))
        decompressing = tracemalloc.get_traced_memory()[1] - base
        tracemalloc.stop()
        assert count == 8192 * blocks
        return compressing, decompressing, len(data)

    short, long = peak(10), peak(60)
    # What grows is the file, and the codes in 16 bits of which the tiny model makes 8 in the file.
    growth = long[2] - short[2]
    assert long[0] - short[0] < 8 * growth
    assert long[1] - short[1] < 4 * growth


@pytest.mark.parametrize(
    ("blocks", "rate", "words"),
    [
        ([], 8000, "no samples"),
        ([np.zeros((0, 1), np.float32)], 8000, "no samples"),
        ([np.zeros((5, 1), np.float32)], 999, "999 samples per second"),
        ([np.zeros((5, 256), np.float32)], 8000, "256 channels"),
        ([np.zeros((5, 0), np.float32)], 8000, "0 channels"),
        ([np.full((5, 1), np.nan, np.float32)], 8000, "no numbers"),
        ([np.full((5, 1), np.inf, np.float32)], 8000, "no numbers"),
    ],
)
def test_what_cannot_be_compressed(codec: Codec, blocks: list[np.ndarray], rate: int, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        codec.compress(Recording(blocks, rate))


def test_a_file_of_another_model_names_both(codec: Codec, audio_model: AudioModel) -> None:
    data = codec_with(audio_model, bytes(32)).compress(Recording([tones(100, 8000)], 8000))
    with pytest.raises(ModelNotFoundError, match=r"000000000000.*tiny.*000102030405"):
        codec.decompress(data)


def test_every_cut_and_every_flipped_bit_is_noticed(codec: Codec) -> None:
    data = codec.compress(Recording([tones(60, 8000, 3)], 8000))
    broken = [data[:length] for length in range(len(data))] + [data + b"\0"]
    broken += [data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :] for i in range(len(data)) for bit in range(8)]
    for rubbish in broken:
        with pytest.raises(ContainerError):
            codec.decompress(rubbish)


def test_a_correct_checksum_does_not_make_rubbish_good(
    codec: Codec, short_chunks: None, rng: np.random.Generator
) -> None:
    for entropy in ("static", "none"):
        content = bytearray(codec.compress(Recording([tones(600, 8000, 3)], 8000), entropy=entropy)[:-4])
        for _ in range(200):
            rubbish = content.copy()
            for position in rng.integers(4, len(content) if rng.random() < 0.5 else 24, 2):
                rubbish[position] = rng.integers(256)
            data = bytes(rubbish) + zlib.crc32(rubbish).to_bytes(4, "little")
            try:
                after = restored(codec, data)
            except VQCError:
                continue
            assert after.shape == (shape_of(data).samples, shape_of(data).channels)


def test_a_claimed_length_is_refused_before_anything_is_made(codec: Codec) -> None:
    container = read_container(codec.compress(Recording([tones(600, 8000)], 8000)))
    claims = AudioShape(samples=2**36, sample_rate=8000, channels=1)
    header = type(container.header)(**{**vars(container.header), "shape": claims})
    huge = write_container(Container(header=header, body=container.body))
    with pytest.raises(ContainerError, match="no room for its 1,048,576 streams"):
        codec.decompress(huge)
    with pytest.raises(ContainerError, match="over the limit of 1,000"):
        codec.decompress(huge, limit=1000)


def test_progress_ends_at_one(codec: Codec, short_chunks: None) -> None:
    shares: list[float] = []
    before = tones(512, 8000)
    data = codec.compress(Recording([before[:256], before[256:]], 8000, samples=512), progress=shares.append)
    assert shares == [0.5, 0.99, 1.0]
    list(codec.decompress(data, progress=shares.append))
    assert shares[3:] == [0.5, 1.0]


def test_mid_and_side_are_undone_exactly() -> None:
    stereo = tones(100, 8000, 2).T.copy()
    changed = stereo.copy()
    mid_side.to_mid_side(changed)
    assert not np.allclose(changed, stereo, atol=0.1)
    mid_side.from_mid_side(changed)
    assert np.allclose(changed, stereo, atol=1e-6)
