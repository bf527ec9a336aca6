"""Codes drawn from priors: the same for a seed however they are drawn, and the same as the plain way draws them."""

from __future__ import annotations

import zlib
from fractions import Fraction

import numpy as np
import pytest
import torch
from golden.cases import codec_of
from torch import Tensor

from vqc.entropy.inverse_transform import draw, keep_likeliest, random_bits
from vqc.models.config import config_to_dict
from vqc.models.kinds import build_prior
from vqc.models.prior import CodePrior, in_thousandths
from vqc.models.vqvae.priors import BlockPrior

# Golden models with a prior: quality, grid of codes, CRC-32 of what is drawn
GOLDEN = {
    "image-prior": (1, (9, 11), 2_311_094_397),
    "audio-prior": (1, (70,), 4_067_862_568),
    "photo-stepped-prior": (2, (9, 6), 959_097_209),
    "speech-stepped-prior": (2, (21,), 697_251_305),
}
each_model = pytest.mark.parametrize("name", GOLDEN)


def prior_of(name: str) -> CodePrior:
    prior = codec_of(name).model.prior
    assert prior is not None
    return prior


SMALL = {  # grids of more than one block
    "image-prior": (9, 2),
    "audio-prior": (34,),
    "photo-stepped-prior": (5, 4),
    "speech-stepped-prior": (11,),
}


def drawn(name: str, count: int = 3, *, grid: tuple[int, ...] = (), **options: object) -> Tensor:
    quality, grid = GOLDEN[name][0], grid or SMALL[name]
    return prior_of(name).sample(count, grid, quality, **({"seed": 11} | options))


@each_model
def test_a_seed_draws_the_codes_that_it_once_drew(name: str) -> None:
    codes = drawn(name, grid=GOLDEN[name][1], temperature=0.9, top_p=0.98).numpy().astype("<u2")
    assert zlib.crc32(codes.tobytes()) == GOLDEN[name][2]


@each_model
def test_an_item_does_not_depend_on_those_drawn_beside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = drawn(name, 3)
    one_by_one = torch.cat([drawn(name, 1, first=item) for item in range(3)])
    assert torch.equal(together, one_by_one)
    monkeypatch.setattr("vqc.models.prior._CODES", 1)
    assert torch.equal(drawn(name, 3), together)
    monkeypatch.setattr("vqc.models.prior._ROWS", 3)
    assert torch.equal(drawn(name, 3), together)
    assert len({item.numpy().tobytes() for item in together}) == 3
    assert not torch.equal(drawn(name, 3, seed=12), together)


@each_model
def test_codes_that_are_given_stay_and_the_others_are_drawn_given_them(name: str) -> None:
    grid = SMALL[name]
    known = drawn(name, 1)[0]
    mask = torch.zeros(grid, dtype=torch.bool)
    mask[len(mask) // 2 :] = True
    first, second = (drawn(name, 2, known=known, mask=mask, seed=seed) for seed in (1, 2))
    for codes in (first, second):
        assert torch.equal(codes[..., ~mask], known[:, ~mask].expand_as(codes[..., ~mask]))
    assert not torch.equal(first, second)
    # what was in their place does not count
    other = torch.where(mask, torch.zeros_like(known), known)
    assert torch.equal(drawn(name, 2, known=other, mask=mask, seed=1), first)
    if not name.startswith("photo"):  # with the bits that drew them the same codes are drawn again, given some of them
        assert torch.equal(drawn(name, 1, known=known, mask=mask)[0], known)


def test_colours_are_drawn_from_given_ones_that_come_later_in_files() -> None:
    name, mask = "photo-stepped-prior", torch.zeros(9, 6, dtype=torch.bool)
    mask[0, 0] = True  # the first of all in a file
    dark, bright = torch.zeros(8, 9, 6, dtype=torch.int64), torch.zeros(8, 9, 6, dtype=torch.int64)
    dark[0], bright[0] = 40, 200
    firsts = [drawn(name, 20, grid=(9, 6), known=known, mask=mask)[:, 0, 0, 0] for known in (dark, bright)]
    means = [first.float().mean() for first in firsts]
    assert means[0] < 100 < 140 < means[1]


@each_model
def test_the_coldest_draw_takes_the_likeliest_codes(name: str) -> None:
    quality = GOLDEN[name][0]
    by_share, by_temperature = drawn(name, 1, top_p=0.001), drawn(name, 1, temperature=0.001)
    for codes in (by_share, by_temperature):
        for index, logits in prior_of(name).coding_steps(codes, quality):
            chosen = logits.gather(1, codes.view(-1)[index][:, None])
            assert (logits.amax(1, keepdim=True) - chosen < 8).all()  # within 1/32 nat: a tie, or nearly


@pytest.mark.parametrize("name", ["image-prior", "audio-prior"])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.8, 0.9)])
def test_step_by_step_with_what_is_remembered_the_codes_are_those_of_the_plain_way(
    name: str, temperature: float, top_p: float
) -> None:
    """Plainly: the whole network over the whole grid, again for every code."""
    prior, quality, grid = prior_of(name), 1, (3, 4) if name == "image-prior" else (9,)
    assert isinstance(prior, BlockPrior)
    fast = prior.sample(2, grid, seed=4, temperature=temperature, top_p=top_p)
    codes = torch.zeros_like(fast)
    flat, places = codes.view(-1), codes[0].numel()
    bits = np.concatenate([random_bits(4, item, places) for item in range(2)])
    for order in [index for index, _ in prior.stepwise(codes, quality)]:
        for index, logits in prior.parallel(codes, quality):
            here = torch.isin(index, order)
            tables = prior.tables(logits[here], in_thousandths(temperature)).numpy()
            if len(tables):
                chosen = draw(keep_likeliest(tables, in_thousandths(top_p)), bits[index[here].numpy()])
                flat[index[here]] = torch.from_numpy(chosen)
    assert torch.equal(codes, fast)


def test_a_sequence_longer_than_a_block_is_drawn_in_one_piece() -> None:
    """As with blocks so long: a frame is given all that the convolutions reach, also what lies in the block before."""
    model, prior = codec_of("audio-prior").model, prior_of("audio-prior")
    longer = build_prior(prior.kind, config_to_dict(prior.config) | {"block": 70}, model)
    longer.quantize_(check=False)
    longer.load_state_dict(prior.state_dict())
    codes = drawn("audio-prior", 1, grid=(70,))
    assert codes.shape[-1] == 70 > prior.config.block
    assert torch.equal(longer.sample(1, (70,), seed=11), codes)
    assert not torch.equal(longer.bits(codes, 1), prior.bits(codes, 1))


def test_a_float_prior_draws_nothing() -> None:
    from tiny_priors import draw_model, draw_prior

    with pytest.raises(AssertionError, match="floats differ"):
        draw_prior(draw_model("photo")).sample(1, (2, 2), 1)


def test_numbers_are_rounded_to_thousandths() -> None:
    assert in_thousandths(0.1 + 0.2) == Fraction(3, 10)
    assert in_thousandths(1) == 1
