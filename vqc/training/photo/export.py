"""Export of trained photo models: last codebooks, dead entries pruned."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from vqc.data.datasets import ImageDataset
from vqc.models.photo.model import DC_COUNT, PhotoModel
from vqc.nn import ecvq_fit
from vqc.training.photo.task import centres
from vqc.training.stages import tracked

IDLE = 0.9998  # a code map in which one code is more frequent than this carries next to nothing


@torch.no_grad()
def refit(model: PhotoModel, images: list[Tensor]) -> list[list[Tensor]]:
    """Make one step of k-means on the codebooks; returns the counts [G, K] of each quality and shape."""
    everything = []
    for index in tracked(range(model.qualities)):
        rows = torch.cat([model.ac_rows(image, index + 1) for image in images])
        everything.append(ecvq_fit.refit(model.quantizer, rows, index))
    return everything


@torch.no_grad()
def without_idle_entries(model: PhotoModel, counts: list[list[Tensor]]) -> PhotoModel:
    """Return a copy without the entries that no block chose, nor the last code maps of a quality that never change.

    Entries are sorted by how often they were chosen, in `model` too. Entry 0, then the commonest, is what decoding
    takes for a map that was not sent.
    """
    groups, entries = [], []
    for index, of_shapes in enumerate(counts):
        shares = torch.cat([(h.max(-1).values / h.sum(-1)) for h in of_shapes])
        busy = (shares < IDLE).nonzero().flatten()
        count = int(busy[-1]) + 1 if len(busy) else 0
        groups.append(DC_COUNT + count)
        entries.append(model.quantizer.sort_by_usage(of_shapes, index, count))
    sizes = [max(of_shape) for of_shape in zip(*entries, strict=True)]
    shapes = tuple((n, dims, size) for (n, dims, _), size in zip(model.config.shapes, sizes, strict=True))
    config = dataclasses.replace(model.config, shapes=shapes, groups=tuple(groups), entries=tuple(entries))
    trimmed, state = PhotoModel(config), model.state_dict()
    del state["static_table"]
    state |= {f"quantizer.{name}": tensor for name, tensor in model.quantizer.truncated(sizes).items()}
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


@torch.no_grad()
def reseed_dead(model: PhotoModel, images: list[Tensor], latents: int = 60_000) -> None:
    """Give dead entries of every quality a place, by some of the latents of these images [1, 3, H, W]."""
    generator = torch.Generator().manual_seed(0)
    for index in tracked(range(model.qualities)):
        rows = torch.cat([model.ac_rows(image, index + 1) for image in images])
        drawn = torch.randperm(len(rows), generator=generator)[:latents]
        ecvq_fit.reseed_dead(model.quantizer, rows[drawn], index)


def sample_images(dataset: ImageDataset, photos: int, side: int = 384, seed: int = 1) -> list[Tensor]:
    """Draw training photos and return their centres, [1, 3, H, W] each."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(dataset.training)[:photos]
    return list(centres(dataset, [int(i) for i in chosen], side))
