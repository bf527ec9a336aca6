"""What the judges say of one clip, as numbers, and of many, as means with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.evaluation.conversion.judges import Clip, Panel
from vqc.evaluation.conversion.trials import Trial, read_clip
from vqc.evaluation.phonemes.phone_loop import phone_errors
from vqc.nn.pitch import pitch_hz

FEWEST_VOICED = 10  # frames of 20 ms that a pitch can be compared in


class Scores(NamedTuple):
    """Of one clip; None for what nobody said."""

    to_target: float | None = None  # cosine of its print and that of the target's other recordings
    to_source: float | None = None  # likewise, of the speaker of the source
    nearer: bool | None = None  # the target than the source
    phone_errors: float | None = None  # of as many phones as are heard in the source
    dnsmos: float | None = None
    pitch_correlation: float | None = None  # of log pitch with that of the source, where both are voiced
    pitch_error: float | None = None  # mean distance in semitones from the source's pitch at the target's height


class Hearing:
    """The judges, and what they know of voices."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._profiles: dict[tuple[Path, ...], NDArray[np.float64] | None] = {}

    def profile(self, paths: tuple[Path, ...]) -> NDArray[np.float64] | None:
        """Mean print of recordings, of length 1; None where nobody makes any."""
        if paths not in self._profiles:
            prints = [self.panel.ask("print", read_clip(path)) for path in paths]
            self._profiles[paths] = _unit([np.array(each) for each in prints if each])
        return self._profiles[paths]

    def similarity(self, clip: Clip, paths: tuple[Path, ...]) -> float | None:
        """Cosine of the print of a clip and the profile of recordings."""
        voice, profile = self.panel.ask("print", clip), self.profile(paths)
        if voice is None or profile is None:
            return None
        return float(np.array(voice) @ profile / np.linalg.norm(voice))

    def height(self, clip: Clip) -> float | None:
        """Median pitch in semitones above 1 Hz; None without voice."""
        tones = semitones(self.panel.ask("pitch", clip))
        voiced = tones[np.isfinite(tones)]
        return float(np.median(voiced)) if len(voiced) >= FEWEST_VOICED else None

    def judge(self, clip: Clip, trial: Trial, *, others: tuple[Path, ...] = (), same_words: bool = True) -> Scores:
        """Everything about a clip that is meant to be the source of a trial in the voice of its target.

        Args:
            others: what the target is known by here; that of the trial when left out.
            same_words: whether it says what the source says.
        """
        source = read_clip(trial.source)
        to_target = self.similarity(clip, others or trial.target.others)
        to_source = self.similarity(clip, trial.others)
        errors = correlation = error = None
        if same_words:
            errors = self._phone_errors(source, clip)
            correlation, error = self._pitch(source, clip, trial)
        return Scores(
            to_target,
            to_source,
            None if to_target is None or to_source is None else to_target > to_source,
            errors,
            self.panel.ask("dnsmos", clip),
            correlation,
            error,
        )

    def _phone_errors(self, source: Clip, clip: Clip) -> float | None:
        spoken, heard = self.panel.ask("phones", source), self.panel.ask("phones", clip)
        return phone_errors(spoken, heard) / len(spoken) if spoken and heard is not None else None

    def _pitch(self, source: Clip, clip: Clip, trial: Trial) -> tuple[float | None, float | None]:
        """Correlation and error, see `Scores`."""
        before, after = (semitones(self.panel.ask("pitch", each)) for each in (source, clip))
        frames = min(len(before), len(after))
        before, after = before[:frames], after[:frames]
        both = np.isfinite(before) & np.isfinite(after)
        own, target = self.height(source), self._height_of(trial.target.others)
        if both.sum() < FEWEST_VOICED or own is None or target is None:
            return None, None
        moved = before[both] - own + target
        error = float(np.abs(after[both] - moved).mean())
        spread = before[both].std() * after[both].std()
        correlation = float(np.corrcoef(before[both], after[both])[0, 1]) if spread > 1e-6 else None
        return correlation, error

    def _height_of(self, paths: tuple[Path, ...]) -> float | None:
        heights = [height for path in paths if (height := self.height(read_clip(path))) is not None]
        return float(np.median(heights)) if heights else None


def semitones(states: Sequence[int] | None) -> NDArray[np.float64]:
    """Semitones above 1 Hz of pitch states [T]; not a number where there is no voice."""
    hz: NDArray[np.float64] = pitch_hz(torch.tensor(states or [], dtype=torch.int64)).numpy()
    return np.where(hz > 0, 12 * np.log2(np.maximum(hz, 1)), np.nan)


def _unit(vectors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    if not vectors:
        return None
    mean: NDArray[np.float64] = np.mean(vectors, axis=0)
    return mean / np.linalg.norm(mean)
