"""How the table of codes begins, and that any beginning can be turned into integers."""

from __future__ import annotations

import pytest
import torch

from vqc.nn.code_groups import CodeGroups, features_of, principal_components
from vqc.nn.integer import ONE


@pytest.mark.parametrize(("count", "width", "dims"), [(256, 1, 32), (512, 4, 32), (16, 2, 3), (8, 1, 1)])
def test_features_are_near_for_entries_that_are_near(count: int, width: int, dims: int) -> None:
    torch.manual_seed(0)
    entries = principal_components(torch.randn(count, width), dims)
    features = features_of(entries, dims)
    assert features.shape == (count, dims)
    assert bool(features.isfinite().all())
    assert torch.equal(features[:, : min(width, dims)], entries[:, :dims])
    assert torch.equal(features_of(entries, dims), features), "always the same waves"
    moved = features_of(entries + 1e-4, dims) - features
    assert float(moved.abs().max()) < 0.05


def test_entries_far_out_can_be_fixed_and_say_what_they_said() -> None:
    torch.manual_seed(0)
    entries = torch.randn(64, 1)
    entries[0] = 60.0  # whose square is beyond what an activation can be
    groups = CodeGroups([[64, 64]], width=8, context_width=8, head_width=8, code_dim=6)
    groups.initialise_embeddings([entries, entries], 1)
    codes = torch.arange(128).view(64, 2) % 64
    before = groups.features(codes, 1)
    groups.quantize_()
    torch.testing.assert_close(groups.features(codes, 1) / 1024, before, atol=0.5, rtol=0.05)


def test_codes_move_with_their_entries_and_how_often_they_occur() -> None:
    """Entries in the opposite order keep what was learnt of them; a new one has that of the nearest in use."""
    torch.manual_seed(0)
    groups = CodeGroups([[4, 3]], width=8, context_width=8, head_width=8, code_dim=6)
    groups.quantize_()
    vectors, bias = groups.embedding.values(), groups.bias.values()[:, 0]
    first, second = torch.tensor([[0.0], [1.0], [50.0], [3.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 9.0]])
    known = [(first, torch.tensor([40, 30, 1, 20])), (second, torch.tensor([5, 5, 5]))]
    moved = torch.tensor([[0.0], [1.0], [40.0], [3.0]])  # the idle entry, to where 3 is the nearest in use
    groups.remap_codebook(known, [(moved, torch.tensor([40, 30, 10, 11])), (second.flip(0), torch.tensor([5, 5, 5]))])
    assert torch.allclose(groups.embedding.values(), vectors[[0, 1, 3, 3, 6, 5, 4]], rtol=0.02, atol=8)
    ratios = torch.tensor([1, 1, 10 / 20, 11 / 20, 1, 1, 1])
    expected = bias[[0, 1, 3, 3, 6, 5, 4]] + torch.round(ratios.log() * ONE)
    assert torch.allclose(groups.bias.values()[:, 0], expected, atol=1)
