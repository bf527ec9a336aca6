"""Ogg is read whole and in the right order: chains, FLAC within, channels, and what was broken off."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from sound_files import flac, noise, of_unknown_length

from vqc.data.audio_files import AudioReader, Samples
from vqc.data.audio_writer import AudioWriter
from vqc.errors import MediaError, MediaWarning

RATE = 16_000


def tones(seconds: float, hertz: list[int], rate: int = RATE) -> Samples:
    """A tone in each channel."""
    time = np.arange(round(seconds * rate))[:, None] / rate
    return (0.3 * np.sin(2 * np.pi * np.array(hertz) * time)).astype(np.float32)


def ogg(samples: Samples, coding: str, rate: int = RATE) -> bytes:
    """A file as libsndfile writes it: with the channels in the order in which they are given."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[1], format="OGG", subtype=coding) as writer:
        for start in range(0, len(samples), 4_096):
            writer.write(samples[start : start + 4_096])
    return file.getvalue()


def heard(data: bytes) -> Samples:
    with AudioReader(data) as reader:
        result = reader.read()
        assert len(result) == reader.frames
    return result


def loudest(samples: Samples, rate: int = RATE) -> list[int]:
    """The tone in each channel, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples[:rate] * np.hanning(rate)[:, None], axis=0))
    return [int(bins.argmax()) for bins in spectrum.T]


@pytest.mark.parametrize("coding", ["VORBIS", "OPUS"])
def test_all_links_of_a_chain_are_heard(coding: str) -> None:
    links = [ogg(tones(seconds, [hertz]), coding) for seconds, hertz in [(1, 300), (0.5, 500), (1.5, 700)]]
    alone = np.concatenate([heard(link) for link in links])
    assert len(alone) == 3 * RATE
    assert np.array_equal(heard(b"".join(links)), alone)


def test_chains_of_several_sorts_are_refused() -> None:
    chain = ogg(tones(1, [300]), "OPUS") + ogg(tones(1, [300, 400]), "OPUS")
    with pytest.raises(MediaError, match="put together from files of other sorts"):
        AudioReader(chain)


# In Ogg (Vorbis I specification, 4.3.9): front left, centre, right, then ...; in WAV by the bits of its mask.
ORDER_IN_OGG = {
    1: [0],
    2: [0, 1],
    3: [0, 2, 1],
    4: [0, 1, 2, 3],
    5: [0, 2, 1, 3, 4],
    6: [0, 2, 1, 4, 5, 3],
    7: [0, 2, 1, 5, 6, 4, 3],
    8: [0, 2, 1, 6, 7, 4, 5, 3],
}


@pytest.mark.parametrize("format", ["ogg", "opus"])
@pytest.mark.parametrize("channels", ORDER_IN_OGG)
def test_channels_stay_where_they_were_in_and_out_of_ogg(channels: int, format: str) -> None:
    hertz = [300 + 200 * channel for channel in range(channels)]
    if channels >= 6:
        hertz[3] = 60  # the one for the bass is given nothing else
    in_ogg = [hertz[channel] for channel in ORDER_IN_OGG[channels]]
    coding = "VORBIS" if format == "ogg" else "OPUS"
    assert loudest(heard(ogg(tones(1.2, in_ogg), coding))) == hertz
    file = io.BytesIO()
    with AudioWriter(file, RATE, channels, format=format) as writer:
        writer.write(tones(1.2, hertz))
    file.seek(0)
    assert loudest(soundfile.read(file, always_2d=True)[0]) == in_ogg


def pages(packets: list[tuple[bytes, int]], *, end: bool = True) -> bytes:
    """Packets, each with its granule position, as one stream of Ogg; without the sums, at which we do not look."""

    def parts() -> Iterator[bytes]:
        for index, (packet, granule) in enumerate(packets):
            flags = 2 if index == 0 else 4 if end and index == len(packets) - 1 else 0
            lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
            assert len(lacing) < 256, "one page a packet"
            yield b"OggS\0" + struct.pack("<BqIIIB", flags, granule, 7, index, 0, len(lacing)) + lacing + packet

    return b"".join(parts())


def ogg_flac(samples: Samples, *, old: bool = False, end: bool = True) -> bytes:
    data = of_unknown_length(flac(samples))
    body = data[42:]
    pieces = [body[start : start + 20_000] for start in range(0, len(body), 20_000)]
    prefix = b"" if old else b"\x7fFLAC\1\0\0\1"
    granules = [0] * (len(pieces) - 1) + [len(samples)]
    return pages([(prefix + data[:42], 0), *zip(pieces, granules, strict=True)], end=end)


@pytest.mark.parametrize("old", [False, True])
def test_flac_in_ogg_is_read(old: bool) -> None:
    samples = noise(30_000, 2)
    assert np.array_equal(heard(ogg_flac(samples, old=old)), samples)
    chain = ogg_flac(samples, old=old) + ogg_flac(samples[:10_000], old=old)
    assert np.array_equal(heard(chain), np.concatenate([samples, samples[:10_000]]))


def test_without_a_last_page_there_is_a_warning() -> None:
    samples = noise(30_000)
    with pytest.warns(MediaWarning, match="the audio: has no last page and may lack its end"):
        assert np.array_equal(heard(ogg_flac(samples, end=False)), samples)


@pytest.mark.parametrize("coding", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("share", [0.5, 0.999])
def test_broken_off_within_a_page_it_is_refused(coding: str, share: float) -> None:
    data = ogg(noise(60_000), coding)
    with pytest.raises(MediaError, match="cut short: its last page is not whole; get it again"):
        AudioReader(data[: int(len(data) * share)])


def test_what_is_no_page_is_passed_over() -> None:
    first, second = (ogg(tones(1, [hertz]), "VORBIS") for hertz in (300, 500))
    chain = first + b"some Ogg" + bytes(70_000) + second + b"TAG" + bytes(125)
    assert np.array_equal(heard(chain), np.concatenate([heard(first), heard(second)]))
