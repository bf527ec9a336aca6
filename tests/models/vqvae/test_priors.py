"""Priors of the papers: each code is given all that comes before it in its block, and nothing else, as integers.

What is compared between fixed priors is compared without any tolerance.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vqc.codec.prior_coding import decode_with_prior, encode_with_prior
from vqc.entropy.inverse_transform import draw as inverse
from vqc.entropy.inverse_transform import random_bits
from vqc.entropy.tables import frequencies_from_counts, ideal_bits
from vqc.errors import CheckpointError
from vqc.models.base import AudioModel, CodecModel, ImageModel
from vqc.models.config import config_to_dict
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.kinds import KINDS, build_prior
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.models.vqvae.priors import BlockPrior, PixelCNNPrior, WaveNetPrior
from vqc.nn.integer import LOGIT

SIZES = ((5, 3, 4), (4, 4))  # three groups at quality 1, two at quality 2
CONFIGS = {
    "pixelcnn": {"width": 8, "layers": 3, "head_width": 24, "code_dim": 3},
    "wavenet": {"width": 8, "skip_width": 12, "dilations": [1, 2, 4], "head_width": 24, "code_dim": 3},
}
CASES = [
    *[("pixelcnn", block, grid) for block, grid in [(8, (1, 1)), (3, (4, 5)), (4, (8, 4)), (3, (1, 7)), (8, (3, 2))]],
    *[("wavenet", block, grid) for block, grid in [(256, (1,)), (5, (12,)), (6, (12,)), (256, (30,))]],
]
each_kind = pytest.mark.parametrize("kind", CONFIGS)
each_case = pytest.mark.parametrize(("kind", "block", "grid"), CASES)
each_quality = pytest.mark.parametrize("quality", [1, 2])


class Codec(CodecModel):
    """Codebook sizes and tables, and no network."""

    def __init__(self, sizes: tuple[tuple[int, ...], ...], media: Any) -> None:
        super().__init__()
        self.sizes, self.media, self.kind = sizes, media, f"{media}-vqvae"
        self.register_static_table()
        counts = np.arange(1, self.static_table.numel() + 1).reshape(self.static_table.shape) % 17
        table = np.zeros(counts.shape, np.int64)
        for q, own in enumerate(sizes):
            for g, size in enumerate(own):
                table[q, g, :size] = frequencies_from_counts(counts[q, g, :size])
        self.set_static_table(table)

    @property
    def qualities(self) -> int:
        return len(self.sizes)

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return self.sizes[quality - 1]

    def encode(self, signal: torch.Tensor, quality: int) -> torch.Tensor:
        raise AssertionError("a prior asks for no codes")


def codec(kind: str, sizes: tuple[tuple[int, ...], ...] = SIZES) -> Codec:
    return Codec(sizes, "image" if kind == "pixelcnn" else "audio")


def draw(kind: str, sizes: tuple[tuple[int, ...], ...] = SIZES, **config: Any) -> BlockPrior:
    """A float prior of which every weight matters."""
    prior = build_prior(kind, CONFIGS[kind] | config, codec(kind, sizes))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in prior.parameters():
            p.normal_(0, 0.4, generator=generator)
    return prior.eval()


def fixed(prior: BlockPrior) -> BlockPrior:
    prior.quantize_()
    return prior


def random_codes(sizes: tuple[int, ...], *grid: int, items: int = 1, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(k, (items, *grid), generator=generator) for k in sizes], 1)


def by_place(parts: Any, codes: Tensor) -> Tensor:
    """Logits [M, K] of all codes in the order in which they are stored, not that of coding; -1 beyond a codebook."""
    result = torch.full((codes.numel(), 8), -1, dtype=torch.float64)
    for index, logits in parts:
        result[index, : logits.shape[1]] = logits.double()
    return result


def influence(prior: BlockPrior, quality: int, *grid: int) -> Tensor:
    """[M, M] in the order of storage: does changing code i ever change the logits of code j at all?"""
    sizes, places = SIZES[quality - 1], math.prod(grid)
    count = len(sizes) * places
    modulus = torch.tensor(sizes).repeat_interleave(places)
    seen = torch.zeros(count, count, dtype=torch.bool)
    for seed in range(4):  # integers are coarse: not every change shows everywhere
        codes = random_codes(sizes, *grid, seed=seed)  # [1, G, *grid]
        changed = (codes.view(-1) + torch.eye(count, dtype=torch.int64)) % modulus  # code i in row i
        batch = changed.view(count, *codes.shape[1:]).contiguous()
        before = by_place(prior.coding_steps(codes, quality), codes)  # [M, K]
        seen |= (by_place(prior.coding_steps(batch, quality), batch).view(count, count, -1) != before).any(2)
    return seen


def axes(count: int, *grid: int) -> list[Tensor]:
    """Group and coordinates of every code, in the order of storage."""
    return [n.flatten() for n in torch.meshgrid(*map(torch.arange, (count, *grid)), indexing="ij")]


@each_quality
@pytest.mark.parametrize("grid", [(4, 5), (1, 6), (5, 1)])
def test_each_code_of_a_map_is_given_all_before_it_in_its_block_and_none_after(
    quality: int, grid: tuple[int, int]
) -> None:
    seen = influence(fixed(draw("pixelcnn", block=3)), quality, *grid)
    group, y, x = axes(len(SIZES[quality - 1]), *grid)
    block = y // 3 * 100 + x // 3
    order = (y * grid[1] + x) * 10 + group
    expected = (block[:, None] == block) & (order[:, None] < order)
    assert torch.equal(seen, expected)


@each_quality
def test_each_code_of_a_sequence_is_given_all_in_reach_and_none_after(quality: int) -> None:
    seen = influence(fixed(draw("wavenet", block=11)), quality, 14)
    group, frame = axes(len(SIZES[quality - 1]), 14)
    distance = frame - frame[:, None]
    reach = 2 + (1 + 2 + 4)  # frames: the first convolution's kernel, then the dilations
    expected = (distance > 0) & (distance <= reach) | (distance == 0) & (group > group[:, None])
    assert torch.equal(seen, expected & (frame // 11 == frame[:, None] // 11))


@each_case
@each_quality
def test_step_by_step_the_integers_are_those_of_all_at_once(
    kind: str, block: int, grid: tuple[int, ...], quality: int
) -> None:
    prior, codes = fixed(draw(kind, block=block)), random_codes(SIZES[quality - 1], *grid, items=2)
    at_once, stepwise = (by_place(f(codes, quality), codes) for f in (prior.parallel, prior.stepwise))
    assert torch.equal(at_once, stepwise)
    assert torch.equal(4 * at_once, (4 * at_once).floor())  # logits are in coarser units than activations
    assert at_once.std() > 25


@each_case
@each_quality
def test_every_code_comes_once_and_what_is_not_known_makes_no_difference(
    kind: str, block: int, grid: tuple[int, ...], quality: int
) -> None:
    prior, sizes = fixed(draw(kind, block=block)), SIZES[quality - 1]
    codes, filling = (random_codes(sizes, *grid, items=2, seed=seed) for seed in (1, 2))
    wanted, places = by_place(prior.coding_steps(codes, quality), codes), []
    for index, logits in prior.coding_steps(filling, quality):
        group = index // math.prod(grid) % len(sizes)
        assert {sizes[g] for g in group.tolist()} == {logits.shape[1]}
        assert torch.equal(logits, wanted[index, : logits.shape[1]])
        filling.view(-1)[index] = codes.view(-1)[index]
        places.append(index)
    assert torch.equal(torch.cat(places).sort()[0], torch.arange(codes.numel()))
    assert len(places) == len(sizes) * math.prod(min(block, side) for side in grid)


@each_case
def test_integers_say_what_floats_do(kind: str, block: int, grid: tuple[int, ...]) -> None:
    prior, codes = draw(kind, block=block), random_codes(SIZES[0], *grid, items=20)
    with torch.no_grad():
        floats = float(prior.bits(codes, 1).double().sum())
        smooth = by_place(prior.parallel(codes, 1), codes)
    prior.quantize_()
    assert float(prior.bits(codes, 1).sum()) == pytest.approx(floats, rel=0.01)
    steps = by_place(prior.parallel(codes, 1), codes)
    error = (steps / LOGIT - smooth)[steps != -1].abs()
    assert float(error.mean()) < 0.05
    assert float(error.max()) < 0.5


@each_kind
def test_blocks_are_signals_of_their_own_even_where_they_are_cut(kind: str) -> None:
    prior = fixed(draw(kind, block=4))
    for pick in (prior.parallel, prior.stepwise):
        codes = random_codes(SIZES[0], *((7, 10) if kind == "pixelcnn" else (10,)))
        together = by_place(pick(codes, 1), codes)
        storage = torch.arange(codes.numel()).view(codes.shape)
        for top in range(0, codes.shape[2], 4):
            for left in range(0, codes.shape[-1], 4) if kind == "pixelcnn" else (0,):
                cut = (..., slice(top, top + 4), slice(left, left + 4))[: codes.dim() - 1]
                alone = codes[cut].contiguous()
                assert torch.equal(by_place(pick(alone, 1), alone), together[storage[cut].flatten()])


@each_kind
def test_the_order_is_that_of_so_many_blocks_at_a_time_and_the_integers_are_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior, codes = fixed(draw(kind, block=3)), random_codes(SIZES[0], *((7, 7) if kind == "pixelcnn" else (20,)))
    whole, passes = by_place(prior.coding_steps(codes, 1), codes), sum(1 for _ in prior.coding_steps(codes, 1))
    monkeypatch.setattr(type(prior), "together", 2)
    assert torch.equal(by_place(prior.coding_steps(codes, 1), codes), whole)
    assert sum(1 for _ in prior.coding_steps(codes, 1)) > 2 * passes


@pytest.mark.parametrize("exact", [False, True])
@each_kind
def test_chosen_positions_cost_what_they_do_among_all(kind: str, exact: bool) -> None:
    prior, grid = draw(kind, block=4), (5, 6) if kind == "pixelcnn" else (13,)
    if exact:
        prior.quantize_()
    codes = random_codes(SIZES[0], *grid, items=2)
    chosen = torch.rand(2, *grid, generator=torch.Generator().manual_seed(0)) < 0.4
    with torch.no_grad():
        places = torch.cat([index for index, _ in prior.coding_steps(codes, 1)])
        costs = torch.zeros(codes.numel(), dtype=torch.float64)
        costs[places] = prior.bits(codes, 1).double()
        picked = prior.bits(codes, 1, chosen)
    assert len(picked) == 3 * int(chosen.sum())
    assert float(picked.sum()) == pytest.approx(float((costs.view(codes.shape) * chosen[:, None]).sum()), rel=1e-5)


@each_kind
def test_random_codes_go_through_the_coder_and_come_back(kind: str) -> None:
    prior = fixed(draw(kind, block=3))
    for grid in [(1,), (7,), (20,)] if kind == "wavenet" else [(1, 1), (4, 5), (9, 2)]:
        for quality in (1, 2):
            codes = random_codes(SIZES[quality - 1], *grid, items=2).numpy().astype(np.uint16)
            data = encode_with_prior(prior, codes, quality)
            assert np.array_equal(decode_with_prior(prior, data, codes.shape, quality), codes)


def test_dropout_is_for_training_alone() -> None:
    for kind, grid in (("pixelcnn", (4, 4)), ("wavenet", (9,))):
        prior, codes = draw(kind, dropout=0.5).train(), random_codes(SIZES[0], *grid)
        assert not torch.equal(prior.bits(codes, 1), prior.bits(codes, 1))
        quiet = fixed(copy.deepcopy(prior)).eval().bits(codes, 1)
        assert torch.equal(fixed(prior).train().bits(codes, 1), quiet)


def test_untrained_priors_say_what_the_static_tables_say() -> None:
    for kind, grid in (("pixelcnn", (4, 4)), ("wavenet", (9,))):
        model = codec(kind)
        prior = build_prior(kind, CONFIGS[kind], model)
        prior.initialise(model)
        for quality, sizes in enumerate(SIZES, 1):
            codes = random_codes(sizes, *grid)
            with torch.no_grad():
                bits = float(prior.bits(codes, quality).double().sum())
            assert bits == pytest.approx(
                ideal_bits(codes[0].flatten(1).numpy(), model.static_frequencies(quality)), rel=1e-5
            )


@pytest.mark.parametrize("code_dim", [2, 4, 6])
def test_codes_begin_as_alike_as_the_entries_of_their_codebook(code_dim: int) -> None:
    model = small_model()
    entries = torch.randn(16, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([[3.0, 4.0, 0.0, 1.0]])
    model.quantizer.codebook.copy_(entries + 7)  # on a line
    prior = build_prior("pixelcnn", CONFIGS["pixelcnn"] | {"code_dim": code_dim}, model)
    prior.initialise(model)
    vectors = prior.groups.embedding.vectors.detach()[:, : min(4, code_dim)]
    wanted, found = torch.cdist(entries, entries), torch.cdist(vectors, vectors)
    torch.testing.assert_close(found / found.mean(), wanted / wanted.mean(), rtol=1e-3, atol=1e-3)
    assert float(vectors.square().mean()) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "config"), [("pixelcnn", {"layers": 3}), ("wavenet", {"skip_width": 16, "dilations": [1, 2, 4, 8]})]
)
def test_a_pattern_is_learnt_to_the_last_bit(kind: str, config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    row, column = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    first = (3 * row + column * column + row // 3) % 7
    codes = torch.stack([first, (5 * first + 2 * row) % 4])[None]
    if kind == "wavenet":
        codes = codes.flatten(2)
    config = CONFIGS[kind] | {"width": 16, "head_width": 16, "code_dim": 8} | config
    prior = build_prior(kind, config, codec(kind, ((7, 4),)))
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        prior.bits(codes, 1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert float(prior.bits(codes, 1).mean()) < 0.01
    assert float(fixed(prior).bits(codes, 1).mean()) < 0.01


def test_every_weight_is_trained_whatever_the_step() -> None:
    """As processes that train together need it."""
    for prior, grid in ((draw("pixelcnn"), (4, 4)), (draw("wavenet"), (12,))):
        for quality in (1, 2):
            prior.zero_grad()
            prior.bits(random_codes(SIZES[quality - 1], *grid), quality).mean().backward()
            assert [name for name, p in prior.named_parameters() if p.grad is None] == []


def test_a_hundred_groups_of_eight_qualities_stay_affordable() -> None:
    sizes = tuple((256,) * groups for groups in (60, 65, 81, 98, 104, 108, 108, 108))
    prior = build_prior("pixelcnn", {}, codec("pixelcnn", sizes))
    assert sum(p.numel() for p in prior.parameters()) < 8e6


def small_model() -> ImageVQVAE:
    torch.manual_seed(1)
    config = ImageVQVAEConfig(widths=(8, 8), residual_layers=1, residual_width=4, codebook_size=16, codebook_dim=4)
    return ImageVQVAE(config).eval()


def test_a_prior_travels_in_the_file_of_its_model(tmp_path: Any) -> None:
    model = small_model()
    prior = build_prior("pixelcnn", CONFIGS["pixelcnn"], model)
    prior.initialise(model)
    torch.nn.init.normal_(prior.groups.output_proj.weight)
    model.attach_prior(prior)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, name="tiny", training={}, figures={}, weights="float16")
    loaded = load_checkpoint(path).model
    codes = random_codes((16,), 9, 9)
    assert loaded.prior is not None
    assert config_to_dict(loaded.prior.config) == config_to_dict(prior.config)
    assert torch.equal(loaded.prior.bits(codes, 1), prior.bits(codes, 1))


def test_priors_are_for_models_of_their_medium(image_model: ImageModel, audio_model: AudioModel) -> None:
    assert isinstance(build_prior(KINDS[image_model.kind].prior.name, {}, image_model), PixelCNNPrior)
    assert isinstance(build_prior(KINDS[audio_model.kind].prior.name, {}, audio_model), WaveNetPrior)
    with pytest.raises(CheckpointError, match="audio-vqvae: it is for image models"):
        build_prior("pixelcnn", {}, audio_model)
    with pytest.raises(CheckpointError, match="image-vqvae: it is for audio models"):
        build_prior("wavenet", {}, image_model)


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("pixelcnn", {"kernel_size": 4}, "odd"),
        ("pixelcnn", {"block": 0}, "block is 0"),
        ("pixelcnn", {"layers": 0}, "layers is 0"),
        ("wavenet", {"dilations": []}, "no past"),
        ("wavenet", {"skip_width": 0}, "skip_width is 0"),
        ("wavenet", {"dropout": 1.0}, "dropout is 1"),
    ],
)
def test_configs_that_make_no_network_are_refused(kind: str, config: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        build_prior(kind, config, codec(kind))


NAMES = ("cat", "dog", "ship")
each_way = pytest.mark.parametrize("way", ["parallel", "stepwise"])


def logits_of(prior: BlockPrior, way: str, codes: Tensor, labels: list[int] | None) -> Tensor:
    with prior.showing(None if labels is None else torch.tensor(labels)):
        return by_place(getattr(prior, way)(codes, 1), codes)


@each_way
def test_each_item_is_given_its_own_class(way: str) -> None:
    prior = fixed(draw("pixelcnn", block=3, classes=NAMES))
    codes = random_codes(SIZES[0], 4, 5).expand(3, -1, -1, -1).contiguous()  # three times the same
    told = logits_of(prior, way, codes, [2, 0, -1]).view(3, -1, 8)
    for row, label in enumerate([2, 0, -1]):
        assert torch.equal(told[row], logits_of(prior, way, codes, [label]).view(3, -1, 8)[row])
    assert not torch.equal(told[0], told[1])
    assert not torch.equal(told[0], told[2])


@each_way
def test_without_a_class_it_codes_like_a_prior_that_knows_none(way: str) -> None:
    prior, plain = draw("pixelcnn", block=3, classes=NAMES), draw("pixelcnn", block=3)
    plain.load_state_dict({name: prior.state_dict()[name] for name in plain.state_dict()})
    codes = random_codes(SIZES[0], 4, 5, items=2)
    expected = logits_of(fixed(plain), way, codes, None)
    for labels in (None, [-1], [-1, -1]):
        assert torch.equal(logits_of(fixed(prior), way, codes, labels), expected)


def test_step_by_step_the_integers_of_a_class_are_those_of_all_at_once() -> None:
    prior, codes = fixed(draw("pixelcnn", block=3, classes=NAMES)), random_codes(SIZES[0], 4, 5, items=2)
    at_once, stepwise = (logits_of(prior, way, codes, [1, 2]) for way in ("parallel", "stepwise"))
    assert torch.equal(at_once, stepwise)


def test_classes_are_named_once_and_only_images_have_them() -> None:
    assert draw("pixelcnn", classes=NAMES).classes == NAMES
    assert draw("wavenet").classes == ()
    with pytest.raises(CheckpointError, match="two classes have the same name"):
        draw("pixelcnn", classes=("cat", "cat"))
    assert "classes" not in config_to_dict(draw("pixelcnn").config)  # digests of old files stay


def sample_of(prior: BlockPrior, labels: list[int] | None, count: int = 3, **options: float) -> Tensor:
    with prior.showing(None if labels is None else torch.tensor(labels)):
        return prior.sample(count, (3, 3), seed=5, **options)  # type: ignore[arg-type]


def test_guidance_moves_logits_away_from_those_of_no_class() -> None:
    prior = fixed(draw("pixelcnn", block=3, classes=NAMES))
    codes = sample_of(prior, [2], guidance=2.5)
    with_class, without = (logits_of(prior, "stepwise", codes, labels).long() for labels in ([2], [-1]))
    guided = (without + (5 * (with_class - without)).div(2, rounding_mode="floor")).float()
    flat, places = codes.view(-1), codes[0].numel()
    bits = np.concatenate([random_bits(5, item, places) for item in range(len(codes))])
    for index, _ in prior.parallel(codes, 1):
        size = SIZES[0][int(index[0]) // 9 % len(SIZES[0])]
        assert torch.equal(
            torch.from_numpy(inverse(prior.tables(guided[index, :size]).numpy(), bits[index])), flat[index]
        )


def test_guidance_of_0_and_1_is_none_and_items_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = fixed(draw("pixelcnn", block=3, classes=NAMES))
    assert torch.equal(sample_of(prior, [1], guidance=0.0), sample_of(prior, None))
    assert torch.equal(sample_of(prior, [1], guidance=1.0), sample_of(prior, [1]))
    assert torch.equal(sample_of(prior, None, guidance=3.0), sample_of(prior, None))
    guided = sample_of(prior, [1], guidance=3.0)
    assert not torch.equal(guided, sample_of(prior, [1]))
    monkeypatch.setattr(PixelCNNPrior, "together", 2)  # an item and its twin
    assert torch.equal(sample_of(prior, [1], guidance=3.0), guided)
