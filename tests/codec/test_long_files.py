"""Parts of long recordings are those of all of it, bit for bit, and damage costs itself alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import vqc
from vqc.codec import audio_io
from vqc.codec.files import decompress_file
from vqc.data.piecewise import PiecewiseResampling
from vqc.errors import ContainerError, MediaError, OptionError
from vqc.format import chunking, tiling
from vqc.format.container import VERSION, VERSION_WITH_FIELDS, front_length, read_container, read_front

pytestmark = pytest.mark.usefixtures("small_models")
RATE = 8_000  # of the model


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 frames, 256 samples; pieces of the resampler of about as many; tiles of 16 x 16 pixels."""
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 256 // hop)
    monkeypatch.setattr(audio_io, "PIECE", 300)
    monkeypatch.setattr(tiling, "tile_core", lambda factor: 4)


def sound(samples: int, channels: int = 1, *, silent: slice = slice(0)) -> np.ndarray:
    """float32 [T, C], with a pause."""
    noise = np.random.default_rng(samples).normal(0, 0.2, (samples, channels)).clip(-1, 1).astype(np.float32)
    noise[silent, :1] = 0
    return noise


def file_of(samples: np.ndarray, rate: int = RATE) -> bytes:
    return vqc.compress(samples, sample_rate=rate, model="tiny-audio")


def streams_of(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each section of a file with an index begins and ends."""
    front, position = read_front(data), front_length(data)
    for section in front.sections:
        position += 1 + (section.length > 127)
        yield position, position + section.length
        position += section.length


def damaged(data: bytes, *indices: int) -> bytes:
    """A file with a flipped bit in these sections."""
    content = bytearray(data)
    for index, (start, stop) in enumerate(streams_of(data)):
        if index in indices:
            content[(start + stop) // 2] ^= 4
    return bytes(content)


@pytest.mark.parametrize("rate", [RATE, 11_025, 3_000, 8_001])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_range_is_that_of_the_whole_bit_for_bit(rate: int, channels: int, rng: np.random.Generator) -> None:
    data = file_of(sound(14 * 256 * rate // RATE + 7, channels, silent=slice(900, 2500)), rate)
    assert data[3] == VERSION_WITH_FIELDS
    whole = vqc.read(io.BytesIO(data), always_2d=True)[0]
    frames = len(whole)
    starts = [0, 256 * rate // RATE, 512 * rate // RATE, frames - 1, *rng.integers(0, frames, 5)]
    with vqc.open(data) as file:
        assert (file.frames, file.samplerate, file.channels) == (frames, rate, channels)
        for start in map(int, starts):
            count = int(rng.integers(1, 600))
            assert file.seek(start) == start
            assert np.array_equal(file.read(count, always_2d=True), whole[start : start + count]), (start, count)
            assert file.tell() == min(start + count, frames)


@pytest.mark.parametrize("total", [299, 300, 301, 555, 556, 557, 600, 856])
def test_resampling_by_pieces_is_resampling(total: int) -> None:
    source = sound(total, 2)
    for target in (4_000, 44_100, 8_001):
        resampling = PiecewiseResampling(RATE, target)
        found = np.concatenate(list(resampling.results(iter([source[:100], source[100:]]), 0, 2)))
        expected = np.concatenate(list(piecewise_free(source, target)))
        assert abs(len(found) - len(expected)) <= 1
        length = min(len(found), len(expected))
        assert np.abs(found[:length] - expected[:length]).max() < 3e-6


def piecewise_free(source: np.ndarray, target: int) -> Iterator[np.ndarray]:
    from vqc.data.audio_files import resample

    return resample([source], RATE, target, 2)


def test_it_reads_as_soundfile_does(tmp_path: Path) -> None:
    (tmp_path / "a.vqc").write_bytes(file_of(sound(4000)))
    whole = vqc.read(tmp_path / "a.vqc")[0]
    soundfile.write(tmp_path / "a.wav", whole, RATE, subtype="FLOAT")
    with vqc.open(tmp_path / "a.vqc") as ours, soundfile.SoundFile(tmp_path / "a.wav") as theirs:
        assert len(ours) == len(theirs)
        for file in (ours, theirs):
            file.seek(-1000, 2)
            file.seek(100, 1)
        for dtype in ("float32", "float64"):
            assert np.array_equal(ours.read(50, dtype=dtype), theirs.read(50, dtype=dtype))
        assert np.array_equal(ours.read(dtype="float64"), theirs.read())
        assert ours.read(10).shape == theirs.read(10).shape == (0,)
        for file in (ours, theirs):
            file.seek(3000)
        for mine, other in zip(ours.blocks(300), theirs.blocks(300, dtype="float32"), strict=True):
            assert np.array_equal(mine, other)
        for wrong in (-1, 4001):
            with pytest.raises(OptionError, match="4,000 samples"):
                ours.seek(wrong)
    with pytest.raises(OptionError, match="closed"):
        ours.read(1)
    image = vqc.compress(np.zeros((8, 8, 3), np.uint8), model="tiny-image")
    with pytest.raises(MediaError, match="holds an image"):
        vqc.open(image)


def test_no_more_is_read_than_what_is_asked_for() -> None:
    data = file_of(sound(40 * 256))
    whole = vqc.read(io.BytesIO(data))[0]
    far = damaged(data, *range(10), *range(16, 40))
    with pytest.raises(ContainerError):
        vqc.decompress(far)
    with vqc.open(far) as file:
        file.seek(12 * 256)
        assert np.array_equal(file.read(512), whole[12 * 256 : 14 * 256])
        file.seek(20 * 256)
        with pytest.raises(ContainerError, match="does not match its checksum"):
            file.read(10)
        file.seek(12 * 256)
        assert np.array_equal(file.read(5), whole[12 * 256 : 12 * 256 + 5])


def test_only_long_files_have_an_index_and_others_are_read_on() -> None:
    short, long = file_of(sound(3 * 256)), file_of(sound(3 * 256 + 1))
    assert (short[3], long[3]) == (VERSION, VERSION_WITH_FIELDS)
    assert not read_container(short).indexed
    whole = vqc.read(io.BytesIO(short))[0]
    with vqc.open(short) as file:
        file.seek(300)
        assert np.array_equal(file.read(300), whole[300:600])
    pixels = np.zeros((32, 16, 3), np.uint8)  # tiles of 16 x 16
    assert vqc.compress(pixels, model="tiny-image")[3] == VERSION
    assert vqc.compress(np.zeros((33, 17, 3), np.uint8), model="tiny-image")[3] == VERSION_WITH_FIELDS


@pytest.mark.parametrize(("start", "duration"), [(0.1, 0.05), (0.2, None), (None, 0.3), (0.3, 1000)])
def test_a_part_of_a_file(tmp_path: Path, start: float | None, duration: float | None) -> None:
    data = file_of(sound(4000, 2))
    report = decompress_file(data, tmp_path / "part.wav", start=start, duration=duration)
    decompress_file(data, tmp_path / "all.wav")
    whole, part = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("all", "part"))
    first = round((start or 0) * RATE)
    assert np.array_equal(part, whole[first : None if duration is None else first + round(duration * RATE)])
    assert report.samples == len(part)


def test_parts_that_are_not_there(tmp_path: Path) -> None:
    data = file_of(sound(4000))
    for start, duration, words in ((0.5, None, "ends after 0.50 s"), (-1, None, "starts at 0"), (0, 0, "takes some")):
        with pytest.raises(OptionError, match=words):
            decompress_file(data, tmp_path / "a.wav", start=start, duration=duration)
    with pytest.raises(OptionError, match="an image has no time"):
        decompress_file(vqc.compress(np.zeros((8, 8), np.uint8), model="tiny-image"), tmp_path / "a.png", start=1)


@pytest.mark.parametrize("lost", [(0,), (3, 4, 9), (15,)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_damaged_chunk_costs_itself_alone(tmp_path: Path, lost: tuple[int, ...], channels: int) -> None:
    data = file_of(sound(15 * 256 + 100, channels))
    decompress_file(data, tmp_path / "good.wav")
    report = decompress_file(damaged(data, *lost), tmp_path / "bad.wav", salvage=True)
    good, bad = (soundfile.read(tmp_path / f"{name}.wav", always_2d=True)[0] for name in ("good", "bad"))
    near = 4 * 16  # the halo of a chunk, in which its neighbour is heard
    kept = np.ones(len(good), bool)
    for index in lost:
        assert not bad[index * 256 + near : (index + 1) * 256 - near].any()
        kept[max(0, index * 256 - near) : (index + 1) * 256 + near] = False
    assert np.array_equal(good[kept], bad[kept])
    assert len(report.damage) == 1 + (len(lost) > 1)
    assert report.damage[0].startswith(f"0:{lost[0] * 256 / RATE:05.2f} to ")


def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    data = file_of(sound(16 * 256))
    decompress_file(data, tmp_path / "good.wav")
    start = [*streams_of(data)][10][0]
    report = decompress_file(data[: start + 5], tmp_path / "bad.wav", salvage=True)
    good, bad = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("good", "bad"))
    assert np.array_equal(good[: 10 * 256 - 64], bad[: 10 * 256 - 64])
    assert len(bad) == len(good)
    assert report.damage == ("0:00.32 to 0:00.51",)


@pytest.mark.parametrize("alpha", [False, True])
def test_a_damaged_tile_costs_itself_alone(tmp_path: Path, alpha: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 60, 3 + alpha), np.uint8)
    data = vqc.compress(pixels, model="tiny-image")
    decompress_file(data, tmp_path / "good.png")
    report = decompress_file(damaged(data, 5 + alpha), tmp_path / "bad.png", salvage=True)
    good, bad = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("good", "bad"))
    assert (bad[16:32, 16:32, :3] == 128).all()
    kept = np.ones((70, 60), bool)
    kept[:48, :48] = False  # the halo is as large as a tile
    assert np.array_equal(good[kept], bad[kept])
    assert report.damage == ("16x16 pixels at (16, 16)",)
    if alpha:
        report = decompress_file(damaged(data, 0), tmp_path / "opaque.png", salvage=True)
        assert report.damage == ("the transparency",)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "opaque.png")), good[..., :3])


def test_of_what_is_lost_altogether_nothing_is_written(tmp_path: Path) -> None:
    picture = vqc.compress(np.zeros((8, 8), np.uint8), model="tiny-image", entropy="static")
    for data, name in ((picture + b"junk", "a.png"), (damaged(file_of(sound(16 * 256)), *range(16)), "a.wav")):
        with pytest.raises(ContainerError, match="nothing of it can be restored; get it again"):
            decompress_file(data, tmp_path / name, salvage=True)
    assert not [*tmp_path.iterdir()]


def test_salvage_of_whole_files_and_of_those_without_an_index(tmp_path: Path) -> None:
    data = file_of(sound(3000))
    assert decompress_file(data, tmp_path / "a.wav", salvage=True).damage == ()
    report = decompress_file(data[:-1] + bytes([data[-1] ^ 1]), tmp_path / "b.wav", salvage=True)
    assert report.damage == ("nothing that is heard or seen",)
    short = file_of(sound(3 * 256))
    decompress_file(short, tmp_path / "c.wav")
    report = decompress_file(short[:-4], tmp_path / "d.wav", salvage=True)
    assert report.damage[-1] == "more that cannot be told, as the file has no index"
    good, bad = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("c", "d"))
    assert np.array_equal(good[:192], bad[:192])
    assert not bad[-192:].any()
    with pytest.raises(ContainerError):
        decompress_file(b"VQC rubbish that is long enough", tmp_path / "e.wav", salvage=True)
