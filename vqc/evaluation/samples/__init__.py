"""The small set inside the package on which models are measured when no data is named; README.md says what it is."""

from __future__ import annotations

from pathlib import Path

from vqc.data.benchmarks import Benchmark, open_benchmark, thumbnails
from vqc.models.files.header import ModelInfo

FOLDER = Path(__file__).parent
THUMBNAIL = 32  # pixels a side: what the paper's image models are for
PAPER_KINDS = ("image-vqvae", "image-maps")


def sample_set(model: ModelInfo) -> Benchmark:
    """Photographs, thumbnails of them for the paper's image models, or speech."""
    if model.media == "audio":
        return Benchmark("the samples", "audio", open_benchmark(str(FOLDER / "audio"), "audio").items)
    photos = open_benchmark(str(FOLDER / "images"), "image").items
    if model.kind in PAPER_KINDS:
        return Benchmark("the samples, thumbnails", "image", thumbnails(photos, THUMBNAIL))
    return Benchmark("the samples", "image", photos)
