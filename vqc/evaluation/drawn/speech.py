"""Speech drawn from a prior, judged by a phone recogniser, a network that guesses ratings, and spectra.

All sets have clips of the same length and number: real speech, the same restored, drawn, order-0, and white noise that
is as loud as the real clips.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from vqc.data.benchmarks import Benchmark
from vqc.errors import OptionError
from vqc.evaluation.drawn.codes import DRAW, Draw, order_0_codes, prior_codes, restored
from vqc.evaluation.phonemes.phone_loop import PhoneLoop
from vqc.metrics.audio_metrics import dnsmos
from vqc.metrics.frechet import frechet_distance
from vqc.metrics.mel import mel_decibels
from vqc.models.base import AudioModel

RATE = 16_000  # Hz, of all that is measured here
WINDOW, HOP, BANDS = 512, 256, 24  # samples and bands of the spectra
APART = 5  # frames between the two whose bands are looked at together: 80 ms, about a phone

Clips = NDArray[np.float32]  # [N, T] in [-1, 1]
Progress = Callable[[float], None]


class Row(NamedTuple):
    """One set of clips."""

    name: str
    frechet: float | None  # distance to the other half of the real clips, in pairs of log-mel frames
    phones: float  # a second, as the phone loop hears them
    dnsmos: float | None  # 1 to 5; None where its packages are not installed


@dataclass(frozen=True, kw_only=True)
class SpeechStudy:
    """What is found of a model's drawn speech."""

    rows: tuple[Row, ...]
    clips: int  # of each set
    seconds: float  # of each clip

    @property
    def description(self) -> str:
        """What the table is of."""
        return f"{self.clips} clips of {self.seconds:g} s in each set"

    @property
    def figures(self) -> dict[str, Any]:
        """What is not in the rows."""
        return {"clips": self.clips, "seconds": self.seconds}


def study_speech(
    model: AudioModel, data: Benchmark, *, count: int = 16, seconds: float = 5.0, how: Draw = DRAW, progress: Progress
) -> SpeechStudy:
    """Measure what the prior of a speech model draws against real speech.

    Args:
        data: real speech; clips are cut from twice as many recordings as there are in a set, and one half of them is
            what spectra are compared with.
        progress: called with the share that is done.

    Raises:
        OptionError: the model has no prior, its rate is not 16 kHz, or there are too few recordings so long.
        MissingPackageError: PocketSphinx is not installed.
    """
    if model.prior is None:
        raise OptionError("the model has no prior to draw from; vqc train prior makes one")
    if model.sample_rate != RATE:
        raise OptionError(f"the model is for {model.sample_rate} Hz; phones are heard at {RATE} Hz")
    hears = PhoneLoop()
    hop = model.hop_length
    length = int(seconds * RATE) // hop * hop
    real = _cut(data, 2 * count, length)
    target = spectra(real[1::2])
    sets = list(_sets(model, real[::2], how))
    rates = importlib.util.find_spec("speechmos") is not None
    found = []
    for number, (name, make) in enumerate(sets):
        clips = make()
        rating = float(np.mean([dnsmos(clip) for clip in clips])) if rates else None
        phones = float(np.mean([hears(clip) for clip in clips]))
        found.append(Row(name, frechet_distance(spectra(clips), target), phones, rating))
        progress((number + 1) / len(sets))
    return SpeechStudy(rows=tuple(found), clips=count, seconds=length / RATE)


def _sets(model: AudioModel, real: Clips, how: Draw) -> Iterator[tuple[str, Callable[[], Clips]]]:
    """The sets in the order of the table, and how each is made."""
    count, quality, grid = len(real), model.default_quality, (real.shape[1] // model.hop_length,)

    def noise() -> Clips:
        white = np.random.default_rng(how.seed).standard_normal(real.shape)
        loud = np.sqrt((real.astype(np.float64) ** 2).mean(1, keepdims=True))  # [N, 1]
        clipped: Clips = (white * loud).clip(-1, 1).astype(np.float32)
        return clipped

    yield "real", lambda: real
    yield "real, restored", lambda: _waveforms(restored(model, _codes(model, real), quality))
    yield "drawn", lambda: _waveforms(restored(model, prior_codes(model, quality, count, grid, how), quality))
    yield "order-0", lambda: _waveforms(restored(model, order_0_codes(model, quality, count, grid, how.seed), quality))
    yield "white noise", noise


def _cut(data: Benchmark, count: int, length: int) -> Clips:
    """The middles of the first recordings that are long enough, [count, length]."""
    clips: list[NDArray[np.float32]] = []
    for item in data.items:
        samples, rate = item.audio()
        samples = samples if rate == RATE else soxr.resample(samples, rate, RATE)
        if len(samples) >= length:
            start = (len(samples) - length) // 2
            clips.append(samples[start : start + length])
        if len(clips) == count:
            found: Clips = np.stack(clips)
            return found
    raise OptionError(
        f"{data.title} has {len(clips)} recordings of {length / RATE:g} s, {count} are needed; give more, or fewer -n"
    )


@torch.inference_mode()
def _codes(model: AudioModel, clips: Clips) -> torch.Tensor:
    """Codes [N, G, frames] of clips, as files of them hold them."""
    one_by_one: Any = [model.encode_as_files_do(clip[None], model.default_quality) for clip in torch.from_numpy(clips)]
    return torch.cat(one_by_one)


def _waveforms(signals: torch.Tensor) -> Clips:
    waveforms: Clips = signals.clamp(-1, 1).cpu().numpy()
    return waveforms


def spectra(clips: Clips) -> NDArray[np.float64]:
    """Log-mel bands of frames beside those 80 ms later, [frames, 2 · BANDS] of all clips, in dB."""
    decibels = mel_decibels(torch.from_numpy(clips), WINDOW, HOP, BANDS, RATE)  # [N, frames, bands]
    pairs = torch.cat([decibels[:, :-APART], decibels[:, APART:]], 2)
    return pairs.flatten(0, 1).numpy().astype(np.float64)
