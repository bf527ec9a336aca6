"""The grouped quantizer against the equations it stands for."""

import numpy as np
import torch

from vqc.nn import ecvq_fit
from vqc.nn.ecvq import GroupedECVQ, Tilts

GROUPS = ((2, 1, 8), (3, 2, 4))


def quantizer(seed: int = 0) -> GroupedECVQ:
    torch.manual_seed(seed)
    vq = GroupedECVQ(GROUPS, qualities=2)
    for i, (count, dims, size) in enumerate(GROUPS):
        vq.whole_codebooks()[i].copy_(torch.randn(2, count, size, dims))
        getattr(vq, f"probability_{i}").copy_(torch.rand(2, count, size).softmax(-1))
    return vq


def test_code_minimises_squared_error_plus_bits() -> None:
    vq = quantizer()
    latents = torch.randn(50, vq.dims)
    codes = vq.encode(latents, 1).numpy()
    column, start = 0, 0
    for i, (count, dims, _) in enumerate(GROUPS):
        for g in range(count):
            z = latents[:, start : start + dims].numpy()
            entries = vq.codebook(i, 1)[g].numpy()
            bits = -np.log2(vq.probability(i, 1)[g].numpy())
            cost = ((z[:, None] - entries) ** 2).sum(-1) + bits
            np.testing.assert_array_equal(codes[:, column], cost.argmin(1))
            column, start = column + 1, start + dims


def test_tilts_are_added_to_the_bits_of_their_position() -> None:
    vq = quantizer()
    latents, bits = torch.randn(50, vq.dims), 3 * torch.rand(5, 8)
    count, _, size = GROUPS[0]
    tilts = Tilts(torch.randn(count, 50, 3), torch.randn(count, 3, size))  # of the first shape only
    codes = vq.encode(latents, 1, bits=bits, tilts=[tilts])
    for g in range(count):
        tilt = tilts.coefficients[g] @ tilts.features[g]  # [N, K]
        cost = (latents[:, g, None] - vq.entries(g, 1)[:, 0]).square() + bits[g] + tilt
        assert torch.equal(codes[:, g], cost.argmin(1))
    plain = vq.encode(latents, 1, bits=bits)
    assert torch.equal(codes[:, count:], plain[:, count:])
    assert not torch.equal(codes[:, :count], plain[:, :count])


def test_decode_gives_the_entries_and_encode_finds_them_again_at_equal_bits() -> None:
    vq = quantizer()
    for i, (_, _, size) in enumerate(GROUPS):
        getattr(vq, f"probability_{i}").fill_(1 / size)
    codes = torch.stack([torch.randint(size, (20,)) for size in vq.sizes[0]], 1)
    assert torch.equal(vq.encode(vq.decode(codes, 0), 0), codes)


def test_entries_that_a_dictionary_does_not_use_are_as_if_they_were_not_there() -> None:
    torch.manual_seed(1)
    used = GroupedECVQ(GROUPS, qualities=2, active_sizes=[(8, 4), (5, 3)])
    used.load_state_dict(quantizer().state_dict())
    latents = torch.randn(400, used.dims)
    assert used.sizes[0] == (8, 8, 4, 4, 4)
    assert used.sizes[1] == (5, 5, 3, 3, 3)
    assert torch.equal(used.encode(latents, 0), quantizer().encode(latents, 0))
    codes = used.encode(latents, 1)
    assert (codes.amax(0) < torch.tensor([5, 5, 3, 3, 3])).all()
    far = quantizer()
    far.codebook_0[1, :, 5:] = 1e3
    far.codebook_1[1, :, 3:] = 1e3
    assert torch.equal(codes, far.encode(latents, 1))
    before = used.codebook_0.clone()
    used.train()(latents, 1)
    assert torch.equal(used.codebook_0[1, :, 5:], before[1, :, 5:])
    assert not torch.equal(used.codebook_0[1, :, :5], before[1, :, :5])


def test_entries_are_sorted_by_use_in_dictionaries_of_several_sizes() -> None:
    torch.manual_seed(0)
    vq = GroupedECVQ(((2, 1, 8),), qualities=2, active_sizes=((5,), (8,))).eval()
    before, counts = vq.codebook_0.clone(), torch.tensor([[0, 3, 0, 9, 1], [2, 0, 5, 0, 0]])
    assert vq.sort_by_usage([counts], 0) == (3,)
    assert torch.equal(vq.codebook_0[0, 0, :5], before[0, 0, [3, 1, 4, 0, 2]])
    assert torch.equal(vq.codebook_0[0, 1, :5], before[0, 1, [2, 0, 1, 3, 4]])
    assert torch.equal(vq.codebook_0[:, :, 5:], before[:, :, 5:])
    assert torch.equal(vq.codebook_0[1], before[1])


def test_straight_through_gradient_is_the_identity() -> None:
    vq = quantizer().eval()
    latents = torch.randn(5, vq.dims, requires_grad=True)
    weight = torch.randn(5, vq.dims)
    (vq(latents, 0).quantized * weight).sum().backward()
    assert latents.grad is not None
    torch.testing.assert_close(latents.grad, weight)


def test_result_reports_commitment_and_bits() -> None:
    vq = quantizer().eval()
    latents = torch.randn(30, vq.dims)
    result = vq(latents, 0)
    torch.testing.assert_close(result.commitment, (latents - result.quantized).square().sum(1).mean())
    first = -torch.log2(vq.probability_0[0, 0])[result.codes[:, 0]]
    assert float(result.bits) > float(first.mean())


def test_dictionaries_stand_still_in_evaluation_and_move_to_the_mean_in_training() -> None:
    vq = GroupedECVQ(((1, 2, 4),), qualities=2, decay=0.5)
    before = {k: v.clone() for k, v in vq.state_dict().items()}
    vq.eval()(torch.randn(100, 2), 0)
    assert all(torch.equal(v, before[k]) for k, v in vq.state_dict().items())
    vq.train()
    data = torch.randn(100, 2) * 0.01 + torch.tensor([3.0, -1.0])
    for _ in range(40):
        codes = vq(data, 0).codes
    assert len(codes.unique()) == 1, "one cluster needs one code"
    torch.testing.assert_close(vq.decode(codes[:1], 0)[0], data.mean(0), atol=1e-3, rtol=0)
    assert torch.equal(vq.codebook_0[1], before["codebook_0"][1]), "the other quality's dictionary is untouched"


def test_fit_spends_bits_where_they_pay() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(4000, 2, generator=generator) * torch.tensor([10.0, 0.1])
    vq = GroupedECVQ(((2, 1, 32),), qualities=1).eval()
    ecvq_fit.fit(vq, latents, 0)
    codes = vq(latents, 0).codes
    used = [len(codes[:, g].unique()) for g in range(2)]
    assert used[0] > 8
    assert used[1] == 1
    torch.testing.assert_close(vq.probability_0.sum(-1), torch.ones(1, 2))


def test_autocast_leaves_the_quantizer_in_float32() -> None:
    plain, autocast = quantizer(), quantizer()
    z = torch.randn(40, plain.dims, dtype=torch.bfloat16)
    expected = plain(z.float(), 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = autocast(z, 1)
    for a, b in (*zip(found, expected, strict=True), (autocast.codebook_1, plain.codebook_1)):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def heavy_tailed(count: int, dims: int) -> torch.Tensor:
    """Mostly small, sometimes very large, as coefficients of pictures and speech are."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.where(torch.rand(count, 1, generator=generator) < 0.02, 60.0, 1.0)
    return sizes * torch.randn(count, dims, generator=generator)


def cost(vq: GroupedECVQ, latents: torch.Tensor, level: int = 0) -> float:
    result = vq.eval()(latents, level)
    return float(result.commitment + result.bits)


def test_dead_entries_go_where_they_are_worth_their_bits() -> None:
    torch.manual_seed(0)
    vq = GroupedECVQ(((2, 1, 32), (2, 2, 64)), qualities=2)
    latents, others = heavy_tailed(4000, vq.dims), heavy_tailed(4001, vq.dims)[1:]
    for level in (0, 1):
        ecvq_fit.fit(vq, latents / (1 + level), level)
    before, other_level = cost(vq, others), vq.codebook_0[1].clone()
    bits = ecvq_fit.reseed_dead(vq, latents, 0)
    assert cost(vq, others) < 0.6 * before
    assert abs(bits - float(vq(latents, 0).bits)) < 0.2
    assert torch.equal(vq.codebook_0[1], other_level)
    edge = latents.abs().amax(0)
    reach = torch.cat([vq.codebook_0[0].abs().amax(1).flatten(), vq.codebook_1[0].abs().amax(1).flatten()])
    assert (reach > 0.7 * edge).all()


def test_entries_that_are_in_use_stay_when_no_other_pays() -> None:
    torch.manual_seed(0)
    vq = GroupedECVQ(((1, 1, 16),), qualities=1)
    latents = torch.randint(-2, 3, (500, 1)).float() * 20
    ecvq_fit.fit(vq, latents, 0)
    ecvq_fit.reseed_dead(vq, latents, 0)
    taken = vq.entries(0, 0)[vq.encode(latents, 0).unique()]
    assert sorted(taken.flatten().round().tolist()) == [-40, -20, 0, 20, 40]


def test_dictionaries_go_on_in_groups_of_other_shapes() -> None:
    old = quantizer()
    new = GroupedECVQ(((1, 1, 8), (1, 1, 12), (1, 2, 4), (2, 2, 3)), qualities=2)
    new.load_codebooks_from(old)
    latents = torch.randn(200, old.dims)
    codes = old.encode(latents, 1)
    assert torch.equal(new.encode(latents, 1)[:, :3], codes[:, :3])
    assert (new.encode(latents, 1)[:, 3:].amax(0) < 3).all()
    assert new.group_dims() == old.group_dims()
