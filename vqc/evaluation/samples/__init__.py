"""The small set inside the package on which models are measured when no data is named; README.md says what it is."""

from __future__ import annotations

from pathlib import Path

from vqc.data.benchmarks import Benchmark, open_benchmark, thumbnails
from vqc.models.files.header import ModelInfo
from vqc.models.kinds import kind_named

FOLDER = Path(__file__).parent
THUMBNAIL = 32  # pixels a side: what the paper's image models are for


def sample_set(model: ModelInfo) -> Benchmark:
    """Photographs, thumbnails of them for the paper's image models, or speech."""
    if model.media == "audio":
        return Benchmark("the samples", "audio", open_benchmark(str(FOLDER / "audio"), "audio").items)
    photos = open_benchmark(str(FOLDER / "images"), "image").items
    if kind_named(model.kind).wants_thumbnails:
        return Benchmark("the samples, thumbnails", "image", thumbnails(photos, THUMBNAIL))
    return Benchmark("the samples", "image", photos)
