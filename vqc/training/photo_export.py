"""From a trained photo model to one that can be shipped: idle code maps dropped, final dictionaries and tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from vqc.data.packs import ImagePack
from vqc.models.photo import MEANS, PhotoModel
from vqc.training.photo import centres

IDLE = 0.9998  # a code map in which one code is more frequent than this carries next to nothing


@torch.no_grad()
def refit(model: PhotoModel, images: list[Tensor]) -> list[list[Tensor]]:
    """One step of k-means on the dictionaries, probabilities included; returns the hits of each level and shape."""
    everything = []
    for level in range(model.qualities):
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
def without_idle_groups(model: PhotoModel, hits: list[list[Tensor]]) -> PhotoModel:
    """A copy without the code maps at the end of each quality that (nearly) never change.

    Their commonest entry becomes entry 0, in `model` too: that is what decoding takes for a map that was not sent.
    """
    groups = []
    for level, of_shapes in enumerate(hits):
        shares = torch.cat([(h.max(-1).values / h.sum(-1)) for h in of_shapes])
        busy = (shares < IDLE).nonzero().flatten()
        count = int(busy[-1]) + 1 if len(busy) else 0
        groups.append(MEANS + count)
        _put_commonest_first(model, level, of_shapes, count)
    trimmed = PhotoModel(dataclasses.replace(model.config, groups=tuple(groups)))
    state = {k: v for k, v in model.state_dict().items() if k != "static_table"}
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


def _put_commonest_first(model: PhotoModel, level: int, hits: list[Tensor], from_group: int) -> None:
    """Reorder the dictionaries of one level from a group on."""
    group = 0
    for i, of_shape in enumerate(hits):
        codebook = getattr(model.quantizer, f"codebook_{i}")[level]
        probability = getattr(model.quantizer, f"probability_{i}")[level]
        for g, counts in enumerate(of_shape):
            if group >= from_group:
                best = int(counts.argmax())
                codebook[g, [0, best]] = codebook[g, [best, 0]]
                probability[g, [0, best]] = probability[g, [best, 0]]
            group += 1


def sample_images(pack: ImagePack, photos: int, side: int = 384, seed: int = 1) -> list[Tensor]:
    """The centres of training photos, chosen at random."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(pack.training)[:photos]
    return list(centres(pack, [int(i) for i in chosen], side))
