"""The small set inside the package on which models are measured when no data is named; README.md says what it is."""

from __future__ import annotations

from pathlib import Path

from vqc.data.benchmarks import TestSet, open_test_set, thumbnails
from vqc.models.files.header import ModelInfo

FOLDER = Path(__file__).parent
THUMBNAIL = 32  # pixels a side: what the paper's image models are for
PAPER_KINDS = ("image-vqvae", "image-maps")


def sample_set(model: ModelInfo) -> TestSet:
    """Photographs, thumbnails of them for the paper's image models, or speech."""
    if model.media == "audio":
        return TestSet("the samples", "audio", open_test_set(str(FOLDER / "audio"), "audio").items)
    photos = open_test_set(str(FOLDER / "images"), "image").items
    if model.kind in PAPER_KINDS:
        return TestSet("the samples, thumbnails", "image", thumbnails(photos, THUMBNAIL))
    return TestSet("the samples", "image", photos)
