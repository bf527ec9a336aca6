"""Priors: each code is given all that comes before it, and nothing else; they start at the order-0 tables."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vqc.entropy.tables import ideal_bits
from vqc.errors import CheckpointError
from vqc.models.base import AudioModel, ImageModel
from vqc.models.config import config_to_dict
from vqc.models.paper_priors import CodePrior, PixelCNNConfig, WaveNetConfig, build_prior, prior_config

SIZES = ((5, 3, 4), (4, 4))  # three groups at quality 1, two at quality 2


def randomised(prior: CodePrior) -> CodePrior:
    """Every weight matters."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in prior.parameters():
            p.normal_(0, 0.4, generator=generator)
    return prior.eval()


def pixelcnn(sizes: tuple[tuple[int, ...], ...] = SIZES) -> CodePrior:
    config = PixelCNNConfig(codebook_sizes=sizes, width=8, layers=3, head_width=24, code_dim=3)
    return randomised(CodePrior(config))


def wavenet(sizes: tuple[tuple[int, ...], ...] = SIZES) -> CodePrior:
    config = WaveNetConfig(codebook_sizes=sizes, width=8, skip_width=12, dilations=(1, 2, 4), head_width=24, code_dim=3)
    return randomised(CodePrior(config))


def random_codes(sizes: tuple[int, ...], *grid: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.stack([torch.randint(k, grid, generator=generator) for k in sizes])[None]


def influence(prior: CodePrior, codes: Tensor, quality: int) -> Tensor:
    """[M, M], codes counted position by position and group by group: does changing i change the logits of j at all?"""
    sizes = prior.config.codebook_sizes[quality - 1]

    def logits(k: Tensor) -> Tensor:
        return prior(k, quality)[0].movedim(1, -1).movedim(0, -2).flatten(0, -2)  # [M, K]

    with torch.inference_mode():
        before = logits(codes)
        rows = []
        for index in range(codes[0].numel()):
            position, group = divmod(index, len(sizes))
            changed = codes.clone()
            value = changed[0, group].view(-1)[position]
            changed[0, group].view(-1)[position] = (value + 1) % sizes[group]
            rows.append((logits(changed) != before).any(1))
    return torch.stack(rows)


@pytest.mark.parametrize("quality", [1, 2])
def test_each_code_of_a_map_is_given_all_before_it_and_none_after(quality: int) -> None:
    prior = pixelcnn().double()  # so that no influence is lost in rounding
    codes = random_codes(SIZES[quality - 1], 4, 5)
    count = codes[0].numel()
    assert torch.equal(influence(prior, codes, quality), torch.ones(count, count).triu(1).bool())


@pytest.mark.parametrize("quality", [1, 2])
def test_each_code_of_a_sequence_is_given_all_in_reach_and_none_after(quality: int) -> None:
    prior = wavenet().double()
    sizes = SIZES[quality - 1]
    seen = influence(prior, random_codes(sizes, 12), quality)
    frame, group = torch.meshgrid(torch.arange(12), torch.arange(len(sizes)), indexing="ij")
    frame, group = frame.flatten(), group.flatten()
    distance = frame[None] - frame[:, None]
    reach = 2 + (1 + 2 + 4)  # frames: the first convolution's kernel, then the dilations
    expected = (distance > 0) & (distance <= reach) | (distance == 0) & (group[None] > group[:, None])
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("make", [pixelcnn, wavenet])
def test_one_codebook_is_causal_in_single_precision(make: type[CodePrior]) -> None:
    prior = make(((16,),))
    grid = (6, 6) if make is pixelcnn else (20,)
    seen = influence(prior, random_codes((16,), *grid), 1)
    assert not seen.tril().any()
    assert seen.any(0)[1:].all()


def test_codes_beyond_a_group_are_impossible_and_the_rest_sums_to_one() -> None:
    logits = pixelcnn()(random_codes(SIZES[0], 3, 3), 1)
    assert logits.shape == (1, 3, 5, 3, 3)
    for group, size in enumerate(SIZES[0]):
        assert (logits[:, group, size:] == -math.inf).all()
    torch.testing.assert_close(logits.softmax(2).sum(2), torch.ones(1, 3, 3, 3))


def test_bits_are_those_of_the_logits_at_the_positions_asked_for() -> None:
    prior, codes = pixelcnn(), random_codes(SIZES[0], 3, 4).expand(2, -1, -1, -1)
    with torch.no_grad():
        probability = prior(codes, 1).softmax(2).gather(2, codes[:, :, None])[:, :, 0]
        expected = -probability.log2().movedim(1, -1).flatten(0, -2)
        torch.testing.assert_close(prior.bits(codes, 1), expected)
        chosen = torch.tensor([3, 17, 4])
        torch.testing.assert_close(prior.bits(codes, 1, chosen), expected[chosen])


def test_many_logits_are_computed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, codes = pixelcnn(), random_codes(SIZES[0], 3, 4)
    sizes = []
    original = prior.groups.logits

    def spy(context: Tensor, *rest: object) -> Tensor:
        sizes.append(len(context))
        return original(context, *rest)  # type: ignore[arg-type]

    whole = prior.bits(codes, 1)
    monkeypatch.setattr(prior.groups, "logits", spy)
    monkeypatch.setattr("vqc.models.paper_priors._LOGITS_AT_ONCE", 5 * 15)
    with torch.no_grad():
        torch.testing.assert_close(prior.bits(codes, 1), whole)
    assert sizes == [5, 5, 2]


def test_untrained_priors_say_what_the_static_tables_say(image_model: ImageModel, audio_model: AudioModel) -> None:
    for model, grid in ((image_model, (4, 4)), (audio_model, (9,))):
        prior = CodePrior(prior_config(model, width=8, head_width=8)).eval()
        prior.start_from(model)
        for quality in range(1, model.qualities + 1):
            codes = random_codes(model.codebook_sizes(quality), *grid)
            symbols = codes[0].flatten(1).numpy()
            with torch.no_grad():
                bits = float(prior.bits(codes, quality).double().sum())
            assert bits == pytest.approx(ideal_bits(symbols, model.static_frequencies(quality)), rel=1e-5)


def test_a_pattern_is_learnt_to_the_last_bit() -> None:
    torch.manual_seed(0)
    row, column = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    first = (3 * row + column * column + row // 3) % 7
    codes = torch.stack([first, (5 * first + 2 * row) % 4])[None]
    prior = CodePrior(PixelCNNConfig(codebook_sizes=((7, 4),), width=16, layers=3, head_width=16, code_dim=8))
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.03)
    for _ in range(45):
        optimizer.zero_grad()
        prior.bits(codes, 1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert float(prior.bits(codes, 1).mean()) < 0.01


def test_every_weight_is_trained_whatever_the_step() -> None:
    """As processes that train together need it."""
    for prior, grid in ((pixelcnn(), (4, 4)), (wavenet(), (12,))):
        for quality in (1, 2):
            prior.zero_grad()
            prior.bits(random_codes(SIZES[quality - 1], *grid), quality).mean().backward()
            assert [name for name, p in prior.named_parameters() if p.grad is None] == []


def test_a_hundred_groups_of_eight_qualities_stay_affordable() -> None:
    sizes = tuple((256,) * groups for groups in (60, 65, 81, 98, 104, 108, 108, 108))
    with torch.device("meta"):
        prior = CodePrior(PixelCNNConfig(codebook_sizes=sizes))
    assert sum(p.numel() for p in prior.parameters()) < 8e6


def test_equal_configs_are_interchangeable_and_others_are_refused() -> None:
    prior = pixelcnn()
    copy = build_prior("pixelcnn", config_to_dict(prior.config))
    assert copy.config == prior.config
    copy.load_state_dict(prior.state_dict())
    with pytest.raises(CheckpointError, match="odd"):
        build_prior("pixelcnn", {"codebook_sizes": [[4]], "kernel_size": 4})
    with pytest.raises(CheckpointError, match="'tree'"):
        build_prior("tree", {})
