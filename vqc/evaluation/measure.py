"""One file through a model at every quality, and through other codecs at the same sizes.

::

    file ─ compress ─► bytes ─ decompress ─► restored ─ metrics ─► scores
                │        └── codes ─► bits by the prior, counts     (CodeStatistics)
                └── sizes ─► other codecs at these sizes            (baselines)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.open import open_codec, with_perceptual_decoder
from vqc.codec.rate import Rate
from vqc.data.benchmarks import BenchmarkItem
from vqc.data.image_files import Picture
from vqc.evaluation.baselines.scoring import measure_item
from vqc.evaluation.code_statistics import CodeStatistics
from vqc.evaluation.items import Item
from vqc.evaluation.results import FileScore, Version
from vqc.format.container import read_container
from vqc.format.shapes import Media
from vqc.metrics.scores import score

SIXTEEN_BITS = 2.0**15


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Options of the measurement of every file."""

    media: Media
    model: str  # name or path
    qualities: tuple[int, ...]
    entropy: str
    metrics: tuple[str, ...]
    against: tuple[str, ...] = ()
    effort: int | None = None  # of the encoder; the model's own if None
    sharp: bool = False  # whether files are restored with the model's sharp decoder


@dataclass(kw_only=True, eq=False)
class FileMeasurement:
    """Measurements of one file."""

    name: str
    dimensions: int
    scores: list[FileScore] = field(default_factory=list)  # of other codecs too; bytes are 0 where none were written
    bytes: dict[int, int] = field(default_factory=dict)  # by quality, of a file that was written
    codes: dict[int, CodeStatistics] = field(default_factory=dict)
    residual_bits: dict[int, float] = field(default_factory=dict)  # -log2 p(x | codes)
    seconds: dict[int, float] = field(default_factory=dict)
    original: Item | None = None  # of an example
    versions: dict[int, list[Version]] = field(default_factory=dict)  # of an example
    notes: list[str] = field(default_factory=list)


def load(item: BenchmarkItem, media: Media) -> Item:
    """The signal of an item; MediaError when it cannot be read."""
    if media == "image":
        return Item(item.name, item.image(), None, item.bytes)
    samples, rate = item.audio()
    return Item(item.name, samples, rate, item.bytes)


def measure(
    item: BenchmarkItem, plan: MeasureOptions, *, whole: bool = True, show: Sequence[int] = ()
) -> FileMeasurement:
    """Everything that is wanted of one file.

    Args:
        whole: write the file as `vqc compress` does; else with the quick static tables, and its bytes do not count.
        show: qualities at which what was restored is kept.
    """
    codec: Codec[Any, Any] = open_codec(plan.media, plan.model, "cpu")
    restorer = with_perceptual_decoder(codec) if plan.sharp else codec
    signal = load(item, plan.media)
    measured = FileMeasurement(name=item.name, dimensions=signal.signal.size)
    if show:
        measured.original = signal
    for quality in plan.qualities:
        begin = time.perf_counter()
        data = compress(codec, signal, quality, plan.entropy if whole else "static", plan.effort)
        restored, measured.codes[quality] = decompress(restorer, data)
        measured.seconds[quality] = time.perf_counter() - begin
        bits = residual_bits(restorer, signal, restored, quality)
        if bits is not None:
            measured.residual_bits[quality] = bits
        scores = score(signal.signal, restored, signal.sample_rate, plan.metrics)
        size = len(data) if whole else 0
        measured.scores.append(
            FileScore(
                item=item.name,
                codec="vqc",
                setting=f"q{quality}",
                bytes=size,
                rate=8 * size / signal.units,
                scores=scores,
            )
        )
        if whole:
            measured.bytes[quality] = size
        if quality in show:
            ours = Version(codec="vqc", label="vqc", setting=f"q{quality}", bytes=size, scores=scores, signal=restored)
            measured.versions[quality] = [ours]
    if whole and plan.against:
        add_baselines(measured, signal, plan, show)
    return measured


def add_baselines(measured: FileMeasurement, item: Item, plan: MeasureOptions, show: Sequence[int]) -> None:
    """The other codecs on the same file, at the sizes of the model's files."""
    others = measure_item(item, plan.against, measured.bytes, plan.metrics, show=show)
    measured.scores += others.scores
    measured.notes += others.notes
    for (_, _, quality), version in others.versions.items():
        measured.versions[quality].append(version)


def compress(codec: Codec[Any, Any], item: Item, quality: int, entropy: str, effort: int | None = None) -> bytes:
    """A complete file."""
    if item.sample_rate is None:
        signal: Picture | Recording = Picture(item.signal, None)
    else:
        signal = Recording([item.signal[:, None]], item.sample_rate)
    return codec.compress(signal, quality=quality, entropy=entropy, rate=Rate(effort=effort))


def decompress(codec: Codec[Any, Any], data: bytes) -> tuple[NDArray[Any], CodeStatistics]:
    """The restored signal, uint8 [H, W, 3] or float32 [T], and its codes."""
    container = read_container(data)
    reader = codec.reader(container, keep=True)
    joined = codec.framing.join(reader)
    restored = joined.pixels if codec.model.media == "image" else np.concatenate(list(joined))[:, 0]
    codes = [np.ascontiguousarray(segment.codes) for segment in reader if segment.codes.size]
    return restored, CodeStatistics.of(codec.model, codes, container.header.quality)


def residual_bits(codec: Codec[Any, Any], item: Item, restored: NDArray[Any], quality: int) -> float | None:
    """-log2 p(x | codes) of the whole file; None where it is not defined.

    That is: the model has no likelihood, restores with its sharp decoder, or the file has another sample rate.
    """
    likelihood = codec.model.likelihood
    if likelihood is None:
        return None
    if item.sample_rate is None:
        both = [torch.from_numpy(np.array(x)).permute(2, 0, 1)[None].float() for x in (item.signal, restored)]
    elif item.sample_rate == codec.framing.model.sample_rate:
        levels = [np.clip(np.rint(x * SIXTEEN_BITS), -SIXTEEN_BITS, SIXTEEN_BITS - 1) for x in (item.signal, restored)]
        both = [torch.from_numpy(x.astype(np.float32) + SIXTEEN_BITS)[None, None] for x in levels]
    else:
        return None
    return float(likelihood.bits(both[0], both[1], quality).sum())
