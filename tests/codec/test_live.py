"""Recordings that are compressed while they come in, and restored while the file comes in."""

from __future__ import annotations

import io
import itertools
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import vqc
from vqc.codec.audio_io import Recording
from vqc.codec.live.compress import compress_stream, pieces
from vqc.codec.live.restore import ArrivingReader, decompress_stream
from vqc.codec.open import open_codec
from vqc.codec.rate import Rate
from vqc.data.audio_files import AudioReader
from vqc.data.wav_stream import SoundFormat, read_head
from vqc.errors import ContainerError, MediaError, OptionError
from vqc.format.container import front_length, read_container
from vqc.format.stream import read_chunks

pytestmark = pytest.mark.usefixtures("small_models")
RATE, CHUNK = 8_000, 256  # of the model; samples of a chunk of 16 frames
SECONDS = CHUNK / RATE
MONO = SoundFormat(RATE, 1)


def sound(samples: int, channels: int = 1, *, silent: slice = slice(0)) -> np.ndarray:
    """int16 [T, C], the first channel with a pause."""
    noise = np.random.default_rng(samples).normal(0, 6_000, (samples, channels)).clip(-30_000, 30_000)
    noise[silent, :1] = 0
    return noise.astype(np.int16)


def compressed(samples: np.ndarray, sample_rate: int = RATE, **options: Any) -> bytes:
    held = Pipe()
    options = {"sound": SoundFormat(sample_rate, samples.shape[1]), "model": "tiny-audio", "chunk": SECONDS} | options
    compress_stream(Pipe(samples.tobytes()), held, **options)
    return held.getvalue()


def restored(data: bytes, **options: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """The samples int16 [T, C] and what is damaged."""
    held = Pipe()
    report = decompress_stream(Pipe(data), held, **options)
    assert report.bytes_out == len(held.getvalue())
    return soundfile.read(io.BytesIO(held.getvalue()), dtype="int16", always_2d=True)[0], report.damage


def ends_of_chunks(data: bytes) -> Iterator[int]:
    """Where each chunk of a file ends."""
    file = io.BytesIO(data)
    file.seek(front_length(data))
    for _ in read_chunks(file.read):
        yield file.tell()


def as_int16(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(samples * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)


class Pipe(io.BytesIO):
    """What may only be read, or written, once and in order."""

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")

    def tell(self) -> int:
        raise OSError("a pipe")

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("rate", [RATE, 11_025, 44_100, 3_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_it_is_a_file_like_others(rate: int, channels: int) -> None:
    samples = sound(9 * CHUNK * rate // RATE + 77, channels, silent=slice(900, 2500))
    data = compressed(samples, rate)
    found, damage = restored(data)
    assert damage == ()
    whole = vqc.decompress(data)
    assert np.array_equal(found, as_int16(whole.samples))
    assert (whole.sample_rate, whole.samples.shape) == (rate, samples.shape)
    shape = vqc.info(data).shape
    assert (shape.samples, shape.channels, shape.chunk_frames) == (*samples.shape, 16)
    assert vqc.verify(data).decoded
    with vqc.open(data) as file:
        file.seek(5 * len(samples) // 9)
        assert np.array_equal(file.read(99, always_2d=True), whole.samples[file.tell() - 99 : file.tell()])
    codes = vqc.read_codes(data)
    assert np.array_equal(vqc.decode(codes).samples, whole.samples)


def test_codes_are_those_of_a_file_with_such_chunks(tmp_path: Path) -> None:
    samples = sound(2_000)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    vqc.compress_file(tmp_path / "a.wav", tmp_path / "a.vqc", model="tiny-audio", chunk=SECONDS)
    file, live = vqc.read_codes(tmp_path / "a.vqc"), vqc.read_codes(compressed(samples))
    assert np.array_equal(file.array, live.array)
    assert file.shape.chunk_frames == live.shape.chunk_frames == 16
    usual = vqc.compress(samples.astype(np.float32) / 2**15, sample_rate=RATE, model="tiny-audio")
    assert vqc.info(usual).shape.chunk_frames is None


@pytest.mark.parametrize(
    ("samples", "count"), [(1, 1), (CHUNK, 1), (CHUNK + 1, 2), (CHUNK + 96, 2), (CHUNK + 97, 2), (3 * CHUNK, 3)]
)
def test_every_length_has_an_end(samples: int, count: int) -> None:
    data = compressed(sound(samples))
    assert len(read_container(data).streams(count)) == count
    assert restored(data)[0].shape == (samples, 1)


def test_the_beginning_is_restored_before_the_end_is_recorded() -> None:
    """What is written last is only written once the beginning was heard: else this would wait for ever."""
    samples, model = sound(6 * CHUNK), open_codec("audio", "tiny-audio", "cpu").model
    halo = model.halo * model.hop_length
    (recorder, sent), (received, sender) = os.pipe(), os.pipe()
    (arrived, played), ends = os.pipe(), list[object]()

    def run(work: Callable[..., Any], source: int, target: int, **options: Any) -> threading.Thread:
        def task() -> None:
            with os.fdopen(source, "rb") as reads, os.fdopen(target, "wb") as writes:
                ends.append(work(reads, writes, **options).shape.samples)

        thread = threading.Thread(target=task, daemon=True)
        thread.start()
        return thread

    compressor = run(compress_stream, recorder, sender, sound=MONO, model="tiny-audio", chunk=SECONDS)
    restorer = run(decompress_stream, received, played)
    with os.fdopen(sent, "wb", buffering=0) as microphone, os.fdopen(arrived, "rb") as speaker:
        heard = 0
        for chunk in range(4):  # of each the halo must have been recorded, and what tells that more comes
            recorded = (chunk + 1) * CHUNK + halo + 1
            microphone.write(samples[heard and chunk * CHUNK + halo + 1 : recorded].tobytes())
            head = speaker.read(44) if chunk == 0 else b""
            assert chunk or read_head(io.BytesIO(head)).length is None
            length = CHUNK - halo if chunk == 0 else CHUNK  # the next one changes as much of it
            part = np.frombuffer(speaker.read(2 * length), np.int16)
            assert len(part) == length
            heard += length
            assert not ends
        microphone.write(samples[recorded:].tobytes())
        microphone.close()
        rest = speaker.read()
    compressor.join(60)
    restorer.join(60)
    assert heard + len(rest) // 2 == len(samples)
    assert ends == [len(samples)] * 2


def test_memory_does_not_grow_with_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless recording is compressed and restored chunk by chunk, and no more than the next one is ever held."""
    codec = open_codec("audio", "tiny-audio", "cpu")
    blocks = (np.full((300, 1), 0.1, np.float32) for _ in itertools.count())
    endless = pieces(codec, Recording(blocks, RATE, chunk_seconds=SECONDS), quality=None, entropy="auto", rate=Rate())
    data = b"".join(piece for _, piece in itertools.islice(endless, 200))
    held = list[int]()

    class Watched(ArrivingReader):
        def indices(self, first: int = 0) -> Iterator[tuple[int, bool]]:
            for index in super().indices(first):
                held.append(len(self.streams))
                yield index

    monkeypatch.setattr("vqc.codec.live.restore.ArrivingReader", Watched)
    assert len(restored(data)[0]) == 200 * CHUNK
    assert len(held) == 2 * 200  # each alone, and with the next one
    assert max(held) <= 2


def test_what_came_whole_of_a_file_that_ends_too_early_is_restored(tmp_path: Path) -> None:
    data = compressed(sound(5 * CHUNK + 9))
    whole, _ = restored(data)
    ends = list(ends_of_chunks(data))
    for length in range(front_length(data), len(data) - 4, 5):
        count = sum(end <= length for end in ends)
        if count == 0:
            with pytest.raises(ContainerError, match="before its first chunk"):
                restored(data[:length])
            continue
        found, (damage,) = restored(data[:length])
        assert damage == f"what comes after 0:{count * SECONDS:05.2f}, where the file ends too early"
        assert len(found) == count * CHUNK
        assert np.array_equal(found[: -CHUNK - 80], whole[: len(found)][: -CHUNK - 80])
    (tmp_path / "a.vqc").write_bytes(data[:-3])
    report = vqc.decompress_file(tmp_path / "a.vqc", tmp_path / "a.flac")
    assert report.damage == ("nothing that is known, but the checksum does not match",)
    assert np.array_equal(soundfile.read(tmp_path / "a.flac", dtype="int16")[0], whole[:, 0])
    with pytest.raises(ContainerError, match="checksum"):
        vqc.decompress(data[:-3])
    with pytest.raises(ContainerError, match="of which no part can be had"):
        vqc.decompress_file(data[:-3], tmp_path / "b.wav", start=0.01, salvage=True)


def test_a_damaged_chunk_is_silent() -> None:
    data = bytearray(compressed(sound(5 * CHUNK)))
    whole, _ = restored(bytes(data))
    data[list(ends_of_chunks(bytes(data)))[2] - 5] ^= 8
    found, (damage,) = restored(bytes(data))
    assert damage == "0:00.06 to 0:00.10"
    assert not found[2 * CHUNK + 80 : 3 * CHUNK - 80].any()
    assert np.array_equal(found[: CHUNK - 80], whole[: CHUNK - 80])
    assert np.array_equal(found[4 * CHUNK + 80 :], whole[4 * CHUNK + 80 :])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_wav_is_read_as_from_a_file(subtype: str, channels: int) -> None:
    file, samples = io.BytesIO(), sound(1_000, channels) / 2.0**15
    soundfile.write(file, samples, RATE, format="WAV", subtype=subtype)
    data = file.getvalue()
    head = read_head(io.BytesIO(data))
    assert head.format is not None
    length = 1_000 * head.format.frame_bytes
    assert (head.format[:2], head.length) == ((RATE, channels), length)
    with AudioReader(data) as reader:
        assert np.array_equal(head.format.samples(data[len(head.data) :][:length]), reader.read())
        assert head.format.channel_mask == reader.channel_mask
    end = len(head.data)
    for unknown in (0, 2**32 - 1, 2**31, 2**31 - 256):  # as recorders and ffmpeg write to a pipe
        endless = data[: end - 4] + struct.pack("<I", unknown) + data[end:]
        assert read_head(io.BytesIO(endless)).length is None


def test_what_follows_the_sound_of_a_known_length_is_left() -> None:
    file, source = io.BytesIO(), sound(700)
    soundfile.write(file, source, RATE, format="WAV")
    held = Pipe()
    report = compress_stream(Pipe(file.getvalue() + b"more"), held, model="tiny-audio", chunk=SECONDS)
    assert (report.shape.samples, report.bytes_in) == (700, 1400)
    assert held.getvalue() == compressed(source)
    assert compressed(np.concatenate([source, source]), length=1400) == held.getvalue()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"chunk": 9.0}, OptionError, "chunks of 9 s: those of this model take 0.01 to 8.19 s"),
        ({"chunk": 0.001}, OptionError, "0.01 to 8.19"),
        ({"rate": Rate(target_bytes=900)}, OptionError, "whose end is known"),
        ({"entropy": "prior"}, OptionError, "no learned prior"),
        ({"quality": 7}, OptionError, "qualities"),
        ({"sound": None}, MediaError, "no WAV file"),
        ({"limit": 600}, MediaError, "limit of 600"),
        ({"sound": SoundFormat(999, 1)}, MediaError, "999 samples per second"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        compressed(sound(1_000), **options)


def test_other_files_are_no_streams(tmp_path: Path) -> None:
    plain = vqc.compress(np.zeros(100, np.float32), sample_rate=RATE, model="tiny-audio")
    for data in (plain, b"", b"VQC", b"VQC\2" + bytes(9), plain[:3] + b"\2" + b"\x80" * 90):
        with pytest.raises(ContainerError, match=r"no \.vqc file of a recording that comes in"):
            restored(data)
    with pytest.raises(ContainerError, match="limit of 300"):
        restored(compressed(sound(1_000)), limit=300)
    with pytest.raises(MediaError, match="no samples"):
        compressed(sound(0))
    with pytest.raises(OptionError, match="an image has no chunks"):
        vqc.compress_file(np_image(), tmp_path / "x.vqc", model="tiny-image", chunk=1)


def np_image() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()
