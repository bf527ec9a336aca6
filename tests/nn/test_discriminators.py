"""What critics see, what hinges say, and that a critic can learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vqc.nn.discriminators import (
    Judgement,
    MultiResolutionDiscriminator,
    PatchDiscriminator,
    critic_hinge,
    decoder_hinge,
    feature_distance,
)


def judged(scores: list[float], *features: Tensor) -> Judgement:
    return Judgement(torch.tensor(scores)[:, None], features)


def test_hinges_of_known_scores() -> None:
    original, made = [judged([2.0, 0.5]), judged([-1.0, 1.0])], [judged([-3.0, 0.0]), judged([1.0, -1.0])]
    first = (0 + 0.5) / 2 + (0 + 1) / 2
    second = (2 + 0) / 2 + (2 + 0) / 2
    assert float(critic_hinge(original, made)) == pytest.approx((first + second) / 2)
    assert float(decoder_hinge(made)) == pytest.approx((1.5 + 0) / 2)


def test_features_are_compared_in_units_of_the_originals() -> None:
    a, b = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    distance = float((a - b).abs().mean() / a.abs().mean())
    for scale in (1.0, 100.0):
        found = feature_distance([judged([0.0], scale * a, a)], [judged([0.0], scale * b, a)])
        assert float(found) == pytest.approx(distance / 2, rel=1e-5)


def test_originals_are_not_moved_by_the_distance_of_features() -> None:
    a, b = (torch.randn(2, 3).requires_grad_() for _ in range(2))
    feature_distance([judged([0.0], a)], [judged([0.0], b)]).backward()
    assert a.grad is None
    assert b.grad is not None


@pytest.mark.parametrize(("layers", "seen"), [(1, 16), (2, 34), (3, 70)])
def test_a_score_sees_a_patch_of_pixels(layers: int, seen: int) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 136, 136, requires_grad=True)
    scores = PatchDiscriminator(width=4, strided_layers=layers)(image)[0].scores
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()[:, 0]
    assert int(rows[-1] - rows[0]) + 1 == seen


@pytest.mark.parametrize("critic", [PatchDiscriminator, MultiResolutionDiscriminator])
def test_a_critic_learns_to_tell_originals_from_reconstructions(critic: type[nn.Module]) -> None:
    torch.manual_seed(0)
    images = critic is PatchDiscriminator
    network = critic(width=8, strided_layers=1) if images else critic((64,), width=4)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)

    def pair() -> tuple[Tensor, Tensor]:
        """Noise, and noise without its high frequencies: what decoders leave out."""
        original = torch.rand(8, 3, 16, 16) if images else torch.randn(4, 512) * 0.3
        pool = nn.AvgPool2d(3, 1, 1) if images else nn.AvgPool1d(3, 1, 1)
        return original, pool(original)

    for _ in range(40):
        original, made = pair()
        loss = critic_hinge(network(original), network(made))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        original, made = ([j.scores for j in network(x)] for x in pair())
    assert min(float(scores.mean()) for scores in original) > 0.3
    assert max(float(scores.mean()) for scores in made) < -0.3
