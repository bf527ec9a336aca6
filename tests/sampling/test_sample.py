"""Drawing from models: what comes out is a file like any other, and mistakes have their sentence."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from golden.cases import codec_of

import vqc
from vqc.codec.codes import Codes, codes_in, restore
from vqc.codec.open import codec_with
from vqc.codec.prior_coding import CHECK_BYTES
from vqc.errors import OptionError
from vqc.format.container import read_container, split_streams
from vqc.models.config import config_to_dict
from vqc.models.kinds import build_prior
from vqc.sampling.options import SampleOptions, parse_size
from vqc.sampling.sample import draw, file_of

MODELS: dict[str, dict[str, Any]] = {
    "image-prior": {"size": (15, 32)},
    "photo-stepped-prior": {"size": (70, 50), "quality": 2},
    "audio-prior": {"seconds": 0.5},
    "speech-stepped-prior": {"seconds": 1.7, "quality": 2},
}
each_model = pytest.mark.parametrize("name", MODELS)


def items(name: str, **options: Any) -> list[Codes]:
    return list(draw(codec_of(name), SampleOptions(**(MODELS[name] | {"n": 2, "seed": 3} | options))))


@each_model
def test_a_file_of_what_is_drawn_holds_its_codes_and_restores_the_same(name: str) -> None:
    for item in items(name):
        data = file_of(codec_of(name), item)
        container = read_container(data)
        assert container.header.entropy == "prior"
        assert np.array_equal(codes_in(codec_of(name), container).array, item.array)
        restored, shown = codec_of(name).decompress(data), restore(codec_of(name), item)
        if isinstance(shown, vqc.Image):
            assert np.array_equal(restored.pixels, shown.array)
        else:
            assert np.array_equal(np.concatenate(list(restored)), shown.samples)


def test_a_file_of_what_is_drawn_costs_what_the_prior_says() -> None:
    codec = codec_of("image-prior")
    for item in items("image-prior"):
        (stream,) = split_streams(read_container(file_of(codec, item)).body, 1)
        bits = codec.model.prior.bits(torch.from_numpy(item.array)[None], item.quality)
        assert 8 * (len(stream) - CHECK_BYTES) == pytest.approx(float(bits.sum()), abs=9)


@each_model
def test_sizes_and_lengths_are_those_asked_for(name: str) -> None:
    shown = restore(codec_of(name), items(name)[0])
    wanted = MODELS[name]
    if isinstance(shown, vqc.Image):
        assert shown.array.shape == (*wanted["size"], 3)
    else:
        assert len(shown.samples) == round(wanted["seconds"] * shown.sample_rate)


def test_from_python(models_with_priors: Any) -> None:
    first = vqc.sample("tiny-photo", 2, seed=5, size=(32, 48))
    assert [image.array.shape for image in first] == [(32, 48, 3)] * 2
    again = vqc.sample(vqc.load_model("tiny-photo"), 1, seed=5, size=(32, 48))
    assert np.array_equal(first[0].array, again[0].array)
    (audio,) = vqc.sample("tiny-speech", seconds=0.3, temperature=0.5, top_p=0.9)
    assert audio.samples.shape == (4800, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "-n 0: give how many to draw, 1 or more"),
        ({"n": -3}, "-n -3: give how many"),
        ({"seed": -1}, "seed -1: give a whole number from 0 to 18446744073709551615"),
        ({"temperature": 0}, "temperature 0: give a number from 0.001 to 100"),
        ({"temperature": float("nan")}, "temperature nan: give a number"),
        ({"top_p": 0.0}, "top-p 0: give a share from 0.001 to 1"),
        ({"top_p": 1.1}, "top-p 1.1: give a share"),
        ({"size": (0, 5)}, "size 0x5: an image has pixels"),
        ({"seconds": 0}, "0 seconds: give a number above 0"),
        ({"seconds": float("inf")}, "inf seconds: give a number"),
    ],
)
def test_numbers_out_of_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as error:
        SampleOptions(**options)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("image-prior", {"size": (33, 32)}, "size 33x32: the prior of given sees at most 32x32 pixels together"),
        ("photo-prior", {"size": (16, 1025)}, "size 16x1025: the prior of given sees at most 1024x1024 pixels"),
        ("photo-prior", {"n": 65, "size": (1024, 1024)}, "65 images of 1024x1024 are more than 67,108,864 pixels"),
        ("photo-prior", {"quality": 3}, "quality 3: the qualities of the model given are 1 to 2"),
        ("photo-prior", {"seconds": 1.0}, "seconds: given is a model for images; give a size"),
        ("speech-prior", {"size": (8, 8)}, "size: given is a model for audio; give seconds"),
        ("speech-prior", {"n": 10, "seconds": 361}, "10 recordings of 361 s are more than an hour"),
        ("image-prior", {"label": "cat"}, "class cat: the prior of given knows no classes; leave it out"),
        ("image", {}, "the model given has no prior to draw from; train one with vqc train prior -m given"),
    ],
)
def test_what_a_model_cannot_draw(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as error:
        next(draw(codec_of(name), SampleOptions(**options)))
    assert str(error.value).startswith(said)


def test_classes_go_by_name_and_number() -> None:
    codec = codec_of("image-prior")
    prior = codec.model.prior
    told = build_prior(prior.kind, config_to_dict(prior.config) | {"classes": ["cat", "dog"]}, codec.model)
    told.quantize_(check=False)
    told.load_state_dict(prior.state_dict(), strict=False)
    classes = told.network.classes
    classes.vectors.copy_(torch.arange(classes.vectors.numel()).view(2, -1) * 37 % 8001 - 4000)
    classes.scale.fill_(1.0)
    model = copy.copy(codec.model)
    model._modules = {**codec.model._modules, "prior": told}
    classy = codec_with(model, codec.digest)

    def drawn(label: str | None) -> list[list[int]]:
        return [codes.array.tolist() for codes in draw(classy, SampleOptions(n=2, label=label))]

    assert drawn("cat") == drawn("0") != drawn("dog") == drawn("1")
    assert drawn(None) == [codes.array.tolist() for codes in draw(codec, SampleOptions(n=2))]
    for label in ("2", "-1", "cats", ""):
        with pytest.raises(OptionError, match=f"class {label}: there is none such.*; given knows 0 cat, 1 dog"):
            drawn(label)


@pytest.mark.parametrize(("text", "size"), [("64x96", (64, 96)), (" 8X9 ", (8, 9)), ("32", (32, 32)), ("3×4", (3, 4))])
def test_sizes_as_they_are_typed(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "64x", "1.5x2", "-3x4", "64x96x3", "99999999x1"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(OptionError, match="give height and width"):
        parse_size(text)
