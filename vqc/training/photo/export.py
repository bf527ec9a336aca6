"""From a trained photo model to one that can be shipped: last dictionaries and tables, nothing idle; and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from vqc.data.datasets import ImagePack
from vqc.models.photo.model import MEANS, PhotoModel
from vqc.training.idle_entries import busy_first, cut_entries, largest
from vqc.training.photo.task import centres
from vqc.training.stages import tracked

IDLE = 0.9998  # a code map in which one code is more frequent than this carries next to nothing


@torch.no_grad()
def refit(model: PhotoModel, images: list[Tensor]) -> list[list[Tensor]]:
    """One step of k-means on the dictionaries, probabilities included; returns the hits of each level and shape."""
    everything = []
    for level in tracked(range(model.qualities)):
        rows = torch.cat([model.mean_codes_and_rest(image, level + 1)[1] for image in images])
        sums = model.quantizer.statistics(rows, level)
        everything.append([hits for hits, _ in sums])
        for i, (hits, total) in enumerate(sums):
            used = hits >= 4  # too few to tell a mean
            mean = (total / hits.clamp_min(1)[..., None]).float()
            codebook = getattr(model.quantizer, f"codebook_{i}")[level]
            codebook.copy_(torch.where(used[..., None], mean, codebook))
            smoothed = hits + 0.1
            getattr(model.quantizer, f"probability_{i}")[level].copy_(smoothed / smoothed.sum(-1, keepdim=True))
    return everything


@torch.no_grad()
def without_idle_entries(model: PhotoModel, hits: list[list[Tensor]]) -> PhotoModel:
    """A copy without the entries that no block took, and the code maps at the end of each quality that never change.

    Entries are sorted by how often they were taken, in `model` too. Entry 0, then the commonest, is what decoding
    takes for a map that was not sent.
    """
    groups, entries = [], []
    for level, of_shapes in enumerate(hits):
        shares = torch.cat([(h.max(-1).values / h.sum(-1)) for h in of_shapes])
        busy = (shares < IDLE).nonzero().flatten()
        count = int(busy[-1]) + 1 if len(busy) else 0
        groups.append(MEANS + count)
        entries.append(busy_first(model.quantizer, level, of_shapes, count))
    sizes = largest(entries)
    shapes = tuple((n, dims, size) for (n, dims, _), size in zip(model.config.shapes, sizes, strict=True))
    config = dataclasses.replace(model.config, shapes=shapes, groups=tuple(groups), entries=tuple(entries))
    trimmed, state = PhotoModel(config), model.state_dict()
    del state["static_table"]
    cut_entries(state, "quantizer.", model.quantizer, sizes)
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


@torch.no_grad()
def occupy(model: PhotoModel, images: list[Tensor], latents: int = 60_000) -> None:
    """Give idle entries of every quality a place, by some of the latents of these images [1, 3, H, W]."""
    generator = torch.Generator().manual_seed(0)
    for level in tracked(range(model.qualities)):
        rows = torch.cat([model.mean_codes_and_rest(image, level + 1)[1] for image in images])
        model.quantizer.occupy(rows[torch.randperm(len(rows), generator=generator)[:latents]], level)


def sample_images(pack: ImagePack, photos: int, side: int = 384, seed: int = 1) -> list[Tensor]:
    """The centres of training photos, chosen at random."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(pack.training)[:photos]
    return list(centres(pack, [int(i) for i in chosen], side))
