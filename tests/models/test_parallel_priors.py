"""The priors of photos and speech: each code once, nothing of what is not known yet, integers near the floats."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_priors import PHOTO, PHOTO_PRIOR, SPEECH_PRIOR, draw_codes, draw_model, draw_prior

from vqc.entropy.tables import ideal_bits
from vqc.errors import CheckpointError
from vqc.models.base import CodecModel
from vqc.models.config import config_to_dict
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.kinds import build_prior, prior_kind_named
from vqc.models.photo.model import PhotoModel
from vqc.models.photo.prior import PhotoPrior
from vqc.models.prior import CodePrior
from vqc.nn.integer import LOGIT, ONE, dequantized
from vqc.nn.sliced import slices_in

IMAGES = [(1, 1), (1, 9), (5, 1), (3, 4), (17, 10)]
RECORDINGS = [(1,), (2,), (5,), (23,)]
GRIDS = {"photo": IMAGES, "photo-stepped": IMAGES, "speech": RECORDINGS, "speech-stepped": RECORDINGS}
FINER = {
    "photo": {"spatial_passes": (2, 3, 2, 4), "channel_steps": (1, 2, 3, 1)},
    "speech": {"extra_coarse_levels": (1, 2, 3), "channel_steps": (2, 1, 1, 1, 3)},
}
CASES = [(kind, 2, grid) for kind, grids in GRIDS.items() for grid in grids]
CASES += [(kind, 1, grids[-1]) for kind, grids in GRIDS.items()]  # of fewer maps
each_case = pytest.mark.parametrize(("kind", "quality", "grid"), CASES)
each_kind = pytest.mark.parametrize("kind", GRIDS)


@pytest.fixture(scope="module")
def models() -> dict[str, CodecModel]:
    return {kind: draw_model(kind) for kind in GRIDS}


@pytest.fixture(scope="module")
def fixed(models: dict[str, CodecModel]) -> dict[str, CodePrior]:
    priors = {kind: draw_prior(model, kind) for kind, model in models.items()}
    for prior in priors.values():
        prior.quantize_()
    return priors


@each_case
def test_every_code_comes_once_and_what_is_not_known_makes_no_difference(
    kind: str, quality: int, grid: tuple[int, ...], models: dict[str, CodecModel], fixed: dict[str, CodePrior]
) -> None:
    codes = draw_codes(models[kind], quality, grid, items=2)
    filling = draw_codes(models[kind], quality, grid, items=2, seed=1)
    wanted = [(index.clone(), logits.clone()) for index, logits in fixed[kind].coding_steps(codes, quality)]
    sizes = models[kind].codebook_sizes(quality)
    for index, logits in wanted:
        group = index // math.prod(grid) % len(sizes)
        assert {sizes[g] for g in group.tolist()} == {logits.shape[1]}
        assert torch.equal(16 * logits, (16 * logits).floor())  # units of features times units of coefficients
    assert torch.equal(torch.cat([index for index, _ in wanted]).sort()[0], torch.arange(codes.numel()))
    for (index, logits), (same_index, same_logits) in zip(
        fixed[kind].coding_steps(filling, quality), wanted, strict=True
    ):
        assert torch.equal(index, same_index)
        assert torch.equal(logits, same_logits)
        filling.view(-1)[index] = codes.view(-1)[index]


@each_kind
def test_items_do_not_see_each_other(kind: str, models: dict[str, CodecModel], fixed: dict[str, CodePrior]) -> None:
    codes = draw_codes(models[kind], 2, GRIDS[kind][-1], items=3)
    together = torch.zeros(codes.shape)
    for index, logits in fixed[kind].coding_steps(codes, 2):
        together.view(-1)[index] = logits.logsumexp(1).float()
    for item in range(3):
        alone = torch.zeros(codes[:1].shape)
        for index, logits in fixed[kind].coding_steps(codes[item : item + 1].clone(), 2):
            alone.view(-1)[index] = logits.logsumexp(1).float()
        assert torch.equal(alone[0], together[item])


@each_kind
def test_what_is_known_does_make_a_difference(
    kind: str, models: dict[str, CodecModel], fixed: dict[str, CodePrior]
) -> None:
    """Each slice of code maps changes something later, in its own map or another."""
    codes = draw_codes(models[kind], 2, GRIDS[kind][-2])
    before = fixed[kind].bits(codes, 2)
    for group in range(codes.shape[1] - 1):
        other = codes.clone()
        other[:, group] = torch.where(codes[:, group] == 0, 1, 0)
        assert int((fixed[kind].bits(other, 2) != before).sum()) > codes[:, group].numel() // 2, group


@each_kind
def test_integers_cost_what_floats_do(kind: str, models: dict[str, CodecModel], fixed: dict[str, CodePrior]) -> None:
    codes = draw_codes(models[kind], 2, GRIDS[kind][-1], items=4)
    floats = draw_prior(models[kind], kind).bits(codes, 2)
    assert float(fixed[kind].bits(codes, 2).sum()) == pytest.approx(float(floats.sum().detach()), rel=0.01)


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("kind", ["photo", "photo-stepped"])
@pytest.mark.parametrize("quality", [1, 2])
def test_tilts_are_the_bits_of_entries(
    quality: int, kind: str, integers: bool, models: dict[str, CodecModel], fixed: dict[str, CodePrior]
) -> None:
    """But for what all entries of a position have in common."""
    prior, grid = fixed[kind] if integers else draw_prior(models[kind], kind), (6, 7)
    assert isinstance(prior, PhotoPrior)
    codes = draw_codes(models[kind], quality, grid, items=2)
    by_map = list[torch.Tensor]()  # [B · h · w, K] of each map
    for coefficients, features in prior.tilts(codes, quality, 2):
        by_map += (coefficients @ features).detach().unbind()
    assert len(by_map) == codes.shape[1] - 3
    positions = math.prod(grid)
    for index, logits in prior.coding_steps(codes, quality):
        item, group, place = index // codes[0].numel(), index // positions % codes.shape[1], index % positions
        if int(group[0]) >= 3:
            tilts = torch.stack([by_map[g - 3][row] for g, row in zip(group, item * positions + place, strict=True)])
            bits = logits.detach() / (-math.log(2) * (LOGIT if integers else 1))  # [n, K]
            relative = (each - each.mean(1, keepdim=True) for each in (tilts, bits))
            torch.testing.assert_close(*relative, rtol=1e-4, atol=1e-3)


@each_kind
def test_chosen_positions_cost_what_they_do_among_all(kind: str, models: dict[str, CodecModel]) -> None:
    prior, codes = draw_prior(models[kind], kind), draw_codes(models[kind], 2, GRIDS[kind][-1], items=2)
    chosen = torch.rand(2, *GRIDS[kind][-1], generator=torch.Generator().manual_seed(0)) < 0.4
    with torch.inference_mode():
        places = torch.cat([index for index, _ in prior.coding_steps(codes, 2)])
        costs = torch.zeros(codes.numel()).index_put_((places,), prior.bits(codes, 2)).view(codes.shape)
        picked = prior.bits(codes, 2, chosen)
    assert len(picked) == int(chosen.sum()) * codes.shape[1]
    assert float(picked.sum()) == pytest.approx(float((costs * chosen[:, None]).sum()), rel=1e-4)


def test_untrained_details_cost_what_the_tables_say(models: dict[str, CodecModel]) -> None:
    model = models["photo"]
    torch.manual_seed(0)
    prior = PhotoPrior(PHOTO_PRIOR, model)
    prior.initialise(model)
    codes = draw_codes(model, 2, (6, 7))
    detail = sum(
        float(torch.nn.functional.cross_entropy(logits.detach(), codes.view(-1)[index], reduction="sum"))
        for index, logits in prior.coding_steps(codes, 2)
        if int(index[0]) >= 3 * 42
    ) / math.log(2)
    tables = model.static_frequencies(2)[3:]
    assert detail == pytest.approx(ideal_bits(codes[0, 3:].flatten(1).numpy(), tables), rel=1e-3)


@each_kind
def test_a_prior_travels_in_the_file_of_its_model(kind: str, tmp_path, models: dict[str, CodecModel]) -> None:
    plain = draw_model(kind)
    described = {"name": "tiny", "training": {}, "figures": {}, "weights": "float16"}
    first = save_checkpoint(tmp_path / "plain.safetensors", plain, **described)
    stored = load_checkpoint(tmp_path / "plain.safetensors").model
    stored.attach_prior(draw_prior(stored, kind))
    codes = draw_codes(stored, 2, GRIDS[kind][-1])
    second = save_checkpoint(
        tmp_path / "both.safetensors", stored, **described, parts={"prior": {"figures": {"saving": 7}}}
    )
    loaded = load_checkpoint(tmp_path / "both.safetensors")
    assert first != second == loaded.info.digest
    assert loaded.info.prior["kind"] == plain.kind
    assert loaded.model.prior.config == stored.prior.config
    assert loaded.info.prior["figures"] == {"saving": 7}
    assert loaded.info.prior["parameters"] > 100
    assert torch.equal(loaded.model.prior.bits(codes, 2), stored.prior.bits(codes, 2))
    assert save_checkpoint(tmp_path / "again.safetensors", loaded.model, **described) == second


def test_a_prior_of_another_kind_of_model_is_refused(models: dict[str, CodecModel]) -> None:
    with pytest.raises(CheckpointError, match="model of kind photo, not speech"):
        build_prior("photo", {}, models["speech"])
    with pytest.raises(CheckpointError, match="do not add up"):
        build_prior("photo", config_to_dict(PHOTO_PRIOR) | {"slices": [[13]]}, models["photo"])
    with pytest.raises(CheckpointError, match="not known"):
        prior_kind_named("oracle")


def test_a_prior_that_would_not_be_exact_is_refused(tmp_path) -> None:
    model = draw_model("photo")
    model.attach_prior(draw_prior(model))
    next(layer for name, layer in model.prior.named_buffers() if name.endswith("weight")).fill_(65)
    save_checkpoint(tmp_path / "model.safetensors", model, name="tiny", training={}, figures={})
    with pytest.raises(CheckpointError, match="would not be exact"):
        load_checkpoint(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("kind", "steps"), [("photo", 27), ("photo-stepped", 33), ("speech", 20), ("speech-stepped", 46)]
)
def test_the_number_of_steps_does_not_grow_with_the_grid(
    kind: str, steps: int, fixed: dict[str, CodePrior], models: dict[str, CodecModel]
) -> None:
    for side in (24, 40):  # larger steps would be cut, to fit a cache
        codes = draw_codes(models[kind], 2, (side,) * len(GRIDS[kind][0]))
        assert sum(1 for _ in fixed[kind].coding_steps(codes, 2)) == steps


@pytest.mark.parametrize(("kind", "grid"), [("photo", (9, 11)), ("speech", (40,))])
def test_a_finer_order_begins_as_the_coarser_one(
    kind: str, grid: tuple[int, ...], models: dict[str, CodecModel]
) -> None:
    """Each pass and step that is added knows more, and makes nothing of it before it is trained."""
    model, known = models[kind], draw_prior(models[kind], kind)
    known.quantize_()
    finer = type(known)(replace(known.config, **FINER[kind]), model)
    finer.load_state_dict(dequantized(known, finer), strict=False)
    finer.prepare(model)
    codes = draw_codes(model, 2, grid)
    costs = {}
    for prior in (known, finer):
        places = torch.cat([index for index, _ in prior.coding_steps(codes, 2)])
        costs[prior] = torch.zeros(codes.numel()).index_put_((places,), prior.bits(codes, 2).float().detach())
    assert torch.allclose(costs[known], costs[finer], atol=0.1)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("photo", "spatial_passes", (2, 2, 2)),
        ("photo", "channel_steps", (1, 0, 1, 1)),
        ("speech", "channel_steps", (1, 1, 1, 1)),
        ("speech", "extra_coarse_levels", (1, 1)),
        ("speech", "extra_coarse_levels", (0, -1, 0)),
    ],
)
def test_an_order_that_fits_no_slices_is_refused(
    kind: str, name: str, value: tuple[int, ...], models: dict[str, CodecModel]
) -> None:
    config = {"photo": PHOTO_PRIOR, "speech": SPEECH_PRIOR}[kind]
    with pytest.raises(CheckpointError, match=name):
        build_prior(kind, config_to_dict(config) | {name: list(value)}, models[kind])


def test_a_prior_moves_to_codebooks_that_are_cut_otherwise() -> None:
    old = draw_model("photo")
    prior = draw_prior(old)
    prior.quantize_()
    assert isinstance(prior, PhotoPrior)
    before = [part.groups.table / ONE for part in slices_in(prior.slices)]
    cut = [(0, 0, 1), (0, 1, 3), (1, 0, 3), (1, 3, 4)]  # which groups of which shape are shapes of the other model
    shapes = tuple((stop - start, *PHOTO.shapes[i][1:]) for i, start, stop in cut)
    entries = tuple(tuple(used[i] for i, _, _ in cut) for used in PHOTO.entries)
    new = PhotoModel(replace(PHOTO, shapes=shapes, entries=entries))
    for shape, (i, start, stop) in enumerate(cut):
        new.quantizer.whole_codebooks()[shape].copy_(old.quantizer.whole_codebooks()[i][:, start:stop])
    new.set_static_table(old.static_table.numpy())
    like = PhotoPrior(replace(PHOTO_PRIOR, slices=tuple((stop - start,) for _, start, stop in cut)), new)
    prior.remap_codebooks(old, new, like)
    like.load_state_dict(dequantized(prior, like))
    for part, table in zip(slices_in(like.slices), before, strict=True):
        assert (part.groups.table - table).abs().max() < 2 / ONE


def test_a_prior_moves_with_its_codebooks() -> None:
    """Entries in the opposite order have what was said of them in the opposite order."""
    old, new = draw_model("photo"), draw_model("photo")
    assert isinstance(old, PhotoModel)
    assert isinstance(new, PhotoModel)
    prior = draw_prior(old)
    prior.quantize_()
    assert isinstance(prior, PhotoPrior)
    for part in slices_in(prior.slices):
        part.groups.table += torch.randint(-500, 500, part.groups.table.shape)
    for i in (0, 1):
        codebooks = [model.quantizer.whole_codebooks()[i] for model in (old, new)]
        for level, used in enumerate(old.quantizer.active_sizes):
            apart = 10_000 * codebooks[0][level]  # so that each is the only counterpart of itself
            codebooks[0][level], codebooks[1][level, :, : used[i]] = apart, apart[:, : used[i]].flip(1)
    for quality in range(3):
        for row, size in zip(new.static_table[quality], new.codebook_sizes(quality + 1), strict=False):
            row[:size] = row[:size].flip(0)
    before = [part.groups.table.clone() for part in slices_in(prior.slices)]
    prior.remap_codebooks(old, new, prior)
    for part, table in zip(slices_in(prior.slices), before, strict=True):
        for level, used in enumerate(part.groups.active_sizes):
            sent = max(0, min(part.count, len(old.codebook_sizes(level + 1)) - part.first))
            turned = part.groups.table[level, :sent, :used].flip(1)
            assert (turned - table[level, :sent, :used]).abs().max() <= 1 if sent else True
