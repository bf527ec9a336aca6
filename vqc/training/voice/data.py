"""Utterances with what is known of them: content codes, most in disguise, pitch, level, and whose voice it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.data.datasets import AudioDataset
from vqc.data.derived import make_once
from vqc.data.validation_split import split_key
from vqc.models.voice.model import FRAME_HOP, FRAMES, REFERENCE_LEVEL, VoiceModel
from vqc.models.voice.traits import active_frames, speech_level
from vqc.nn.pitch import PITCH_HOP
from vqc.training.sampling import draw_probabilities
from vqc.training.speech.task import pitch_of
from vqc.training.stages import tracked

DISGUISES = (0.88, 1.07, 0.94, 1.14, 1.0)  # warps of the frequencies in which training utterances are encoded, in turn
_MOST_GAIN = 30.0  # of an utterance to the reference level, as a factor


class VoiceBatch(NamedTuple):
    """Crops of utterances at the reference level, and other crops of the same voices."""

    waveform: Tensor  # [B, T]
    content: Tensor  # int64 [B, T / 160], of the crop in disguise
    pitch: Tensor  # int64 [B, T / 320]
    other: Tensor  # [B, T'], of the same voice
    voice: Tensor  # int64 [B]: a number for each voice


class VoiceData:
    """Training and validation utterances for a model whose content encoder is trained.

    Args:
        model: encodes all of the data, once for each content encoder; the codes are kept in the cache.
        source_shares: of the crops from each folder of data; empty: by length.
    """

    def __init__(self, dataset: AudioDataset, model: VoiceModel, source_shares: Sequence[float] = ()) -> None:
        self.dataset = dataset
        self.pitch, self.starts = pitch_of(dataset)  # in periods of 20 ms
        self.probabilities = draw_probabilities(dataset, source_shares)
        self.content, self.levels = _encoded(dataset, model)
        names = [speaker_of(name) for name in dataset.names]
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        self.voices = np.array([numbers[name] for name in names])
        self._of_voice: dict[int, list[int]] = {}
        for i in dataset.training:
            self._of_voice.setdefault(int(self.voices[i]), []).append(i)

    def batch(self, count: int, frames: int, seconds: float, generator: np.random.Generator) -> VoiceBatch:
        """Random crops of `frames` code frames, and others of so many seconds of the same voices."""
        chosen = generator.choice(self.dataset.training, count, p=self.probabilities)
        rows = [self._row(int(i), frames, seconds, generator) for i in chosen]
        waveform, content, pitch, other = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
        return VoiceBatch(waveform, content, pitch, other, torch.from_numpy(self.voices[chosen]))

    def whole(self, i: int, seconds: float) -> VoiceBatch:
        """The beginning of an utterance as a batch of one, which is its own other crop."""
        frames = max(1, min(int(self.dataset.lengths[i]) // PITCH_HOP, int(seconds * 16_000) // PITCH_HOP))
        waveform, content, pitch = self._cut(i, 0, frames)
        x = torch.from_numpy(waveform)[None]
        return VoiceBatch(
            x,
            torch.from_numpy(content)[None],
            torch.from_numpy(pitch)[None],
            x,
            torch.from_numpy(self.voices[i : i + 1]),
        )

    def _row(
        self, i: int, frames: int, seconds: float, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        first = int(generator.random() * (max(0, int(self.dataset.lengths[i]) // PITCH_HOP - frames) + 1))
        waveform, content, pitch = self._cut(i, first, frames)
        other = int(generator.choice(self._of_voice[int(self.voices[i])]))
        length = int(seconds * 16_000)
        start = int(generator.random() * max(1, int(self.dataset.lengths[other]) - length))
        return waveform, content, pitch, self.dataset.cut(other, start, length) * self._gain(other)

    def _cut(self, i: int, first: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Waveform, content and pitch of code frames of an utterance; what is beyond its end is like silence."""
        taken = min(frames, int(self.dataset.lengths[i]) // PITCH_HOP - first)
        content, pitch = np.zeros(frames * FRAMES, np.int64), np.zeros(frames, np.int64)
        start = int(self.starts[i]) + first
        pitch[:taken] = self.pitch[start : start + taken]
        own = self.content[start * FRAMES : (start + taken) * FRAMES]
        content[: taken * FRAMES] = own
        content[taken * FRAMES :] = own[-1] if taken else 0
        return self.dataset.cut(i, first * PITCH_HOP, frames * PITCH_HOP) * self._gain(i), content, pitch

    def _gain(self, i: int) -> np.float32:
        return np.float32(min(_MOST_GAIN, np.exp(0.5 * (REFERENCE_LEVEL - self.levels[i]))))


def speaker_of(name: str) -> str:
    """Who speaks, by the name of a file: as names of speech corpora tell it, else its folder."""
    key = split_key(name)
    return key if key.startswith("speaker ") else PurePosixPath(name).parent.name


def _encoded(dataset: AudioDataset, model: VoiceModel) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Content codes of the frames of 10 ms of all utterances, one after the other; levels of utterances [N]."""

    def read(folder: Path) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        return np.load(folder / "content.npy", mmap_mode="r"), np.load(folder / "levels.npy")

    def write(folder: Path) -> None:
        codes, levels, held = [], [], set(dataset.validation)
        for i in tracked(range(len(dataset.lengths))):
            x = torch.from_numpy(dataset.cut(i, 0, int(dataset.lengths[i]) // PITCH_HOP * PITCH_HOP))[None]
            if not x.shape[1]:
                levels.append(REFERENCE_LEVEL)
                continue
            warp = 1.0 if i in held else DISGUISES[i % len(DISGUISES)]
            codes.append(model.content.encode(x, warp)[0].numpy().astype(np.uint16))
            power = model.mel_power(x)
            levels.append(float(speech_level(power, active_frames(power))))
        np.save(folder / "content.npy", np.concatenate(codes))
        np.save(folder / "levels.npy", np.array(levels, np.float32))

    state = hashlib.sha256(repr((DISGUISES, FRAME_HOP)).encode())
    for _, tensor in sorted(model.content.state_dict().items()):
        state.update(tensor.contiguous().numpy().tobytes())
    with torch.inference_mode():
        return make_once(dataset.folder / f"content-{state.hexdigest()[:16]}", read, write, what="content codes")
