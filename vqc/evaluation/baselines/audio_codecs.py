"""Codecs of speech and sound: Opus and Codec 2 by their command-line programs, FLAC by libsndfile."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.baselines.programs import run, version_line
from vqc.evaluation.items import Item
from vqc.format.shapes import Media


class Opus(Baseline):
    """Files with their Ogg container, without the room that opusenc keeps for later tags."""

    name, label = "opus", "Opus"
    media: ClassVar[Media] = "audio"
    settings: ClassVar[Sequence[Setting]] = tuple(round(4 * 1.01**step, 3) for step in range(280))  # kbps, to 64
    fixed: ClassVar[Sequence[Setting]] = (6.0, 8.0, 12.0)
    words, programs, package = "{:g} kbps", ("opusenc", "opusdec"), "opus-tools"

    def version(self) -> str:
        return f"{version_line('opusenc')}, variable bit rate"

    def encode(self, item: Item, setting: Setting) -> bytes:
        # No further options: opusenc writes those that it was given into the file.
        return run(["opusenc", "--quiet", "--bitrate", str(setting), "--padding", "0", "-", "-"], _wav(item))

    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "out.wav"
            options = ["--quiet", "--no-dither", "--rate", str(item.sample_rate)]
            run(["opusdec", *options, "-", str(target)], data)
            samples: NDArray[Any] = soundfile.read(target, dtype="float32")[0]
            return samples


class Codec2(Baseline):
    """Narrow-band speech: 8 kHz, raw bits without a container."""

    name, label = "codec2", "Codec 2"
    media: ClassVar[Media] = "audio"
    settings: ClassVar[Sequence[Setting]] = ("700C", "1200", "1300", "1600", "2400", "3200")
    fixed = settings
    words, programs, package = "mode {}", ("c2enc", "c2dec"), "codec2"

    _RATE = 8_000  # Hz
    _FRAME = 320  # samples of the longest frame

    def version(self) -> str:
        return "Codec 2 (c2enc), 8 kHz, without a container"  # it does not tell its version

    def encode(self, item: Item, setting: Setting) -> bytes:
        assert item.sample_rate is not None, "audio has a rate"
        samples = soxr.resample(item.signal, item.sample_rate, self._RATE)
        samples = np.pad(samples, (0, -len(samples) % self._FRAME))  # what does not fill a frame would be dropped
        whole = np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2")
        return run(["c2enc", str(setting), "-", "-"], whole.tobytes())

    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        assert item.sample_rate is not None, "audio has a rate"
        whole = np.frombuffer(run(["c2dec", str(setting), "-", "-"], data), "<i2")
        samples: NDArray[Any] = soxr.resample(whole.astype(np.float32) / 32_768, self._RATE, item.sample_rate)
        return samples[: len(item.signal)]


class FLAC(Baseline):
    """Lossless at 16 bits."""

    name, label = "flac", "FLAC"
    media: ClassVar[Media] = "audio"
    settings: ClassVar[Sequence[Setting]] = ("lossless",)
    fixed = settings
    words = "{}"

    def version(self) -> str:
        return f"libsndfile {soundfile.__libsndfile_version__}, 16 bits"

    def available(self) -> str | None:
        return None if "FLAC" in soundfile.available_formats() else "libsndfile has been built without it"

    def encode(self, item: Item, setting: Setting) -> bytes:
        out = io.BytesIO()
        soundfile.write(out, item.signal, item.sample_rate, format="FLAC", subtype="PCM_16")
        return out.getvalue()

    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        samples: NDArray[Any] = soundfile.read(io.BytesIO(data), dtype="float32")[0]
        return samples


def _wav(item: Item) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, item.signal, item.sample_rate, format="WAV", subtype="PCM_16")
    return out.getvalue()
