"""The projection and the codebook of a phones model, found without labels and without a network.

Frames are clustered, first by their cepstra; then, again and again, projected to the few dimensions in which the
clusters lie far apart for their width (linear discriminant analysis with clusters in place of phones: Heck, Sakti and
Nakamura 2016, "Unsupervised linear discriminant analysis for supporting DPGMM clustering in the zero resource
scenario"), each utterance moved towards the clusters (`adapt_to_codebook` of the model), and clustered again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.models.phones.model import PhonesModel, adapt_to_codebook, subtract_mean
from vqc.nn.quantize import kmeans

KEPT = 120  # principal components of a frame and those around it
_CEPSTRA = 13
_ROUNDS_ALONE, _ROUNDS_FITTED = 2, 3  # of projection and clustering, without and with the fit to the speaker
_EVERY = 4  # frames between those that k-means sees
_ITERATIONS = 10


@torch.no_grad()
def place(model: PhonesModel, waveforms: Sequence[Tensor], *, seed: int = 0) -> None:
    """Set projection, codebook and average spectrum of a model from utterances [1, T]."""
    size = model.config.codebook_size
    spectra = [model.log_mel(x) for x in waveforms]
    model.average.copy_(torch.cat([s[0] for s in spectra]).mean(0))
    seen = torch.cat([model.context(s)[0, ::_EVERY] for s in spectra])
    model.mean.copy_(seen.mean(0))
    axes = torch.linalg.eigh(torch.cov((seen - model.mean).T.double())).eigenvectors.flip(1)[:, :KEPT].float()
    utterances = [(model.context(s)[0] - model.mean) @ axes for s in spectra]
    labels, codebook = clusters(torch.cat([cepstra(subtract_mean(s)[0]) for s in spectra]), size, seed)
    for turn in range(_ROUNDS_ALONE + _ROUNDS_FITTED):
        projection = discriminant(torch.cat(utterances), labels, size, model.config.codebook_dim)
        places = [frames @ projection for frames in utterances]
        model.projection.copy_(axes @ projection)
        model.quantizer.codebook.copy_(means(torch.cat(places), labels, size))
        if turn == _ROUNDS_ALONE:
            warps = [model.fit_speaker(s[0]).warp for s in spectra]
            utterances = [(model.context(s, w)[0] - model.mean) @ axes for s, w in zip(spectra, warps, strict=True)]
            places = [frames @ projection for frames in utterances]
        if turn >= _ROUNDS_ALONE:
            places = [adapt_to_codebook(frames, model.quantizer.codebook) for frames in places]
        labels, codebook = clusters(torch.cat(places), size, seed + turn + 1)
    model.quantizer.codebook.copy_(codebook)


def cepstra(frames: Tensor) -> Tensor:
    """Cepstral coefficients of log-mel frames [N, mels], with first and second differences; unit variances: [N, 39]."""
    mels = frames.shape[1]
    basis = torch.cos(torch.pi / mels * (torch.arange(mels) + 0.5)[:, None] * torch.arange(_CEPSTRA))
    now = frames @ basis
    change = slope(now)
    bend = slope(change)
    together = torch.cat([now, change, bend], 1)
    together = together - together.mean(0)
    return together / together.square().mean(0).sqrt().clamp_min(1e-6)


def slope(values: Tensor) -> Tensor:
    """Slope of the line through five values in time, at each of [N, C]."""
    padded = F.pad(values.T[None], (2, 2), mode="replicate")[0].T
    return (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10


def clusters(vectors: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Cluster vectors [N, D]; returns the cluster of each [N], and the centres [count, D]."""
    centres, _ = kmeans(vectors[::_EVERY].contiguous(), count, iterations=_ITERATIONS, seed=seed)
    return torch.addmm(centres.square().sum(1), vectors, centres.T, alpha=-2).argmin(1), centres


def means(vectors: Tensor, labels: Tensor, count: int) -> Tensor:
    """The mean of each class [count, D] of vectors [N, D]; zero for a class without any."""
    sizes = torch.bincount(labels, minlength=count).clamp_min(1)[:, None]
    return torch.zeros(count, vectors.shape[1], dtype=vectors.dtype).index_add_(0, labels, vectors) / sizes


def discriminant(vectors: Tensor, labels: Tensor, count: int, dims: int) -> Tensor:
    """The projection [D, dims] that makes classes of vectors [N, D] far apart and, on average, round."""
    x = vectors[::2].double()
    rest = x - means(x, labels[::2], count)[labels[::2]]
    within = rest.T @ rest / len(x)
    between = torch.cov(x.T) - within
    root = torch.linalg.cholesky(within + 1e-4 * torch.eye(len(within), dtype=x.dtype))
    half = torch.linalg.solve_triangular(root, between, upper=False)
    whitened = torch.linalg.solve_triangular(root, half.T, upper=False)
    best = torch.linalg.eigh(whitened).eigenvectors.flip(1)[:, :dims]
    found: Tensor = torch.linalg.solve_triangular(root.T, best, upper=True).float()
    return found
