"""Placing of the codebooks of a `GroupedECVQ`: entropy-constrained k-means, and a new place for dead entries.

Training moves codebooks a little at a time; this is what comes before it (a start) and after it (the export).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vqc.nn.ecvq import LATENTS_A_STEP, GroupedECVQ, assignment_sums, search, take

# Added to every count: less than one sighting, so that an entry which nothing chose stays dear (log2 of ten times the
# number of latents), but finite, and can come back.
_PSEUDO_COUNT = 0.1
_LAST_ROUNDS = 4  # of k-means alone: what was moved needs a few rounds to settle
_LEAST_SIGHTINGS = 4  # of an entry: the mean of fewer latents says less than what the entry was trained to be


@torch.no_grad()
def fit(quantizer: GroupedECVQ, latents: Tensor, index: int, *, iterations: int = 12, seed: int = 0) -> float:
    """Run entropy-constrained k-means of dictionary `index` on latents [N, dims]; returns the bits a latent.

    Starts from latents drawn at random, and in each group from the mean of all as entry 0.
    """
    generator, total = torch.Generator().manual_seed(seed), 0.0
    for shape, z in enumerate(quantizer.cut_latents(latents)):  # z: [G, N, D]
        size = quantizer.active_sizes[index][shape]
        drawn = torch.randperm(z.shape[1], generator=generator)[:size]
        codebook, bits = z[:, drawn].clone(), z.new_zeros(len(z), size)  # equal bits: first the nearest is chosen
        codebook[:, 0] = z.mean(1)
        for _ in range(iterations):
            counts, sums = assignment_sums(z, search(z, codebook, bits), size)
            codebook, bits = _update(codebook, counts, sums)
        total += _store(quantizer, shape, index, codebook, counts)
    return total / len(latents)


@torch.no_grad()
def reseed_dead(quantizer: GroupedECVQ, latents: Tensor, index: int, *, rounds: int = 12, seed: int = 0) -> float:
    """Move entries that none of the latents [N, dims] chooses to where one of their own would save most.

    Those are the large and rare values at the edge, which k-means from a random start leaves to the nearest entry
    there is. Drawn as k-means++ does (Arthur and Vassilvitskii 2007), by what they cost above the log₂ N bits of a
    code that is used once; k-means continues in between, and alone in the last rounds. Returns the bits a latent.
    """
    generator, total, once = torch.Generator().manual_seed(seed), 0.0, math.log2(len(latents))
    for shape, z in enumerate(quantizer.cut_latents(latents)):  # z: [G, N, D]
        codebook, bits = quantizer.codebook(shape, index).clone(), quantizer.bits(shape, index)
        size = bits.shape[1]
        moved = min(len(latents), -(-size // max(1, rounds - _LAST_ROUNDS)))  # entries a round, at most
        for left in range(rounds - 1, -1, -1):
            codes = search(z, codebook, bits)  # [G, N]
            counts, sums = assignment_sums(z, codes, size)
            codebook, bits = _update(codebook, counts, sums)
            if left >= _LAST_ROUNDS:
                cost = (z - take(codebook, codes)).square().sum(-1) + bits.gather(1, codes)  # [G, N]
                drawn = torch.multinomial((cost - once).clamp_min(1e-9), moved, generator=generator)  # [G, moved]
                rarest = counts.argsort(dim=-1, stable=True)[:, :moved]  # [G, moved]
                dead = (counts.gather(1, rarest) == 0) & (cost.gather(1, drawn) > once)
                entries = torch.where(dead[..., None], take(z, drawn), take(codebook, rarest))  # [G, moved, D]
                codebook.scatter_(1, rarest[..., None].expand_as(entries), entries)
                bits.scatter_(1, rarest, torch.where(dead, once, bits.gather(1, rarest)))
        total += _store(quantizer, shape, index, codebook, counts)
    return total / len(latents)


@torch.no_grad()
def refit(quantizer: GroupedECVQ, latents: Tensor, index: int) -> list[Tensor]:
    """Make one step of k-means, on all entries that enough of the latents [N, dims] choose.

    Returns the counts [G, K] of each shape. Unlike `fit` it leaves the moving averages as they are.
    """
    everything = []
    for shape, (counts, sums) in enumerate(quantizer.assignment_sums(latents, index)):
        codebook = quantizer.codebook(shape, index)
        codebook.copy_(_update(codebook, counts, sums, least=_LEAST_SIGHTINGS)[0])
        quantizer.probability(shape, index).copy_(_probability(counts))
        everything.append(counts)
    return everything


def _update(codebook: Tensor, counts: Tensor, sums: Tensor, *, least: int = 1) -> tuple[Tensor, Tensor]:
    """Return the next codebook [G, K, D] and bits [G, K]; entries with fewer than `least` latents stay in place."""
    means = sums / counts.clamp_min(1)[..., None]
    return torch.where((counts >= least)[..., None], means, codebook), -torch.log2(_probability(counts))


def _probability(counts: Tensor) -> Tensor:
    """Return smoothed shares [G, K] of counts [G, K]."""
    smoothed = counts + _PSEUDO_COUNT
    return smoothed / smoothed.sum(-1, keepdim=True)


def _store(quantizer: GroupedECVQ, shape: int, index: int, codebook: Tensor, counts: Tensor) -> float:
    """Write a codebook [G, K, D] and its usage [G, K] into a dictionary; returns the bits of all latents counted."""
    probability = _probability(counts)
    latents = counts.sum(-1, keepdim=True)  # [G, 1]
    quantizer.codebook(shape, index).copy_(codebook)
    quantizer.probability(shape, index).copy_(probability)
    quantizer.ema_count(shape, index).copy_(counts * (LATENTS_A_STEP / latents))
    return -float((counts * torch.log2(probability)).sum())
