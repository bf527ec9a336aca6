"""A pack holds what the files hold, is decoded once, and says what could not be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from vqc.data import derived, media_folders
from vqc.data.data_source import Contents, DataItem, DataSource
from vqc.data.datasets import open_audio, open_images
from vqc.data.decode_cache import open_decoded
from vqc.errors import MediaError, MediaWarning, OutputError, TrainingError

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vqc" / "data"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven images of different sizes, one of them gray, and one file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        Image.fromarray(colours(i)).save(folder / f"{i}.png")
    Image.fromarray(colours(6)[..., 0]).save(folder / "gray.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def colours(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, (5 + i, 19 - i, 3), dtype=np.uint8)


def tone(seconds: float, sample_rate: int, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.stack([0.5 * np.sin(2 * np.pi * 300 * time + c) for c in range(channels)], axis=1)


def test_images_come_back_as_they_are_and_gray_ones_in_colour(photos: Path) -> None:
    pack = open_images([str(photos)])
    names = [f"photos/{i}.png" for i in range(6)] + ["photos/gray.png"]
    assert pack.names == names
    assert all(np.array_equal(pack.image(i), colours(i)) for i in range(6))
    assert np.array_equal(pack.image(6), np.repeat(colours(6)[..., :1], 3, axis=2))
    assert pack.sizes.tolist() == [[5 + i, 19 - i] for i in range(7)]
    assert pack.bytes == sum(3 * (5 + i) * (19 - i) for i in range(7))
    assert sorted(pack.training + pack.validation) == list(range(7))
    assert pack.probabilities is None


def test_files_that_cannot_be_read_are_left_out_counted_and_told(photos: Path) -> None:
    for pack in (open_images([str(photos)]), open_images([str(photos)])):
        ((name, reason),) = pack.skipped
        assert name == "photos/broken.jpg"
        assert "is text, and vqc codes images and audio" in reason
        assert pack.notes == (f"1 of 8 images left out as unreadable; the first: {reason}",)
    for path in photos.glob("*.png"):
        path.unlink()
    with pytest.raises(TrainingError, match=r"photos: of 1 image none can be read; the first: .*broken\.jpg"):
        open_images([str(photos)])


def test_sets_are_decoded_once_until_a_file_changes(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_images([str(photos)])
    reads: list[Path] = []
    original = media_folders.read_image
    monkeypatch.setattr(media_folders, "read_image", lambda path: (reads.append(path), original(path))[1])
    moved = photos.parent / "elsewhere" / "photos"
    moved.parent.mkdir()
    shutil.move(photos, moved)
    again = open_images([str(moved)])
    assert not reads, "where the folder lies does not matter"
    assert (again.digest, again.training) == (first.digest, first.training)
    Image.fromarray(colours(9)).save(moved / "0.png")
    changed = open_images([str(moved)])
    assert len(reads) == 8
    assert changed.digest != first.digest
    assert np.array_equal(changed.image(0), colours(9))


def test_several_sources_follow_one_another(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "val"
    other.mkdir(parents=True)
    Image.fromarray(colours(7)).save(other / "x.png")
    Image.fromarray(colours(8)).save(other.parent / "y.png")
    pack = open_images([str(photos), str(other.parent)])
    assert pack.names[-2:] == ["other/val/x.png", "other/y.png"]
    assert pack.source_of.tolist() == [0] * 7 + [1] * 2
    assert np.array_equal(pack.image(7), colours(7))
    assert np.array_equal(pack.image(8), colours(8))
    assert pack.validation == [7]
    assert pack.description == "photos + other (8 images for training, 1 for validation)"


def test_recordings_are_mono_at_the_rate_and_exact_where_nothing_had_to_change(tmp_path: Path) -> None:
    exact = RNG.integers(-(2**15), 2**15, 4_001).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", exact, 16_000)
    soundfile.write(tmp_path / "b.flac", tone(0.5, 44_100, 2), 44_100)
    soundfile.write(tmp_path / "c.wav", 2.5 * tone(0.1, 16_000), 16_000, subtype="FLOAT")
    with pytest.warns(MediaWarning, match="above full scale"):
        pack = open_audio([str(tmp_path)], 16_000)
    assert pack.lengths.tolist() == [4_001, 8_000, 1_600]
    assert pack.seconds == pytest.approx((4_001 + 8_000 + 1_600) / 16_000)
    assert np.array_equal(pack.waveform(0), exact.astype(np.float32) / 2**15)
    expected = tone(0.5, 16_000, 2).mean(axis=1)
    assert np.abs(pack.waveform(1) - expected)[500:-500].max() < 1e-3
    loud = pack.waveform(2)
    assert (loud.max(), loud.min()) == (1 - 2**-15, -1), "clipped, not wrapped"
    weights = np.array([4_001, 8_000, 1_600])[pack.training]
    np.testing.assert_allclose(pack.probabilities, weights / weights.sum())
    with pytest.warns(MediaWarning, match="above full scale"):
        assert open_audio([str(tmp_path)], 8_000).lengths.tolist() == [2_001, 4_000, 800]


def test_cuts_end_where_the_recording_ends(tmp_path: Path) -> None:
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", np.arange(1, 101, dtype=np.int16), 8_000)
    pack = open_audio([str(tmp_path)], 8_000)
    for i in range(2):
        cut = pack.cut(i, 90, 30) * 2**15
        assert cut.tolist() == [*range(91, 101), *[0] * 20]


def numbers(count: int, fail: Sequence[int] = ()) -> DataSource:
    """A source of arrays [1, 1, 3] that hold their index."""

    def read(index: int) -> np.ndarray:
        if index in fail:
            raise MediaError(f"{index}: broken")
        return np.full((1, 1, 3), index, dtype=np.uint8)

    items = [DataItem(f"n/{i}", f"n/{i}") for i in range(count)]
    return DataSource("numbers", f"numbers {count}", lambda: Contents(items, read))


def test_decoding_keeps_the_order_and_tells_how_far_it_is(cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    decoded = open_decoded(numbers(200, fail=[0, 7, 199]), "image", lambda done, total: seen.append((done, total)))
    assert seen == [(i, 200) for i in range(1, 201)]
    assert decoded.data[::3].tolist() == [i for i in range(200) if i not in (0, 7, 199)]
    assert [item.name for item in decoded.items] == [f"n/{i}" for i in decoded.data[::3]]
    assert [name for name, _ in decoded.skipped] == ["n/0", "n/7", "n/199"]


def test_what_is_interrupted_leaves_nothing_and_what_is_not_whole_is_made_again(cache: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_decoded(numbers(200), "image", stop)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    decoded = open_decoded(numbers(200), "image")
    with (decoded.folder / "data.bin").open("r+b") as file:
        file.truncate(100)
    assert open_decoded(numbers(200), "image").data.size == 600
    (decoded.folder / "index.json").unlink()
    assert len(open_decoded(numbers(200), "image").items) == 200


OPEN_ONCE = """
import os, sys, time
from pathlib import Path
import numpy as np
from vqc.data.decode_cache import open_decoded
from vqc.data.data_source import Contents, DataItem, DataSource

def contents():
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.5)
    return Contents([DataItem("n", "n")] * 9, lambda index: np.full((1, 1, 3), index, dtype=np.uint8))

print(open_decoded(DataSource("numbers", "of several processes", contents), "image").data.sum())
"""


@pytest.mark.skipif(derived.fcntl is None, reason="needs file locks")
def test_of_several_processes_one_decodes(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    command = [sys.executable, "-c", OPEN_ONCE, str(marks)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["108", "108"]
    assert len(list(marks.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_told_with_what_to_do(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.touch()
    with pytest.raises(OutputError, match="cannot be written: File exists; make room or set XDG_CACHE_HOME"):
        open_decoded(numbers(3), "image")


def test_items_can_be_left_out_by_their_names(photos: Path) -> None:
    pack, whole = open_images([str(photos)]), open_images([str(photos)])
    name = whole.names[whole.training[0]]
    pack.exclude(name)
    assert pack.training == whole.training[1:]
    assert pack.validation == whole.validation
    assert pack.digest != whole.digest  # what is derived of it and kept is not that of the whole
    pack.exclude("")
    assert pack.training == whole.training[1:]
    with pytest.raises(TrainingError, match="in their names"):
        pack.exclude(".")
