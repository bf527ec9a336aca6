"""Fréchet distance of two sets of features, each taken as a normal distribution (Heusel 2017, arXiv 1706.08500).

Zero where mean and covariance are the same. A set of few items has a distance above zero to any other, even of the
same source: compare sets of one size only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]


def frechet_distance(a: Features, b: Features) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of features [N, D] and [M, D], at least two of each."""
    if min(len(a), len(b)) < 2:
        raise ValueError("a covariance is of two items or more")
    means = a.mean(0) - b.mean(0)  # [D]
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b)]  # [D, D] each
    root = _root(covariances[0])
    # The eigenvalues of Σ_a Σ_b are those of Σ_a^½ Σ_b Σ_a^½, which is symmetric.
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    return max(0.0, float(means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared))


def _root(matrix: Features) -> Features:
    """The symmetric root [D, D] of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    root: Features = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root
