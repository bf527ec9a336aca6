"""Results of an evaluation. Everything that prints, writes or draws reads these and nothing else.

::

    Evaluation ─┬─ curves ── points ── means of every metric         tables, plots
                ├─ qualities ── rates in bits per dimension, codes   tables, histograms
                ├─ examples ── versions                              pictures, players
                └─ notes                                             what was left out, and why
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.data.formats import MEDIA
from vqc.format.shapes import Media

Origin = Literal["vqc", "measured", "published"]


class Estimate(NamedTuple):
    """Mean over files with the half width of its 95 % confidence interval."""

    mean: float
    half_width: float  # 0 for a single file, and where a table gives the mean alone


@dataclass(frozen=True, kw_only=True)
class FileScore:
    """One file through one codec at one setting."""

    item: str  # name of the file in the data set
    codec: str  # "vqc", "jpeg", …
    setting: str  # "q5", "quality 37", "6 kbps"
    bytes: int  # of the whole file, container included
    rate: float  # bpp of images, kbps of audio, of these bytes
    scores: Mapping[str, float]  # by metric, see `vqc.metrics.catalogue`


@dataclass(frozen=True, kw_only=True)
class Point:
    """One codec at one setting: means over the files."""

    setting: str
    rate: float  # bpp or kbps: mean over the files
    files: int
    scores: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One codec at several settings, by rising rate."""

    codec: str
    label: str  # for people: "JPEG XL"
    origin: Origin  # this model, measured in this run, or from a table
    source: str  # version of the program, or where the table is from
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeMaps:
    """The code maps of one kind at one quality, all files together."""

    label: str  # as `CodecModel.describe_groups` calls them
    codes: int
    codebook_size: int  # of the largest codebook
    bits_per_code: float  # ideal, under the prior (or the static tables without one)
    perplexity: float  # mean over the maps of exp of the entropy of the histogram
    fraction_used: float  # mean over the maps of the share of entries that occur
    histogram: NDArray[np.int64]  # [codebook_size]: how often the n-th most frequent code occurs, summed over the maps


@dataclass(frozen=True, kw_only=True, eq=False)
class QualityResult:
    """The model at one quality, all files together."""

    quality: int
    files: int
    seconds: float  # of compressing and restoring, for all files
    rate_bpd: float  # bits of the actual files / dimensions
    ideal_bpd: float  # −log2 p(codes) / dimensions
    total_bpd: float | None  # + (−log2 p(x | codes)) / dimensions; None without a likelihood
    maps: tuple[CodeMaps, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Version:
    """A file as one codec restored it."""

    codec: str
    label: str
    setting: str
    bytes: int
    scores: Mapping[str, float]
    signal: NDArray[Any]  # uint8 [H, W, 3], or float32 [T]


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A file and what became of it at about the same size."""

    item: str
    original: NDArray[Any]  # uint8 [H, W, 3], or float32 [T]
    sample_rate: int | None  # of audio
    bytes: int  # of the original file
    versions: tuple[Version, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """A model on a data set, with the codecs that it was compared with."""

    media: Media
    model: str  # name
    digest: str
    info: Mapping[str, Any]  # what the file of the model says of itself
    data: str  # for people: "the 24 images of KODAK"
    dimensions: int  # values of all files: pixels × 3, or samples
    curves: tuple[Curve, ...]  # the model's first
    qualities: tuple[QualityResult, ...]
    files: tuple[FileScore, ...]
    examples: tuple[Example, ...] = ()
    run: Path | None = None  # folder of the training run, for its curves
    notes: tuple[str, ...] = ()  # what was left out, a sentence each
    bd_rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # metric → codec → percent

    @property
    def rate_unit(self) -> str:
        """The unit of `Point.rate`."""
        return MEDIA[self.media].unit
