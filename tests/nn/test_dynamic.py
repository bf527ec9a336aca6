"""A dynamic codebook has as many entries as the data gives work to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vqc.nn.dynamic import DynamicVectorQuantizer


def clusters(count: int, *, noise: float = 0.05, dim: int = 4) -> Iterator[Tensor]:
    """Endless batches [1, D, 512] from equally likely places."""
    generator = torch.Generator().manual_seed(count)
    places = 3 * torch.randn(count, dim, generator=generator)
    while True:
        which = torch.randint(count, (512,), generator=generator)
        yield (places[which] + noise * torch.randn(512, dim, generator=generator)).T[None]


def trained(quantizer: DynamicVectorQuantizer, batches: Iterator[Tensor], steps: int) -> DynamicVectorQuantizer:
    for _, batch in zip(range(steps), batches, strict=False):
        quantizer(batch)
    return quantizer


def quantizer(entries: int, most: int, *, seed: int = 0) -> DynamicVectorQuantizer:
    torch.manual_seed(seed)
    return DynamicVectorQuantizer(entries, 4, most, decay=0.9)


def distortion(model: DynamicVectorQuantizer, batch: Tensor) -> float:
    return float((model.decode(model.encode(batch)) - batch).square().mean())


def test_it_grows_to_as_many_entries_as_there_are_clusters() -> None:
    data = clusters(60, noise=0.0)
    model = trained(quantizer(4, 500), data, 600)
    assert model.codebook_size == 60, "one entry a place: identical vectors cannot be split"
    assert model.recent_perplexity > 0.95 * 60
    assert distortion(model, next(data)) < 1e-6


def test_it_shrinks_to_as_many_entries_as_there_are_clusters() -> None:
    data = clusters(6, noise=0.0)
    model = trained(quantizer(64, 500), data, 300)
    assert model.codebook_size == 6
    assert model.recent_perplexity == pytest.approx(6, rel=0.05)


def test_it_grows_while_its_entries_are_used_alike_and_no_further_than_allowed() -> None:
    data = clusters(300)
    sizes = [trained(quantizer(8, most), data, 300).codebook_size for most in (8, 50, 400)]
    assert sizes[:2] == [8, 50]
    assert sizes[2] > 150


def test_a_split_lowers_the_distortion_and_keeps_the_usage() -> None:
    data = clusters(40)
    model = trained(quantizer(8, 64), data, 9)
    batch = next(data)
    before, usage = distortion(model, batch), float(model.ema_usage.sum())
    model._split(batch[0].T)
    assert model.codebook_size == 10
    assert distortion(model, batch) < before
    assert float(model.ema_usage.sum()) == pytest.approx(usage)
    torch.testing.assert_close(model.ema_sums, model.codebook * model.ema_usage[:, None])


def test_two_entries_remain_of_a_constant() -> None:
    constant = torch.ones(1, 4, 64)
    model = quantizer(16, 32)
    for _ in range(200):
        model(constant)
    assert model.codebook_size == 2
    assert distortion(model, constant) < 1e-6


def test_the_last_two_entries_are_revived_rather_than_removed() -> None:
    data = clusters(2, noise=0.0)
    model = quantizer(2, 2)
    model.codebook[1] = 1e3  # far from everything
    model.ema_sums[1] = 1e3 / 2
    trained(model, data, 60)
    assert model.codebook_size == 2
    assert model.recent_perplexity > 1.5
    assert distortion(model, next(data)) < 0.1, "one entry for both has 2.5"


def test_sizes_change_in_training_alone_and_only_when_due() -> None:
    data = clusters(60)
    model = quantizer(8, 64)
    sizes = []
    for _, batch in zip(range(25), data, strict=False):
        model(batch)
        sizes.append(model.codebook_size)
    changes = {step for step in range(1, 25) if sizes[step] != sizes[step - 1]}
    assert changes <= {10, 20}
    assert changes, "every tenth step, as far as averages of decay 0.9 reach"
    model.eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    trained(model, data, 30)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_a_resumed_codebook_goes_the_way_of_an_uninterrupted_one() -> None:
    batches = [batch for _, batch in zip(range(60), clusters(60), strict=False)]
    whole = trained(quantizer(4, 64), iter(batches), 60)
    first = trained(quantizer(4, 64), iter(batches), 33)
    second = quantizer(4, 64, seed=1)
    assert first.codebook_size != second.codebook_size
    second.load_state_dict(first.state_dict())
    torch.manual_seed(5)
    trained(second, iter(batches[33:]), 27)
    assert second.codebook_size == whole.codebook_size > first.codebook_size
    assert all(torch.equal(second.state_dict()[name], t) for name, t in whole.state_dict().items())


def test_a_state_that_is_too_large_or_of_other_vectors_is_refused() -> None:
    model = quantizer(4, 8)
    for other in (DynamicVectorQuantizer(9, 4, 9), DynamicVectorQuantizer(4, 5, 8)):
        with pytest.raises(RuntimeError, match="size mismatch"):
            model.load_state_dict(other.state_dict())


def test_the_fixed_codebook_holds_the_living_entries() -> None:
    data = clusters(6, noise=0.0)
    model = trained(quantizer(64, 64), data, 30)
    assert model.codebook_size > 6, "dead ones are still there"
    fixed = model.fixed()
    batch = next(data)
    assert fixed.codebook_size == 6
    torch.testing.assert_close(fixed.decode(fixed.encode(batch)), model.decode(model.encode(batch)))
    assert fixed.train()(batch).codes.max() < 6
    assert fixed.codebook_size == 6
