"""All metrics that are wanted of one file. What is not defined for it, or cannot be computed here, is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property, partial
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from vqc.metrics import audio_metrics, image_metrics
from vqc.metrics.catalogue import Media, metrics_of
from vqc.metrics.fricatives import Spectra, band_energy_error, ripple_error
from vqc.metrics.mel import mel_distance
from vqc.metrics.time_alignment import align


def score(
    original: NDArray[Any], restored: NDArray[Any], sample_rate: int | None, wanted: Collection[str]
) -> dict[str, float]:
    """Score an image [H, W, 3] (without a rate) or a recording [T], by the keys of the catalogue."""
    if sample_rate is None:
        return score_images(original, restored, wanted)
    return score_audio(original, restored, sample_rate, wanted)


def score_images(original: NDArray[np.uint8], restored: NDArray[np.uint8], wanted: Collection[str]) -> dict[str, float]:
    """Metrics of an image [H, W, 3], by the keys of the catalogue."""
    assert original.shape == restored.shape, "restored images have the size of the original"
    known: dict[str, Callable[[], float | None]] = {
        "mse": partial(image_metrics.mse, original, restored),
        "psnr": partial(image_metrics.psnr, original, restored),
        "ms_ssim": partial(image_metrics.ms_ssim, original, restored),
    }
    return _scores("image", known, wanted)


def score_audio(
    original: NDArray[np.float32], restored: NDArray[np.float32], sample_rate: int, wanted: Collection[str]
) -> dict[str, float]:
    """Metrics of a recording [T] in [-1, 1], by the keys of the catalogue.

    The two are aligned first (`vqc.metrics.time_alignment`) and cut to what they have in common. The metrics of speech
    see them at 16 kHz.
    """
    if not wanted:
        return {}
    pair = _Pair(*align(original, restored, sample_rate), sample_rate)
    if not len(pair.original):
        return {}
    known: dict[str, Callable[[], float | None]] = {
        "mse": lambda: audio_metrics.mse(pair.original, pair.restored),
        "relative_mse": lambda: audio_metrics.relative_mse(pair.original, pair.restored),
        "si_sdr": lambda: audio_metrics.si_sdr(pair.original, pair.restored),
        "mel": lambda: mel_distance(pair.original, pair.restored, sample_rate),
        "pesq_wb": lambda: audio_metrics.pesq_wb(*pair.speech),
        "stoi": lambda: audio_metrics.stoi(*pair.speech),
        "estoi": lambda: audio_metrics.stoi(*pair.speech, extended=True),
        "ripple_fricatives": lambda: ripple_error(pair.spectra, pair.spectra.fricative),
        "ripple_vowels": lambda: ripple_error(pair.spectra, pair.spectra.vowel),
        "bands_fricatives": lambda: band_energy_error(pair.spectra, pair.spectra.fricative),
        "bands_vowels": lambda: band_energy_error(pair.spectra, pair.spectra.vowel),
        "dnsmos": lambda: audio_metrics.dnsmos(pair.speech[1]),
    }
    return _scores("audio", known, wanted)


class _Pair:
    """Aligned recordings, resampled when a metric first needs it."""

    def __init__(self, original: NDArray[np.float32], restored: NDArray[np.float32], sample_rate: int) -> None:
        self.original, self.restored, self.sample_rate = original, restored, sample_rate

    @cached_property
    def speech(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both at 16 kHz."""
        if self.sample_rate == audio_metrics.SPEECH_RATE:
            return self.original, self.restored
        first, second = (
            soxr.resample(samples, self.sample_rate, audio_metrics.SPEECH_RATE)
            for samples in (self.original, self.restored)
        )
        return first, second

    @cached_property
    def spectra(self) -> Spectra:
        """Spectra of both at 16 kHz, with their fricatives and vowels."""
        return Spectra.of(*self.speech)


def _scores(media: Media, known: dict[str, Callable[[], float | None]], wanted: Collection[str]) -> dict[str, float]:
    found = {key: known[key]() for key in metrics_of(media) if key in wanted}
    return {key: value for key, value in found.items() if value is not None}
