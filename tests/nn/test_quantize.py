"""Each equation of the quantizer against NumPy, and what must hold of its codebook."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.nn.quantize import VectorQuantizer, kmeans

K, D = 7, 3


def latents(seed: int = 0, *, batch: int = 2, side: int = 5) -> Tensor:
    return torch.randn(batch, D, side, side, generator=torch.Generator().manual_seed(seed))


def vectors(z: Tensor) -> np.ndarray:
    """[B, D, ...] → [N, D] in float64."""
    return z.detach().movedim(1, -1).reshape(-1, D).double().numpy()


def squared_distances(z: np.ndarray, e: np.ndarray) -> np.ndarray:
    return ((z[:, None] - e[None]) ** 2).sum(-1)


@pytest.fixture
def quantizer() -> VectorQuantizer:
    torch.manual_seed(1)
    return VectorQuantizer(K, D)


def test_equation_1_the_nearest_entry_is_chosen(quantizer: VectorQuantizer) -> None:
    z = latents()
    oracle = squared_distances(vectors(z), quantizer.codebook.double().numpy()).argmin(1)
    assert quantizer.eval()(z).codes.flatten().tolist() == oracle.tolist()
    assert quantizer.encode(z).flatten().tolist() == oracle.tolist()


def test_equation_2_outputs_are_the_chosen_entries(quantizer: VectorQuantizer) -> None:
    out = quantizer.eval()(latents())
    torch.testing.assert_close(out.quantized, quantizer.decode(out.codes))
    torch.testing.assert_close(out.quantized[1, :, 2, 3], quantizer.codebook[out.codes[1, 2, 3]])


def test_equation_2_the_straight_through_gradient_is_the_identity(quantizer: VectorQuantizer) -> None:
    z = latents().requires_grad_()
    weight = torch.randn(z.shape)
    (quantizer(z).quantized * weight).sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad, weight)


@pytest.mark.parametrize("beta", [0.0, 0.25, 2.0])
def test_equation_3_with_a_learned_codebook(beta: float) -> None:
    torch.manual_seed(1)
    quantizer = VectorQuantizer(K, D, update="loss", commitment_weight=beta, revive_below=0.0)
    z = latents().requires_grad_()
    out = quantizer(z)
    out.loss.backward()
    points, entries = vectors(z), quantizer.codebook.detach().double().numpy()
    codes = squared_distances(points, entries).argmin(1)
    gap = points - entries[codes]
    assert out.loss.item() == pytest.approx((1 + beta) * (gap**2).mean(), rel=1e-5)
    # sg: the first term moves entries alone, the second latents alone.
    to_entries = np.zeros_like(entries)
    np.add.at(to_entries, codes, -2 * gap / gap.size)
    np.testing.assert_allclose(quantizer.codebook.grad.numpy(), to_entries, atol=1e-6)  # type: ignore[union-attr]
    np.testing.assert_allclose(vectors(z.grad), 2 * beta * gap / gap.size, atol=1e-6)  # type: ignore[arg-type]


def test_equation_3_with_moving_averages_is_the_commitment_alone(quantizer: VectorQuantizer) -> None:
    z = latents()
    gap = vectors(z) - vectors(quantizer.eval()(z).quantized)
    assert float(quantizer.eval()(z).loss) == pytest.approx(0.25 * (gap**2).mean(), rel=1e-5)


def test_moving_averages_follow_their_equations() -> None:
    torch.manual_seed(1)
    quantizer = VectorQuantizer(K, D, decay=0.9, revive_below=0.0)
    entries = quantizer.codebook.double().numpy().copy()
    usage, sums = np.full(K, 1 / K), entries / K
    for step in range(5):
        z = vectors(latents(step))
        codes = squared_distances(z, entries).argmin(1)
        usage = 0.9 * usage + 0.1 * np.bincount(codes, minlength=K) / len(z)
        total = np.zeros_like(sums)
        np.add.at(total, codes, z)
        sums = 0.9 * sums + 0.1 * total / len(z)
        entries = sums / usage[:, None]
        quantizer(latents(step))
        np.testing.assert_allclose(quantizer.codebook.numpy(), entries, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(quantizer.code_bits.numpy(), -np.log2(usage / usage.sum()), rtol=1e-4)


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_nothing_moves_in_evaluation(update: str) -> None:
    quantizer = VectorQuantizer(K, D, update=update).eval()  # type: ignore[arg-type]
    before = {name: t.clone() for name, t in quantizer.state_dict().items()}
    for seed in range(3):
        quantizer(latents(seed) + 5)
    assert all(torch.equal(before[name], t) for name, t in quantizer.state_dict().items())


def test_entropy_constrained_codes_minimise_distortion_plus_rate() -> None:
    torch.manual_seed(1)
    quantizer = VectorQuantizer(K, D, rate_weight=0.8).eval()
    usage = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.05, 0.04, 0.01])
    quantizer._set_usage(usage)
    z = latents(batch=4)
    cost = squared_distances(vectors(z), quantizer.codebook.double().numpy()) - 0.8 * np.log2(usage.double().numpy())
    codes = quantizer.encode(z).flatten().numpy()
    assert codes.tolist() == cost.argmin(1).tolist()
    plain = squared_distances(vectors(z), quantizer.codebook.double().numpy()).argmin(1)
    assert np.log2(usage.numpy())[codes].sum() > np.log2(usage.numpy())[plain].sum(), "the rate went down"


def test_perplexity_and_bits_of_known_histograms(quantizer: VectorQuantizer) -> None:
    quantizer.eval()
    e = quantizer.codebook
    even = e.T[None, :, :, None]  # every entry once
    assert float(quantizer(even).perplexity) == pytest.approx(K, rel=1e-5)
    assert float(quantizer(even).bits) == pytest.approx(math.log2(K), rel=1e-5)
    one = e[:1].T[None, :, :, None].expand(1, D, 9, 1)
    assert float(quantizer(one).perplexity) == pytest.approx(1)
    half = e[[0, 0, 1, 1]].T[None, :, :, None]
    assert float(quantizer(half).perplexity) == pytest.approx(2, rel=1e-5)


def test_dead_entries_are_revived_onto_latents() -> None:
    torch.manual_seed(1)
    quantizer = VectorQuantizer(K, D, decay=0.5)
    with torch.no_grad():
        quantizer.codebook[3:] = 1e3  # far from everything
        quantizer.ema_sums[3:] = 1e3 / K
    used = [float(quantizer(latents(step, batch=8)).fraction_used) for step in range(12)]
    assert min(used) == 1.0, "an entry is revived in the step in which it dies"
    assert float(quantizer.codebook.abs().max()) < 10
    codes = quantizer.eval().encode(latents(99, batch=8))
    assert len(codes.unique()) == K


def test_dead_entries_are_reported_in_evaluation(quantizer: VectorQuantizer) -> None:
    quantizer._set_usage(torch.tensor([0.5, 0.5, 0, 0, 0, 0, 0]))
    assert float(quantizer.eval()(latents()).fraction_used) == pytest.approx(2 / 7)


def test_equal_batches_make_equal_codebooks_whatever_the_global_generator() -> None:
    books = []
    for seed in (10, 20):
        torch.manual_seed(1)
        quantizer = VectorQuantizer(K, D, decay=0.5)
        torch.manual_seed(seed)
        for step in range(8):
            quantizer(latents(step) * (step % 3))
        books.append(quantizer.codebook)
    assert torch.equal(*books)


def test_kmeans_finds_separate_clusters() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    points = truth.repeat(50, 1) + 0.1 * torch.randn(150, 2, generator=generator)
    centres, counts = kmeans(points, 3, iterations=10, seed=3)
    assert counts.tolist() == [50, 50, 50]
    order = torch.cdist(truth, centres).argmin(1)
    torch.testing.assert_close(centres[order], truth, atol=0.1, rtol=0)


def test_kmeans_needs_as_many_vectors_as_clusters() -> None:
    with pytest.raises(ValueError, match="as many vectors"):
        kmeans(torch.zeros(3, 2), 4)


def test_initialisation_lowers_the_distortion_and_survives_a_training_step(quantizer: VectorQuantizer) -> None:
    z = latents(batch=16)
    before = float(quantizer.eval()(z).loss)
    quantizer.initialise(z.movedim(1, -1).reshape(-1, D))
    placed = quantizer.codebook.clone()
    after = float(quantizer(z).loss)
    assert after < 0.7 * before
    quantizer.train()(z)
    torch.testing.assert_close(quantizer.codebook, placed, atol=0.02, rtol=0)


def test_training_goes_on_from_the_exported_tensors(quantizer: VectorQuantizer) -> None:
    """What a model file holds, entries and code lengths, is enough to follow on without a jump."""
    for step in range(20):
        quantizer(latents(step))
    fresh = VectorQuantizer(K, D)
    exported = {name: t for name, t in quantizer.state_dict().items() if not name.startswith("ema_")}
    fresh.load_state_dict(exported, strict=False)
    fresh.reset_ema()
    torch.testing.assert_close(fresh.ema_usage, quantizer.ema_usage / quantizer.ema_usage.sum(), atol=1e-4, rtol=0)
    quantizer(latents(20))
    fresh(latents(20))
    torch.testing.assert_close(fresh.codebook, quantizer.codebook, atol=2e-3, rtol=0)


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_autocast_leaves_the_quantizer_in_float32(update: Literal["ema", "loss"]) -> None:
    """Distances and moving averages in bfloat16 would choose other entries, and small changes would be lost."""
    torch.manual_seed(1)
    plain, autocast = (VectorQuantizer(K, D, update=update) for _ in range(2))
    autocast.load_state_dict(plain.state_dict())
    z = latents().bfloat16()
    rows = z.movedim(1, -1).reshape(-1, D)
    expected = plain(z.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = autocast(z)
        autocast.initialise(rows, seed=1)
    plain.initialise(rows.float(), seed=1)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    assert all(
        torch.equal(a, b) for a, b in zip(plain.state_dict().values(), autocast.state_dict().values(), strict=True)
    )
