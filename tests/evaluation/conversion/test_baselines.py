"""Conversions without training: what they do to distributions and to made-up voices."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_voices import pitch, spectrum, voice

from vqc.evaluation.conversion.baselines import (
    Transport,
    Warping,
    cluster,
    membership,
    optimal_map,
    pitch_ratio,
    transport,
)
from vqc.evaluation.conversion.spectral_voice import CEPSTRA


def covariance(seed: int, size: int = 5) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def test_the_optimal_map_takes_one_covariance_to_the_other() -> None:
    first, second = covariance(0), covariance(1)
    found = optimal_map(first, second)
    assert np.allclose(found @ first @ found, second)
    assert np.allclose(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.allclose(optimal_map(first, first), np.eye(5))


def test_clusters_are_found_alike_each_time() -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[-9.0, 0], [-3, 4], [3, -4], [9, 0]])
    points = np.concatenate([centre + generator.normal(0, 0.3, (50, 2)) for centre in centres])
    found = cluster(points)
    assert np.allclose(found[np.argsort(found[:, 0])], centres, atol=0.2)
    assert np.array_equal(found, cluster(points))
    shares = membership(points, found)
    assert np.allclose(shares.sum(1), 1)
    assert (shares.argmax(1) == np.square(points[:, None] - found).sum(2).argmin(1)).all()


def frames(seed: int, mean: float, spread: float) -> np.ndarray:
    found = np.random.default_rng(seed).normal(mean, spread, (600, CEPSTRA))
    found[:, 0] = np.random.default_rng(seed + 9).normal(-20, 2, 600)
    return found


def test_transported_envelopes_are_spread_like_the_targets() -> None:
    own, target = frames(0, 0.0, 1.0), frames(1, 1.5, 0.5)
    moved = transport(own, target)
    assert np.allclose(moved[:, 1:].mean(0), 1.5, atol=0.15)
    assert np.allclose(moved[:, 1:].std(0), 0.5, atol=0.15)
    assert moved[:, 0].mean() == pytest.approx(own[:, 0].mean(), abs=0.5)  # as loud as before


def test_what_is_silent_stays_silent() -> None:
    own, target = frames(0, 0.0, 1.0), frames(1, 1.5, 0.5)
    own[:100, 0] -= 100
    assert np.allclose(transport(own, target)[:100], own[:100])


def test_pitches_are_compared_where_there_are_any() -> None:
    low, high = voice(110, 900), voice(165, 900)
    assert pitch_ratio(low, high) == pytest.approx(1.5, rel=0.03)
    assert pitch_ratio(low, voice(350, 900)) == 2.5
    assert pitch_ratio(low, np.zeros(16_000, np.float32)) == 1.0


@pytest.mark.parametrize("kind", [Warping, Transport])
def test_a_voice_comes_nearer_to_another(kind: type[Warping] | type[Transport]) -> None:
    source, target = voice(120, 800, 1.203), voice(180, 1_300, 1.5)
    made = kind()(source, target)
    assert len(made) == len(source)
    assert pitch(made) == pytest.approx(180, rel=0.03)
    centres = []
    for clip in (source, made, target):
        power = spectrum(clip) ** 2
        centres.append(2 * (power * np.arange(len(power))).sum() / power.sum())
    assert abs(centres[1] - centres[2]) < 0.85 * abs(centres[0] - centres[2])
