"""FLAC of unknown length is read to its end, alone and in Ogg; broken off it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sound_files import flac, noise, of_unknown_length

from vqc.data.audio_files import AudioReader
from vqc.errors import MediaError


@pytest.mark.parametrize("frames", [1, 255, 4_096, 4_097, 100_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_all_samples_of_a_file_of_unknown_length_come(frames: int, channels: int) -> None:
    samples = noise(frames, channels)
    for tag in (b"", b"TAG" + bytes(125)):
        with AudioReader(of_unknown_length(flac(samples)) + tag) as reader:
            assert reader.frames == frames
            assert np.array_equal(reader.read(), samples)


def test_frames_of_unusual_sizes_tell_how_long_they_are() -> None:
    """Sizes that the head of a frame spells out, in one byte and in two."""
    for frames in (4_096 * 2 + 77, 4_096 * 200 + 3_333):
        with AudioReader(of_unknown_length(flac(noise(frames)))) as reader:
            assert len(reader.read()) == frames


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_broken_off_it_is_refused(share: float) -> None:
    data = of_unknown_length(flac(noise(50_000)))
    with pytest.raises(MediaError, match="cut short: its last frame is not whole; get it again"):
        AudioReader(data[: int(len(data) * share)])
