"""The encoder's search finds, of each group, the entry of least error + λ · bits."""

from __future__ import annotations

import pytest
import torch
from tiny_priors import draw_model, draw_prior
from torch import Tensor

from vqc.devices import only_float32
from vqc.models.base import CodecModel, ImageModel
from vqc.models.photo import search as photo_search
from vqc.models.photo.search import CONTEXT, PhotoSearch, TileSearch
from vqc.models.speech.model import PITCHES
from vqc.models.speech.search import SpeechSearch
from vqc.nn.ecvq import GroupedECVQ, to_rows
from vqc.nn.sliced import slices_in

MODELS = {kind: draw_model(kind) for kind in ("photo", "speech")}
LAMBDA_SCALES = (0.3, 1.0, 4.0)


def group_by_group(quantizer: GroupedECVQ, latents: Tensor, index: int, costs: Tensor) -> Tensor:
    """Codes [N, G] of latents [N, dims] with costs [G, K]: all distances, in float64, one group after the other."""
    codes, first = [], 0
    for group, costs_of_group in enumerate(costs.double()):
        entries = quantizer.entries(group, index).double()  # [K, D]
        z = latents[:, first : first + entries.shape[1]].double()  # [N, D]
        first += entries.shape[1]
        errors = (z[:, None] - entries).square().sum(-1)  # [N, K]
        codes.append((errors + costs_of_group[: len(entries)]).argmin(-1))
    return torch.stack(codes, 1)


@pytest.mark.parametrize("lambda_scale", LAMBDA_SCALES)
@pytest.mark.parametrize("quality", [1, 2])
@torch.inference_mode()
def test_photo_codes_are_those_of_a_search_group_by_group(quality: int, lambda_scale: float) -> None:
    model, inner = MODELS["photo"], (slice(1, 3), slice(0, 4))
    search = PhotoSearch(model, torch.rand(2, 3, 48, 64), quality, inner)
    codes = search.search(model.static_bits(quality), lambda_scale)
    costs = lambda_scale * model.static_bits(quality)[3:]
    rows = to_rows(search.ac[:, :, *inner])
    assert torch.equal(to_rows(codes[:, 3:]), group_by_group(model.quantizer, rows, quality - 1, costs))
    assert torch.equal(codes[:, :3], search.codes[:, :3])  # DC codes are the nearest


@pytest.mark.parametrize("lambda_scale", LAMBDA_SCALES)
@pytest.mark.parametrize("quality", [1, 2])
@torch.inference_mode()
def test_speech_codes_are_those_of_a_search_group_by_group(quality: int, lambda_scale: float) -> None:
    model, frames = MODELS["speech"], slice(2, 9)
    waveform = 0.1 * torch.randn(2, 12 * model.hop_length)
    search = model.encoder_search(waveform, quality, (frames,))
    assert isinstance(search, SpeechSearch)
    codes = search.search(model.static_bits(quality), lambda_scale)
    costs, split = lambda_scale * model.static_bits(quality), PITCHES + model.envelope_vq.count
    assert torch.equal(codes[:, :PITCHES], search.codes[:, :PITCHES])  # pitch stays as it was tracked
    rows = search.envelope[:, frames].flatten(0, 1)
    found = group_by_group(model.envelope_vq, rows, quality - 1, costs[PITCHES:split])
    assert torch.equal(to_rows(codes[:, PITCHES:split]), found)
    if codes.shape[1] == split:
        return
    envelope = model.dequantize_envelope(search.window_with(codes)[:, PITCHES:split].transpose(1, 2), quality)
    latents = model.mdct_latents(waveform, envelope, quality).unflatten(1, (-1, PITCHES))  # [B, T, 4, dims]
    for frame in range(PITCHES):
        own = slice(split + frame * model.waveform_vq.count, split + (frame + 1) * model.waveform_vq.count)
        rows = latents[:, frames, frame].flatten(0, 1)
        assert torch.equal(to_rows(codes[:, own]), group_by_group(model.waveform_vq, rows, quality - 1, costs[own]))


def test_a_quality_of_speech_has_waveform_codes() -> None:
    """So that the test above has looked at them."""
    model = MODELS["speech"]
    assert any(len(model.codebook_sizes(q)) > PITCHES + model.envelope_vq.count for q in (1, 2))


@pytest.mark.parametrize("kind", MODELS)
@torch.inference_mode()
def test_before_a_search_codes_are_those_of_encode(kind: str) -> None:
    model = MODELS[kind]
    signal, inner = signal_of(model)
    codes = model.encode(signal, 2)[(slice(None), slice(None), *inner)]
    assert torch.equal(model.encoder_search(signal, 2, inner).codes, codes)


@torch.inference_mode()
def test_without_a_choice_every_price_gives_the_codes_of_encode(image_model: ImageModel) -> None:
    signal, inner = signal_of(image_model.eval())
    search = image_model.encoder_search(signal, 1, inner)
    codes = image_model.encode(signal, 1)[(slice(None), slice(None), *inner)]
    assert not search.refines
    assert torch.equal(search.search(image_model.static_bits(1), 100.0), codes)


def signal_of(model: CodecModel) -> tuple[Tensor, tuple[slice, ...]]:
    if isinstance(model, ImageModel):
        return torch.rand(1, 3, 48, 64), (slice(1, 3), slice(0, 4))
    return 0.1 * torch.randn(1, 12 * model.hop_length), (slice(2, 9),)


@pytest.mark.parametrize("quality", [1, 2])
@torch.no_grad()
def test_latents_are_means_of_aims(quality: int) -> None:
    """With the same codes the aim is the same: of what the first step leaves, the second goes its share."""
    model = draw_model("photo")
    torch.nn.init.normal_(model.synthesis.project.weight)  # so that the decoder is not the transform alone
    search = PhotoSearch(model, torch.rand(1, 3, 48, 64), quality)
    codes = search.search(model.static_bits(quality))
    dc_codes, predicted, latents = search._window_codes, search.predicted, [search.latents]
    for _ in range(2):
        search._window_codes, search.predicted = dc_codes, predicted
        search.refine(codes)
        latents.append(search.latents)
    first, then = latents[1] - latents[0], latents[2] - latents[1]
    assert first.abs().max() > 0.1
    one, two = (search.steps.step(index)[1] for index in range(2))
    torch.testing.assert_close(then, first / one * (1 - one) * two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("lambda_scale", LAMBDA_SCALES)
@pytest.mark.parametrize("quality", [1, 2])
@torch.no_grad()
def test_refined_codes_are_weighed_by_the_prior(
    quality: int, lambda_scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the codes of the first choice."""
    monkeypatch.setattr(photo_search, "PRIOR_SHAPES", 1)
    model, inner = draw_model("photo"), (slice(1, 3), slice(0, 4))
    model.prior = draw_prior(model).requires_grad_(False)
    for part in slices_in(model.prior.slices):
        part.groups.coefficients.weight.mul_(30)  # a prior that says something
    search, bits = PhotoSearch(model, torch.rand(2, 3, 48, 64), quality, inner), model.static_bits(quality)
    first = search.search(bits)
    window = search.window_with(first).contiguous()
    search.refine(first)
    codes = search.search(bits, lambda_scale)
    (tilts,) = model.prior.tilts(window, quality, 1)  # of groups of one dimension
    for group, (coefficients, features) in enumerate(zip(*tilts, strict=True)):
        tables, prior = bits[3 + group, : features.shape[1]], coefficients @ features  # [K], [B · h · w, K]
        costs = tables + photo_search.PRIOR_SHARE * (prior - tables)
        z = to_rows(search.ac[:, group : group + 1])  # [B · h · w, 1]
        errors = (z - model.quantizer.entries(group, quality - 1)[:, 0]).square()
        found = (errors + lambda_scale * costs).argmin(1).view(2, 3, 4)[:, *inner]
        assert torch.equal(codes[:, 3 + group], found)
    others, search.tilts = slice(3 + len(tilts.features), None), []
    assert torch.equal(codes[:, others], search.search(bits, lambda_scale)[:, others])  # by the tables
    assert not torch.equal(codes, search.search(bits, lambda_scale))


@pytest.mark.parametrize("quality", [1, 2])
@torch.inference_mode()
def test_codes_of_a_tile_are_those_of_its_parts(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PART", "LINEAR_PART"):
        monkeypatch.setattr(photo_search, name, (2, 4))
    model, image, bits = MODELS["photo"], torch.rand(1, 3, 16 * 8, 16 * 9), MODELS["photo"].static_bits(quality)
    tile = model.encoder_search(image, quality, (slice(1, 7), slice(0, 6)))  # parts of 2 x 4 and 2 x 2 codes
    assert isinstance(tile, TileSearch)
    rows, columns = slice(3, 5), slice(4, 6)  # of one of them, in the image
    around = image[:, :, 16 * (3 - CONTEXT) : 16 * (5 + CONTEXT), 16 * (4 - CONTEXT) : 16 * (6 + CONTEXT)]
    part = PhotoSearch(model, around, quality, (slice(CONTEXT, CONTEXT + 2),) * 2, of_tile=True)
    place = (..., slice(rows.start - 1, rows.stop - 1), columns)
    assert torch.equal(tile.codes[place], part.codes)
    for _ in range(3):
        found = part.search(bits)
        assert torch.equal(tile.search(bits)[place], found)
        tile.refine(tile.search(bits))
        part.refine(found)
    assert torch.equal(tile.search(bits)[place], part.search(bits))


def test_a_linear_step_is_the_whole_one_where_the_decoder_is_the_transform() -> None:
    model = draw_model("photo")
    project = model.synthesis.project  # of what the network adds
    torch.nn.init.zeros_(project.weight)
    torch.nn.init.zeros_(project.bias)
    with torch.inference_mode(), only_float32():
        search = PhotoSearch(model, torch.rand(1, 3, 48, 64), 1)
        decoded = search.latents + torch.randn_like(search.latents)
        for rotated in (False, True):
            step = search.error.linear_step(decoded, rotated=rotated)
            assert step.abs().max() > 0.1
            torch.testing.assert_close(step, search.error.step(decoded, rotated=rotated))


def test_first_steps_are_linear_and_later_ones_ever_shorter() -> None:
    steps = photo_search.Steps((0.5, 0.25), (0.2,))
    taken = [(True, 0.5), (True, 0.25), (False, 0.2), (False, 1 / 6), (False, 1 / 7)]
    assert [steps.step(index) for index in range(5)] == [(linear, pytest.approx(share)) for linear, share in taken]
    assert [steps.step(index, of=2) for index in range(2)] == [(True, 0.5), (False, 0.2)], "the last one is short"
    assert steps.step(0, of=1) == (True, 0.5), "a single one is not"
    assert steps.step(1, of=4) == (True, 0.25)
    assert photo_search.Steps((0.5,), ()).step(1) == (False, pytest.approx(1 / 3))


def test_gains_fall_from_coarse_to_fine() -> None:
    gains = photo_search.Gains(0.5, 0.4).of(torch.zeros(2, 1000, 3, 4))
    assert gains.shape == (1000, 1, 1)
    assert gains[0] == pytest.approx(0.9)
    assert gains[60] == pytest.approx(0.7)
    assert (gains.diff(dim=0) < 0).all()
    assert gains.min() > 0.5


@pytest.mark.parametrize("quality", [1, 3])
def test_usual_effort_is_that_of_the_search(quality: int) -> None:
    """A tile of a large photo may have less than an image of one window."""
    model, image = MODELS["photo"], torch.rand(1, 3, 16 * 8, 16 * 9)
    plan = photo_search.plan_of(model.lambdas[quality - 1])
    assert model.encoder_search(image, quality).default_effort == plan.window.count
    assert model.encoder_search(image, quality, (slice(1, 7), slice(0, 6))).default_effort == plan.tile.count
