"""Lattices: each position once, neighbours that are known or outside; logits by distance move with the known value."""

from __future__ import annotations

import math

import pytest
import torch

from vqc.nn.scalar_map import DistanceLogits
from vqc.nn.sliced import BoardLattice, Lattice, LineLattice, neighbours

LATTICES = [*map(BoardLattice, range(1, 8)), LineLattice(1, 0), LineLattice(2, 0), LineLattice(8, 0), LineLattice(8, 3)]
GRIDS = {2: [(1, 1), (1, 9), (5, 3), (16, 24), (17, 10)], 1: [(1,), (2,), (23,), (64,)]}
CASES = [(lattice, grid) for lattice in LATTICES for grid in GRIDS[len(lattice.kernel)]]
each_case = pytest.mark.parametrize(("lattice", "grid"), CASES)


@each_case
def test_passes_take_every_position_once_and_look_at_earlier_ones(lattice: Lattice, grid: tuple[int, ...]) -> None:
    known = torch.zeros(math.prod(grid), dtype=torch.bool)
    for step in lattice.passes(grid, known.device):
        assert not known[step.positions].any()
        if step.offsets:
            index, inside = neighbours(step.positions, step.offsets, grid)
            assert index.shape[1] == lattice.neighbours
            assert known[index][inside].all()
        known[step.positions] = True
    assert known.all()


@each_case
def test_the_number_of_passes_does_not_grow_with_the_grid(lattice: Lattice, grid: tuple[int, ...]) -> None:
    assert len(list(lattice.passes(grid, torch.device("cpu")))) <= lattice.levels
    large = tuple(size + 64 for size in grid)
    assert len(list(lattice.passes(large, torch.device("cpu")))) == lattice.levels


def test_neighbours_are_those_of_the_same_item() -> None:
    grid, offsets = (3, 4), ((-1, 0), (0, 1), (2, -3))
    rows, inside = neighbours(torch.arange(2 * 12), offsets, grid)
    for row in range(24):
        item, y, x = row // 12, row // 4 % 3, row % 4
        for tap, (dy, dx) in enumerate(offsets):
            there = 0 <= y + dy < 3 and 0 <= x + dx < 4
            assert bool(inside[row, tap]) is there
            assert int(rows[row, tap]) == (12 * item + 4 * (y + dy) + x + dx if there else 0)


def test_logits_move_with_the_known_value() -> None:
    torch.manual_seed(0)
    layer = DistanceLogits(6, torch.randn(3, 2 * 20 - 1))
    torch.nn.init.normal_(layer.coefficients.weight)
    layer.quantize_()
    hidden = torch.randint(-999, 999, (5, 6)).double()
    low, high = (layer(hidden, torch.full((5,), value)) for value in (4, 7))
    assert torch.equal(low[:, :-3], high[:, 3:])
    assert not torch.equal(low, high)
