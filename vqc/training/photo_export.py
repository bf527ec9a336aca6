"""From a trained photo model to one that can be shipped: last dictionaries and tables, nothing idle; and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

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
        entries.append(tuple(_taken(of_shapes, count)))
        for i, of_shape in enumerate(hits[level]):
            _sort_entries(model, i, level, of_shape.argsort(dim=-1, descending=True, stable=True))
    largest = [max(of_shape) for of_shape in zip(*entries, strict=True)]
    shapes = tuple((n, dims, size) for (n, dims, _), size in zip(model.config.shapes, largest, strict=True))
    config = dataclasses.replace(model.config, shapes=shapes, groups=tuple(groups), entries=tuple(entries))
    trimmed, state = PhotoModel(config), model.state_dict()
    del state["static_table"]
    for name in model.quantizer.state_dict():
        state[f"quantizer.{name}"] = state[f"quantizer.{name}"][:, :, : largest[int(name.rpartition("_")[2])]]
    trimmed.load_state_dict(state, strict=False)
    return trimmed.eval()


def _taken(hits: list[Tensor], groups: int) -> Iterator[int]:
    """How many entries of each shape [G, K] were taken, at most of the groups that are sent; at least one."""
    for of_shape in hits:
        sent = of_shape[:groups]
        groups = max(0, groups - len(of_shape))
        yield max(1, int((sent > 0).sum(-1).max())) if len(sent) else 1


def _sort_entries(model: PhotoModel, shape: int, level: int, order: Tensor) -> None:
    """Reorder the dictionaries of one shape and level by indices [G, K]."""
    codebook = getattr(model.quantizer, f"codebook_{shape}")[level]
    codebook.copy_(codebook.gather(1, order[..., None].expand_as(codebook)))
    probability = getattr(model.quantizer, f"probability_{shape}")[level]
    probability.copy_(probability.gather(1, order))


@torch.no_grad()
def pad_entries(weights: dict[str, Tensor], model: PhotoModel) -> None:
    """Undo the end of `without_idle_entries` in the weights of a model that is to train on as `model`: the entries
    that were left out are there again, where nothing takes them."""
    for name, like in model.quantizer.state_dict().items():
        own = weights[f"quantizer.{name}"]
        weights[f"quantizer.{name}"] = torch.cat([own, torch.zeros_like(like)[:, :, own.shape[2] :]], 2)


def sample_images(pack: ImagePack, photos: int, side: int = 384, seed: int = 1) -> list[Tensor]:
    """The centres of training photos, chosen at random."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(pack.training)[:photos]
    return list(centres(pack, [int(i) for i in chosen], side))
