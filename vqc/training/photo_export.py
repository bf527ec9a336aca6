"""From a trained photo model to one that can be shipped: idle code maps dropped, final dictionaries and tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from vqc.models.photo import MEANS, PhotoModel
from vqc.training.photo import PhotoData

IDLE = 0.9998  # a code map in which one code is more frequent than this carries next to nothing


@torch.no_grad()
def dictionary_statistics(model: PhotoModel, images: list[Tensor]) -> list[list[tuple[Tensor, Tensor]]]:
    """Hits [G, K] and sums [G, K, D] of each shape of the quantizer at each level on these images."""
    gathered = []
    for level in range(model.qualities):
        levels = torch.tensor([level])
        shapes = model.config.shapes
        sums = [
            (torch.zeros(g, k, dtype=torch.float64), torch.zeros(g, k, d, dtype=torch.float64)) for g, d, k in shapes
        ]
        for image in images:
            latents = model.latents(image, levels)
            means = model.mean_values(model.mean_codes(latents))
            rest = latents[:, MEANS:] - model.predicted(means, levels)
            rows = rest.permute(0, 2, 3, 1).flatten(0, 2)
            codes = model.quantizer.encode(rows, level)
            first_dim = first_group = 0
            for (hits, total), (groups, dims, _) in zip(sums, shapes, strict=True):
                z = (
                    rows[:, first_dim : first_dim + groups * dims]
                    .reshape(len(rows), groups, dims)
                    .transpose(0, 1)
                    .double()
                )
                k = codes[:, first_group : first_group + groups].T.contiguous()
                hits.scatter_add_(1, k, torch.ones(k.shape, dtype=torch.float64))
                total.scatter_add_(1, k[..., None].expand(-1, -1, dims), z.contiguous())
                first_dim, first_group = first_dim + groups * dims, first_group + groups
        gathered.append(sums)
    return gathered


@torch.no_grad()
def refit(model: PhotoModel, images: list[Tensor]) -> list[list[Tensor]]:
    """One step of k-means on the dictionaries, probabilities included; returns the hits of each level and shape."""
    everything = []
    for level, sums in enumerate(dictionary_statistics(model, images)):
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


def sample_images(data: PhotoData, photos: int, side: int = 384, seed: int = 1) -> list[Tensor]:
    """The centres of training photos, chosen at random."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(data.training)[:photos]
    return list(data.whole([int(i) for i in chosen], side))
