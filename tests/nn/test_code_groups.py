"""How the table of codes begins, and that any beginning can be turned into integers."""

from __future__ import annotations

import pytest
import torch

from vqc.nn.code_groups import CodeGroups, features_of, principal_components


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
    groups.resemble([entries, entries], 1)
    codes = torch.arange(128).view(64, 2) % 64
    before = groups.features(codes, 1)
    groups.fix()
    torch.testing.assert_close(groups.features(codes, 1) / 1024, before.double(), atol=0.05, rtol=0.01)
