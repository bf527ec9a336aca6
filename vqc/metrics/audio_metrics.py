"""Metrics of recordings: aligned float32 [T] in [-1, 1] in, a number out, None where a metric is not defined."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SPEECH_RATE = 16_000  # Hz, of the metrics of speech


def mse(original: Samples, restored: Samples) -> float:
    """Mean squared error."""
    return float(np.square(original.astype(np.float64) - restored).mean())


def relative_mse(original: Samples, restored: Samples) -> float | None:
    """MSE over the power of the original; None for silence."""
    power = float(np.square(original, dtype=np.float64).mean())
    return mse(original, restored) / power if power > 0 else None


def si_sdr(original: Samples, restored: Samples) -> float | None:
    """dB, Le Roux et al. 2019; None when nothing is distorted, or one of the two is silent."""
    target, found = (x.astype(np.float64) - x.mean(dtype=np.float64) for x in (original, restored))
    power = float(target @ target)
    if power == 0:
        return None
    scaled = float(target @ found) / power * target
    distortion = float(np.square(found - scaled).sum())
    kept = float(scaled @ scaled)
    return 10 * math.log10(kept / distortion) if kept > 0 and distortion > 1e-15 * kept else None


def pesq_wb(original: Samples, restored: Samples) -> float | None:
    """Score recordings at 16 kHz; None without speech, or when they are shorter than a quarter of a second."""
    from pesq import PesqError, pesq

    if not original.any():
        return None
    score = float(pesq(SPEECH_RATE, original, restored, "wb", on_error=PesqError.RETURN_VALUES))
    return score if score > 0 else None  # negative: an error


def stoi(original: Samples, restored: Samples, *, extended: bool = False) -> float | None:
    """Score recordings at 16 kHz; None when they hold too little speech."""
    from pystoi import stoi as measure

    if not original.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # it warns and returns 0.00001
        try:
            score = float(measure(original, restored, SPEECH_RATE, extended))
        except (RuntimeWarning, ValueError):
            return None
    return score if math.isfinite(score) else None


def dnsmos(restored: Samples) -> float:
    """Score a recording at 16 kHz."""
    from speechmos import dnsmos as measure

    return float(measure.run(np.clip(restored, -1, 1), SPEECH_RATE)["ovrl_mos"])
