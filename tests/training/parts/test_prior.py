"""The task of priors: batches from the cache, figures that a hand computes the same."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_priors import STEPPED_PRIOR, draw_codes, draw_model, draw_prior

from vqc.data.batches import Shard
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.errors import TrainingError
from vqc.models.base import AudioModel, ImageModel
from vqc.models.kinds import build_prior
from vqc.models.photo.prior import PhotoPrior
from vqc.nn.integer import dequantized
from vqc.training.parts.code_cache import CachedCodes, open_codes
from vqc.training.parts.prior import PriorTask, PriorTaskConfig, relative_weights
from vqc.training.parts.prior_recipe import check_grown, labels_of, widened


class Images:
    """Diagonal waves in grey: neighbours and colours tell of each other."""

    digest = "waves"
    training, validation = list(range(10)), list(range(10, 16))

    def image(self, i: int) -> NDArray[np.uint8]:
        height, width = (24, 40) if i % 5 else (44, 36)
        y, x = np.mgrid[:height, :width]
        grey = 127 + 120 * np.sin((x + y) / 9 + i)
        return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


class Recordings:
    digest = "tones"
    training, validation = [0, 1, 2], [3]

    def waveform(self, i: int) -> NDArray[np.float32]:
        return (0.5 * np.sin(np.arange(3000 + 100 * i) / 20)).astype(np.float32)


@pytest.fixture
def codes(image_model: ImageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, CachedCodes]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return {quality: open_codes(image_model, "a" * 64, Images(), quality) for quality in (1, 2)}


def make_task(model: ImageModel, codes: dict[int, CachedCodes], *, seed: int = 0, **fields: int) -> PriorTask:
    torch.manual_seed(0)
    prior = build_prior("pixelcnn", {"width": 12, "layers": 3, "head_width": 12, "code_dim": 6, "block": 16}, model)
    prior.initialise(model)
    return PriorTask(prior, model, codes, PriorTaskConfig(batch_size=4, crop=6, **fields), seed=seed)


def test_batches_are_a_function_of_seed_and_step(image_model: ImageModel, codes: dict[int, CachedCodes]) -> None:
    task, same = make_task(image_model, codes), make_task(image_model, codes)
    task.batch(5)
    for step in (7, 8):
        first, second = task.batch(step), same.batch(step)
        assert torch.equal(first.codes, second.codes)
        assert torch.equal(first.chosen, second.chosen)
    assert not torch.equal(task.batch(7).codes, task.batch(9).codes)
    assert not torch.equal(task.batch(7).codes, make_task(image_model, codes, seed=1).batch(7).codes)
    assert [task.batch(step).quality for step in range(4)] == [1, 2, 1, 2]


def test_crops_are_cut_from_training_streams_of_their_quality(
    image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    streams = codes[1].training
    windows = {
        streams[i][:, y : y + 6, x : x + 6].tobytes()
        for i in range(len(streams))
        for y in range(streams.grids[i, 0] - 5)
        for x in range(streams.grids[i, 1] - 5)
    }
    drawn = make_task(image_model, codes).batch(0).codes
    assert drawn.shape == (4, 3, 6, 6)
    assert all(crop.numpy().astype(np.uint16).tobytes() in windows for crop in drawn)


def test_every_crop_is_as_likely_as_any_other_but_for_the_chances(
    image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    streams = codes[1].training
    weights = {item: 3.0 if item == 4 else 0.0 if item == 7 else 1.0 for item in streams.items.tolist()}
    task = PriorTask(
        make_task(image_model, codes).model,
        image_model,
        {1: codes[1]},
        PriorTaskConfig(batch_size=3000, crop=2),
        weights=weights,
    )
    crops = np.array([10 * 8 if i % 5 == 0 else 5 * 9 for i in range(10)]) * [1, 1, 1, 1, 3, 1, 1, 0, 1, 1]
    np.testing.assert_allclose(np.diff(task._draws[1].ends, prepend=0), crops)
    first = task.batch(0).codes[:, 0, 0, 0]
    histograms = [np.bincount(streams[i][0, :-1, :-1].ravel(), minlength=16) for i in range(10)]
    shares = [histogram / histogram.sum() for histogram in histograms]
    np.testing.assert_allclose(np.bincount(first, minlength=16) / 3000, crops / crops.sum() @ shares, atol=0.03)


@pytest.mark.parametrize(("crop", "shape"), [(9, (9, 9)), (99, (6, 9))])
def test_crops_are_as_large_as_they_can_be(
    crop: int, shape: tuple[int, int], image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    """Streams that are too small for a crop are left out, unless most are: then crops are smaller."""
    images = Images()
    images.digest, images.training = "more large waves", [0, 5, 10, 1]  # three of 11 x 9, one of 6 x 10
    cached = {1: open_codes(image_model, "a" * 64, images, 1)}
    config = PriorTaskConfig(batch_size=30, crop=crop)
    task = PriorTask(make_task(image_model, codes).model, image_model, cached, config)
    assert task.batch(0).codes.shape == (30, 3, *shape)


def test_processes_together_take_the_whole_batch(image_model: ImageModel, codes: dict[int, CachedCodes]) -> None:
    task = make_task(image_model, codes, codes_per_step=4 * 3 * 10)
    prior, config = task.model, task.config
    whole = task.batch(6)
    halves = [PriorTask(prior, image_model, codes, config, shard=Shard(r, 2)).batch(6) for r in (0, 1)]
    assert torch.equal(torch.cat([half.codes for half in halves]), whole.codes)
    assert torch.equal(torch.cat([half.chosen for half in halves]), whole.chosen)
    losses = [float(task.loss(half, 6).total.detach()) for half in halves]
    assert float(task.loss(whole, 6).total.detach()) == pytest.approx(np.mean(losses), rel=1e-5)


def test_few_positions_are_drawn_where_there_are_many_codes(
    image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    batch = make_task(image_model, codes, codes_per_step=4 * 3 * 10 + 5).batch(0)
    assert batch.chosen.flatten(1).sum(1).tolist() == [10] * 4
    assert make_task(image_model, codes).batch(0).chosen.all()


def test_the_loss_is_the_bits_of_the_chosen_positions(image_model: ImageModel, codes: dict[int, CachedCodes]) -> None:
    """In a unit that grows with the root of the entropy of a quality."""
    task = make_task(image_model, codes, codes_per_step=4 * 3 * 10)
    totals = []
    for step in (0, 1):
        batch = task.batch(step)
        losses = task.loss(batch, step)
        bits = task.model.bits(batch.codes, batch.quality, batch.chosen)
        counted = int(batch.chosen.sum())
        assert len(bits) == counted * batch.codes.shape[1]
        assert 60 < len(bits) <= 120
        assert float(losses.logged["bits_per_code"]) == pytest.approx(float(bits.mean().detach()), rel=1e-5)
        totals.append(float(losses.total.detach()) / float(bits.sum().detach()) * counted)
    entropies = []
    for quality in (1, 2):
        chances = image_model.static_frequencies(quality) / 65536
        entropies.append(-sum(float(p * np.log2(p)) for p in chances.ravel() if p))
    assert totals[0] / totals[1] == pytest.approx(math.sqrt(entropies[1] / entropies[0]), rel=1e-5)
    assert totals[0] * entropies[0] * totals[1] * entropies[1] == pytest.approx(1, rel=1e-5)


def test_validation_is_the_cross_entropy_by_hand(
    monkeypatch: pytest.MonkeyPatch, image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    task = make_task(image_model, codes)
    torch.nn.init.normal_(task.model.groups.output_proj.weight, std=0.3, generator=torch.Generator().manual_seed(0))
    task.model.eval()
    monkeypatch.setattr(task, "_rounds", True)  # of the network as it is: validation would round it
    per_code, static, per_dim = [], [], []
    for quality in (1, 2):
        streams, table = codes[quality].validation, image_model.static_frequencies(quality)
        bits = zero = count = 0.0
        for i in range(len(streams)):
            raw = torch.from_numpy(streams[i].astype(np.int64))
            for index, logits in task.model.coding_steps(raw[None], quality):
                chances = logits.detach().double().softmax(1)
                bits -= float(chances[torch.arange(len(index)), raw.flatten()[index]].log2().sum())
            symbols = image_model.to_symbols(raw.numpy())
            zero -= sum(math.log2(table[g, k] / 65536) for g in range(len(raw)) for k in symbols[g].ravel())
            count += raw.numel()
        per_code.append(bits / count)
        static.append(zero / count)
        per_dim.append(bits / sum(Images().image(i).size for i in Images.validation))
    shares = np.array(per_code) / static
    figures = task.validate()
    assert figures["bits_per_code"] == pytest.approx(np.mean(per_code), rel=1e-5)
    assert figures["bits_per_code_static"] == pytest.approx(np.mean(static), rel=1e-9)
    assert figures["bits_per_dim"] == pytest.approx(np.mean(per_dim), rel=1e-5)
    assert figures["score"] == pytest.approx(shares.mean(), rel=1e-5)
    assert figures["saving_percent"] == pytest.approx(100 * (1 - shares.mean()), abs=1e-3)
    assert figures["bits_per_code_2"] == pytest.approx(per_code[1], rel=1e-5)
    assert figures["saving_percent_1"] == pytest.approx(100 * (1 - shares[0]), abs=1e-3)


def test_validation_looks_at_as_many_codes_as_asked_for(
    image_model: ImageModel, codes: dict[int, CachedCodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(image_model, codes, validation_codes=500)
    seen = []
    original = task.model.bits
    monkeypatch.setattr(task.model, "bits", lambda c, q: seen.append(c.numel()) or original(c, q))
    task.measure(1)
    assert 250 < sum(seen) <= 500


def test_weights_do_not_count_the_length_twice() -> None:
    dataset = object.__new__(AudioDataset)
    dataset.training, dataset.lengths = [0, 2], np.array([100, 7, 300])
    dataset.probabilities = np.array([0.25, 0.75])  # in proportion to the lengths
    weights = relative_weights(dataset)
    assert weights is not None
    assert weights[0] == pytest.approx(weights[2])
    images = object.__new__(ImageDataset)
    images.training, images.probabilities = [1, 4], np.array([0.1, 0.9])
    assert relative_weights(images) == {1: 0.1, 4: 0.9}
    images.probabilities = None
    assert relative_weights(images) is None


def test_sequences_are_learnt_below_their_tables(
    audio_model: AudioModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    streams = {1: open_codes(audio_model, "a" * 64, Recordings(), 1)}
    torch.manual_seed(0)
    config = {"width": 16, "skip_width": 16, "dilations": [1, 2], "head_width": 16, "code_dim": 4}
    prior = build_prior("wavenet", config, audio_model)
    prior.initialise(audio_model)
    task = PriorTask(prior, audio_model, streams, PriorTaskConfig(batch_size=4, frames=40))
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for step in range(40):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    prior.eval()
    assert task.validate()["saving_percent"] > 25


@torch.no_grad()
@pytest.mark.parametrize("kind", ["photo", "speech", "pixelcnn"])
def test_integers_turned_back_to_floats_become_the_same_integers(kind: str, image_model: ImageModel) -> None:
    codec = image_model if kind == "pixelcnn" else draw_model(kind)
    fixed, floats = (
        build_prior(kind, {"width": 8, "layers": 2}, codec) if codec is image_model else draw_prior(codec)
        for _ in range(2)
    )
    fixed.quantize_()
    for parameter in floats.parameters():
        torch.nn.init.zeros_(parameter)
    floats.load_state_dict(dequantized(fixed, floats))
    codes = draw_codes(codec, 2, (9,) if kind == "speech" else (3, 5))
    assert float(floats.bits(codes, 2).sum()) == pytest.approx(float(fixed.bits(codes, 2).sum()), rel=1e-3)
    floats.quantize_()
    again, state = floats.state_dict(), fixed.state_dict()
    assert again.keys() == state.keys()
    for name, integers in state.items():
        assert (again[name] - integers).abs().max() <= (2 if name.endswith("bias") else 0), name


@torch.no_grad()
def test_a_wider_prior_begins_as_the_narrow_one() -> None:
    codec, narrow = draw_model("photo"), draw_prior(draw_model("photo"), "photo-stepped")
    config = replace(STEPPED_PRIOR, width=12, head_width=9, dc_width=10)
    wide = PhotoPrior(config, codec)
    wide.load_state_dict(widened(wide, narrow.state_dict()))
    wide.prepare(codec)
    codes = draw_codes(codec, 2, (3, 5))
    torch.testing.assert_close(wide.bits(codes, 2), narrow.bits(codes, 2))
    for parameter in wide.parameters():
        parameter.add_(0.1)
    assert not torch.allclose(wide.bits(codes, 2), narrow.bits(codes, 2)), "what is new has an effect once trained"


def test_a_narrower_prior_or_another_one_is_refused() -> None:
    path = Path("model.safetensors")
    check_grown(path, STEPPED_PRIOR, replace(STEPPED_PRIOR, width=12))
    check_grown(path, STEPPED_PRIOR, replace(STEPPED_PRIOR, ends_early=True))
    with pytest.raises(TrainingError, match=r"the prior in model\.safetensors is wider; raise model\.width to 12"):
        check_grown(path, replace(STEPPED_PRIOR, width=12), STEPPED_PRIOR)
    with pytest.raises(TrainingError, match="of the same"):
        check_grown(path, STEPPED_PRIOR, replace(STEPPED_PRIOR, neighbour_width=5))


def class_task(model: ImageModel, codes: dict[int, CachedCodes], dropout: float) -> PriorTask:
    """Items 0, 3, 6, … are of class 0, others of class 1; the last item has no class."""
    torch.manual_seed(0)
    small = {"width": 12, "layers": 3, "head_width": 12, "code_dim": 6, "block": 16, "classes": ["third", "other"]}
    prior = build_prior("pixelcnn", small, model)
    prior.initialise(model)
    labels = np.array([int(i % 3 > 0) for i in range(15)] + [-1])
    config = PriorTaskConfig(batch_size=64, crop=3, class_dropout=dropout)
    return PriorTask(prior, model, codes, config, labels=labels)


def test_batches_of_a_prior_of_classes_tell_some_of_them(
    image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    all_told, most_told = (class_task(image_model, codes, dropout).batch(0) for dropout in (0.0, 0.25))
    assert all_told.labels is not None
    assert most_told.labels is not None
    assert set(all_told.labels.tolist()) == {0, 1}
    hidden = most_told.labels < 0
    assert 4 <= int(hidden.sum()) <= 32  # of 64; 16 are expected
    assert torch.equal(most_told.labels[~hidden], all_told.labels[~hidden])
    assert torch.equal(most_told.codes, all_told.codes)
    assert make_task(image_model, codes).batch(0).labels is None


def test_what_a_class_tells_is_measured_beside_what_files_cost(
    image_model: ImageModel, codes: dict[int, CachedCodes]
) -> None:
    task = class_task(image_model, codes, 0.0)
    with torch.no_grad():
        task.model.groups.output_proj.weight.normal_(0, 0.1)  # of a new prior it is 0
    assert task.measure(1, told=True) == task.measure(1)  # classes begin at nothing
    before = task.measure(1)
    with torch.no_grad():
        task.model.network.classes.vectors.normal_()
    assert task.measure(1) == before
    assert task.measure(1, told=True) != before
    assert task.validate().keys() >= {"bits_per_code", "bits_per_code_told"}


def test_data_without_its_classes_are_one_sentence(image_model: ImageModel) -> None:
    prior = build_prior("pixelcnn", {"width": 8, "layers": 2, "classes": ["cat", "dog"]}, image_model)

    pictures = SimpleNamespace(title="the pictures", labels=["", "dog", "house"])
    assert labels_of(pictures, prior).tolist() == [-1, 1, -1]
    pictures.labels = ["", "house"]
    with pytest.raises(TrainingError, match=r"no item of the pictures is of a class of model.classes, such as 'cat'"):
        labels_of(pictures, prior)
