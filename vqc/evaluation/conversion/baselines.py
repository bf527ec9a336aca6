"""Conversions that need no training: what a model has to be better than.

`Warping` shifts the pitch to the target's and scales the frequencies of the envelope by one factor that follows from
it. `Transport` also maps the envelope, in a few clusters of sounds, so that its mean and covariance become the
target's: the linear map that moves one normal distribution to another at least cost (Monge–Kantorovich), as MKL-VC does
it with the features of a large network (arXiv 2506.09709).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.evaluation.conversion.spectral_voice import BANDS, Cepstra, Clip, Envelopes, shift_pitch, warped
from vqc.nn.pitch import PITCH_HOP, pitch_hz, track_pitch

TRACT = 1 / 3  # to this power of the ratio of pitches formants differ, between men and women about a sixth
QUIET = 5.0 * math.sqrt(BANDS)  # of the first cepstrum below the loudest frame, where speech ends: 22 dB
CLUSTERS, ROUNDS = 4, 20  # of sounds; of k-means
WEIGHT_OF_ALL = 150.0  # frames of all sounds that stand beside those of a cluster in its covariance
MOST_SHIFT = 2.5  # times the pitch, or that part of it

Array = NDArray[np.float64]


class Warping:
    """Pitch, and one factor for all frequencies of the envelope."""

    def __init__(self) -> None:
        self.envelopes = Envelopes()

    def __call__(self, source: Clip, reference: Clip) -> Clip:
        """The source [T] with pitch and length of vocal tract of the reference [R], at 16 kHz."""
        ratio = pitch_ratio(source, reference)
        factor = ratio**TRACT
        shifted = shift_pitch(source, ratio)
        own = self.envelopes.at_bins(self.envelopes.of(shifted))
        return self.envelopes.filtered(shifted, warped(own, factor / ratio) - own)


class Transport:
    """Pitch, and the mean and covariance of the envelope in each cluster."""

    def __init__(self) -> None:
        self.envelopes = Envelopes()

    def __call__(self, source: Clip, reference: Clip) -> Clip:
        """The source [T] with pitch and distribution of envelopes of the reference [R], at 16 kHz."""
        own, target = self.envelopes.of(source), self.envelopes.of(reference)
        shifted = shift_pitch(source, pitch_ratio(source, reference))
        return self.envelopes.with_envelope(shifted, transport(own, target))


def pitch_ratio(source: Clip, reference: Clip) -> float:
    """Of the medians of the pitch; 1 where one of them has none."""
    heights = []
    for clip in (source, reference):
        padded = torch.from_numpy(np.pad(clip, (0, -len(clip) % PITCH_HOP)).astype(np.float32))
        hz = pitch_hz(track_pitch(padded[None])[0]).numpy()
        heights.append(float(np.median(hz[hz > 0])) if (hz > 0).any() else math.nan)
    ratio = heights[1] / heights[0]
    return min(max(ratio, 1 / MOST_SHIFT), MOST_SHIFT) if math.isfinite(ratio) else 1.0


def transport(own: Cepstra, target: Cepstra) -> Cepstra:
    """Envelopes [frames, 22] moved so that those of speech are distributed like the target's [others, 22].

    Loudness keeps its own mean. What is quiet moves the less the quieter it is.
    """
    own_speech, target_speech = _speech(own), _speech(target)
    scales = [(part.mean(0), part.std(0) + 1e-6) for part in (own_speech, target_speech)]
    level = [(part - mean) / scale for part, (mean, scale) in zip((own_speech, target_speech), scales, strict=True)]
    centres = cluster(np.concatenate(level))
    posteriors = [membership(part, centres) for part in level]
    everywhere = membership((own - scales[0][0]) / scales[0][1], centres)  # [frames, clusters]
    whole = [_covariance(part, np.ones(len(part)))[1] for part in (own_speech, target_speech)]
    moved = np.zeros_like(own)
    for k in range(len(centres)):
        (m, a), (n, b) = (
            _covariance(part, weights[:, k], around)
            for part, weights, around in zip((own_speech, target_speech), posteriors, whole, strict=True)
        )
        n[0] += scales[0][0][0] - scales[1][0][0]
        moved += everywhere[:, k, None] * (n + (own - m) @ optimal_map(a, b))
    share = (2 - (own[:, 0].max() - own[:, 0]) / QUIET).clip(0, 1)[:, None]
    mixed: Cepstra = share * moved + (1 - share) * own
    return mixed


def optimal_map(source: Array, target: Array) -> Array:
    """The symmetric matrix A with A · source · A = target, of two covariances (Olkin and Pukelsheim 1982)."""
    root, inverse = _root(source, 0.5), _root(source, -0.5)
    found: Array = inverse @ _root(root @ target @ root, 0.5) @ inverse
    return found


def cluster(points: Array) -> Array:
    """Centres [k, D] of points [N, D] by k-means, from quantiles of the first principal component: no chance in it."""
    axis = np.linalg.svd(points - points.mean(0), full_matrices=False)[2][0]
    order = np.argsort(points @ axis, kind="stable")
    centres = np.stack([points[part].mean(0) for part in np.array_split(order, min(CLUSTERS, len(points)))])
    for _ in range(ROUNDS):
        nearest = _distances(points, centres).argmin(1)
        centres = np.stack(
            [points[nearest == k].mean(0) if (nearest == k).any() else old for k, old in enumerate(centres)]
        )
    return centres


def membership(points: Array, centres: Array) -> Array:
    """How much each point is of each cluster, [N, k], in sum 1: softer the more dimensions there are."""
    distance = _distances(points, centres)
    closeness = np.exp(-(distance - distance.min(1, keepdims=True)) / (0.25 * points.shape[1]))
    shares: Array = closeness / closeness.sum(1, keepdims=True)
    return shares


def _distances(points: Array, centres: Array) -> Array:
    squares: Array = np.square(points[:, None] - centres).sum(2)
    return squares


def _speech(cepstra: Cepstra) -> Cepstra:
    """The frames that are not quiet."""
    speech: Cepstra = cepstra[cepstra[:, 0] > cepstra[:, 0].max() - QUIET]
    return speech


def _covariance(points: Array, weights: Array, around: Array | None = None) -> tuple[Array, Array]:
    """Weighted mean [D] and covariance [D, D], the latter drawn towards another one where there are few points."""
    total = weights.sum() + 1e-9
    mean: Array = weights @ points / total
    centred = points - mean
    found: Array = (centred * weights[:, None]).T @ centred
    if around is None:
        return mean, found / total + 1e-4 * np.eye(points.shape[1])
    return mean, (found + WEIGHT_OF_ALL * around) / (total + WEIGHT_OF_ALL)


def _root(matrix: Array, power: float) -> Array:
    """A power of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: Array = (vectors * np.maximum(values, 1e-9) ** power) @ vectors.T
    return root
