"""Sound of M4A, AAC, MP4 and WebM: with PyAV it is read, without it a sentence says how to get it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vqc.data import ffmpeg
from vqc.data.audio_files import AudioReader
from vqc.data.file_signatures import needs_ffmpeg
from vqc.data.media_type import media_of_file
from vqc.errors import MediaError

RATE = 48_000
KINDS = [("mp4", "aac"), ("ipod", "aac"), ("ipod", "alac"), ("adts", "aac")]
KINDS += [("webm", "libopus"), ("matroska", "libopus")]


def tone(channels: int, seconds: float = 1.0) -> NDArray[np.float32]:
    """float32 [T, C], each channel of a loudness and a pitch of its own."""
    t = np.arange(int(RATE * seconds))[:, None] / RATE
    channel = np.arange(channels) + 1
    return (0.5 / channel * np.sin(2 * np.pi * 300 * channel * t)).astype(np.float32)


def encoded(form: str, codec: str, samples: NDArray[np.float32], **tags: str) -> bytes:
    av = pytest.importorskip("av")
    held, layout = io.BytesIO(), {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    with av.open(held, "w", format=form) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        stream.codec_context.open()
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=RATE, frame_size=stream.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = RATE
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return held.getvalue()


@pytest.mark.parametrize(("form", "codec"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_read_as_it_was(form: str, codec: str, channels: int) -> None:
    samples = tone(channels)
    data = encoded(form, codec, samples)
    assert needs_ffmpeg(data)
    assert media_of_file(data) == "audio"
    with AudioReader(data) as reader:
        assert (reader.sample_rate, reader.channels) == (RATE, channels)
        found = reader.read()
    assert len(found) == reader.frames
    assert abs(len(found) - len(samples)) <= 2_200
    middle = slice(10_000, 30_000)
    for channel in range(channels):
        loud = np.sqrt(np.mean(found[middle, channel] ** 2) / np.mean(samples[middle, channel] ** 2))
        assert 0.9 < loud < 1.1, "each channel in its place"


def test_tags_and_places_of_channels_are_told() -> None:
    with AudioReader(encoded("ipod", "aac", tone(2), title="Ode", track="7")) as reader:
        assert (reader.tags["title"], reader.tags["tracknumber"]) == ("Ode", "7")
        assert reader.channel_mask is None
    with AudioReader(encoded("mp4", "aac", tone(6))) as reader:
        assert reader.channels == 6
        assert reader.channel_mask in (None, 0x3F, 0x60F)


def test_what_is_no_sound_or_not_whole_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    whole = encoded("mp4", "aac", tone(1, 3.0))
    for data in (whole[: len(whole) // 2], whole[:40], encoded("webm", "libopus", tone(1, 3.0))[:9_000]):
        with pytest.raises(MediaError, match="damaged or cut short"):
            AudioReader(data)
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "silent.mp4").write_bytes(held.getvalue())
    with pytest.raises(MediaError, match=r"silent\.mp4: has no sound in it"):
        AudioReader(tmp_path / "silent.mp4")


HEADS = {
    "mp4": b"\0\0\0\x20ftypisom" + bytes(40),
    "m4a": b"\0\0\0\x20ftypM4A " + bytes(40),
    "webm": b"\x1aE\xdf\xa3" + bytes(40),
    "aac": b"\xff\xf1\x50\x80" + bytes(40),
}


@pytest.mark.parametrize("kind", HEADS)
def test_without_the_extra_a_sentence_says_how_to_get_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "extra_at_hand", lambda extra: False)
    options: dict[str, Any] = {"name": f"a.{kind}"}
    with pytest.raises(MediaError, match=rf"a\.{kind}: is .* with the extra av: pip install 'vqc-codec\[av\]'"):
        AudioReader(HEADS[kind], **options)
