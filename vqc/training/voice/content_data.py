"""What a content encoder is trained on: frames of all utterances, and clusters of them that a teacher finds.

The first teacher is a `phones` model, whose clusters need no network; those of the next rounds are content encoders.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.atomic import write_atomically
from vqc.data.batches import ItemSampler, Shard, random_for
from vqc.data.datasets import AudioDataset
from vqc.errors import TrainingError
from vqc.models.files.zoo import load_model
from vqc.models.phones.model import HOP, SCALE
from vqc.nn.quantize import kmeans
from vqc.training.stages import tracked
from vqc.training.voice.disguise import TEMPO, disguised, hidden_steps

Latents = Callable[[Any, Tensor], Tensor]
TEACHERS: Mapping[str, Latents] = MappingProxyType(
    {  # by kind: waveforms [1, T] → vectors [1, T / 160, D] to be clustered
        "phones": lambda model, waveform: model.latents(waveform),
        "voice": lambda model, waveform: model.content.latents(model.content.log_mel(waveform)),
    }
)
_SEEN = 150_000  # vectors that k-means sees
_ITERATIONS = 10


class ContentBatch(NamedTuple):
    """A step's examples; a step of the network is 20 ms."""

    frames: Tensor  # [B, N, mels], disguised and normalised
    hidden: Tensor  # bool [B, N / 2], what the network shall guess
    there: Tensor  # bool [B, N / 2], False beyond the end of a recording
    targets: Tensor  # int64 [B, N / 2, heads]


class Frames(NamedTuple):
    """Frames of utterances, one after the other."""

    log_mel: NDArray[np.float16]  # [F, mels]
    targets: NDArray[np.int32]  # [F, heads]
    starts: NDArray[np.int64]  # [U + 1], of each utterance


def frames_of(dataset: AudioDataset, content: Any, teacher: str, sizes: Sequence[int], seed: int) -> Frames:
    """Frames of the utterances of a dataset, and the teacher's clusters of them: training, then validation.

    Both are kept in the cache.

    Args:
        dataset: at 16 kHz.
        content: the `ContentEncoder` that sees the frames.
        teacher: name or file of a model of kind phones or voice.
        sizes: of the clusterings.
        seed: of the clusterings.

    Raises:
        TrainingError: the teacher is of another kind, or there are fewer frames than clusters.
    """
    loaded = load_model(teacher)
    if loaded.model.kind not in TEACHERS:
        raise TrainingError(
            f"{loaded.info.name} is of kind {loaded.model.kind}; task.teacher is a model of kind phones or voice"
        )
    items = [*dataset.training, *dataset.validation]
    lengths = [int(dataset.lengths[i]) // (2 * HOP) * 2 for i in items]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    if starts[-1] < max(sizes):
        raise TrainingError(f"{starts[-1]:,} frames cannot be put into {max(sizes):,} clusters; give more data")
    recipe = f"{loaded.info.digest} {content.config.content_mels} {tuple(sizes)} {seed}"
    kept = dataset.folder / f"content-{hashlib.sha256(recipe.encode()).hexdigest()[:24]}.npz"
    if not kept.is_file():
        log_mel, vectors = _observed(dataset, items, content, loaded.model)
        _write(kept, log_mel, clusterings(vectors, sizes, seed))
    with np.load(kept) as arrays:
        return Frames(arrays["log_mel"], arrays["targets"], starts)


@torch.inference_mode()
def clusterings(vectors: Tensor, sizes: Sequence[int], seed: int) -> NDArray[np.int32]:
    """The cluster of each vector [F, D] in clusterings of several sizes: int32 [F, sizes]."""
    generator = torch.Generator().manual_seed(seed)
    seen = vectors[torch.randperm(len(vectors), generator=generator)[:_SEEN]].float()
    found = np.empty((len(vectors), len(sizes)), np.int32)
    for column, size in enumerate(sizes):
        centres, _ = kmeans(seen, size, iterations=_ITERATIONS, seed=seed)
        offset = centres.square().sum(1)
        for first in range(0, len(vectors), 1 << 14):
            part = vectors[first : first + (1 << 14)].float()
            nearest = torch.addmm(offset, part, centres.T, alpha=-2).argmin(1)
            found[first : first + len(part), column] = nearest.numpy()
    return found


class ContentBatches:
    """Crops of utterances in disguise; calling with a step gives a `ContentBatch`."""

    def __init__(
        self, frames: Frames, utterances: Iterable[int], weights: Any, *, batch: int, crop: int, seed: int
    ) -> None:
        """
        Args:
            frames: of all utterances.
            utterances: those that are drawn.
            weights: proportional to their probabilities, [utterances].
            batch: crops at a time.
            crop: frames of 10 ms, an even number.
            seed: of all random choices.
        """
        self.frames, self.batch, self.crop, self.seed = frames, batch, crop, seed
        there = [(i, w) for i, w in zip(utterances, weights, strict=True) if frames.starts[i + 1] > frames.starts[i]]
        self.draws = ItemSampler([i for i, _ in there], np.array([w for _, w in there], np.float64))

    def __call__(self, step: int, shard: Shard, hidden: float) -> ContentBatch:
        """The rows of a process in the batch of a step, this share of the steps hidden."""
        generator = random_for(self.seed, step)
        chosen = self.draws(self.batch, generator)
        tempo = np.exp(generator.uniform(-TEMPO, TEMPO, self.batch))
        starts, lengths = self.frames.starts[chosen], np.diff(self.frames.starts)[chosen]
        first = generator.random(self.batch) * np.maximum(0, lengths - self.crop * tempo)
        at = first[:, None] + np.arange(self.crop) * tempo[:, None]  # [B, N], frames from the start of the utterance
        there = torch.from_numpy(at <= lengths[:, None] - 1)
        at = starts[:, None] + np.minimum(at, lengths[:, None] - 1)
        below = np.minimum(at.astype(np.int64), len(self.frames.log_mel) - 2)
        part = (at - below)[..., None].astype(np.float32)
        log_mel = self.frames.log_mel[below] * (1 - part) + self.frames.log_mel[below + 1] * part
        frames = disguised(torch.from_numpy(log_mel), there, SCALE, generator)
        missing = hidden_steps(self.batch, self.crop // 2, hidden, generator)
        nearest = (at[:, ::2] + 0.5).astype(np.int64)
        targets = torch.from_numpy(self.frames.targets[nearest].astype(np.int64))
        rows = shard.rows(self.batch)
        return ContentBatch(frames[rows], missing[rows], there[rows, ::2], targets[rows])


@torch.inference_mode()
def _observed(
    dataset: AudioDataset, items: Sequence[int], content: Any, teacher: Any
) -> tuple[NDArray[np.float16], Tensor]:
    """Log-mel frames [F, mels] and the teacher's vectors [F, D], half precision, of these utterances."""
    latents = TEACHERS[teacher.kind]
    frames, vectors = [], []
    for i in tracked(items):
        length = int(dataset.lengths[i]) // (2 * HOP) * 2 * HOP
        if not length:
            continue
        waveform = torch.from_numpy(dataset.cut(i, 0, length))[None]
        frames.append(content.log_mel(waveform)[0].half().numpy())
        vectors.append(latents(teacher, waveform)[0].half())
    return np.concatenate(frames), torch.cat(vectors)


def _write(path: Path, log_mel: NDArray[np.float16], targets: NDArray[np.int32]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, log_mel=log_mel, targets=targets)
    write_atomically(path, buffer.getvalue(), overwrite=True)
