"""Codes without files: those of files, whatever the batch, and back to what files restore."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import vqc
from vqc.codec.codes import SILENT, codes_in
from vqc.codec.open import codec_for_file
from vqc.errors import MediaError, OptionError, VQCError
from vqc.format.container import read_container

pytestmark = pytest.mark.usefixtures("small_models")
RATE = 8_000


def picture(seed: int = 0, height: int = 21, width: int = 30) -> np.ndarray:
    """uint8 [H, W, 3], whose sides are no multiples of what a code stands for."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def noise(samples: int, channels: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.3, 0.3, (samples, channels)).astype(np.float32)


def codes_of_file(data: bytes) -> vqc.Codes:
    container = read_container(data)
    return codes_in(codec_for_file(container.header, "cpu"), container)


@pytest.mark.parametrize("shape", [(21, 30), (300, 20)])
def test_the_codes_of_an_image_are_those_of_its_file_and_restore_the_same(shape: tuple[int, int]) -> None:
    pixels = picture(0, *shape)
    data = vqc.compress(pixels, model="tiny-image")
    codes = vqc.encode(pixels, model="tiny-image")
    assert codes.array.dtype == np.int64
    assert codes.array.shape == (1, -(-shape[0] // 4), -(-shape[1] // 4))
    assert np.array_equal(codes.array, codes_of_file(data).array)
    assert np.array_equal(vqc.decode(codes).array, vqc.decompress(data).array)


@pytest.mark.parametrize(("samples", "channels", "rate"), [(3_001, 1, RATE), (3_001, 2, 11_025), (70_000, 2, RATE)])
def test_the_codes_of_a_waveform_are_those_of_its_file_and_restore_the_same(
    samples: int, channels: int, rate: int
) -> None:
    waveform = noise(samples, channels)
    data = vqc.compress(waveform, sample_rate=rate, model="tiny-audio")
    codes = vqc.encode(waveform, sample_rate=rate, model="tiny-audio")
    assert codes.array.shape[0] == channels
    assert np.array_equal(codes.array, codes_of_file(data).array)
    assert np.array_equal(vqc.decode(codes).samples, vqc.decompress(data).samples)


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_has_no_codes_and_stays_silent(channels: int) -> None:
    waveform = noise(140_000, channels)
    waveform[65_536:131_072, 0] = 0  # the second chunk
    codes = vqc.encode(waveform, sample_rate=RATE, model="tiny-audio")
    silent = codes.array[0] == SILENT
    assert silent.any()
    assert not silent.all()
    restored = vqc.decode(codes)
    expected = vqc.decompress(vqc.compress(waveform, sample_rate=RATE, model="tiny-audio"))
    assert np.array_equal(restored.samples, expected.samples)


def test_codes_do_not_depend_on_the_batch() -> None:
    batch = np.stack([picture(seed) for seed in range(4)])  # [N, H, W, 3]
    codes = vqc.encode(batch, model="tiny-image")
    assert codes.is_batch
    alone = [vqc.encode(image, model="tiny-image").array for image in batch]
    assert np.array_equal(codes.array, np.stack(alone))
    tensor = torch.from_numpy(batch).permute(0, 3, 1, 2)
    assert np.array_equal(vqc.encode(tensor.float() / 255, model="tiny-image").array, codes.array)
    restored = vqc.decode(codes)
    assert isinstance(restored, list)
    for image, one in zip(restored, alone, strict=True):
        again = vqc.decode(dataclasses.replace(codes, array=one))
        assert np.array_equal(image.array, again.array)


def test_an_array_alone_restores_all_of_its_grid() -> None:
    codes = vqc.encode(picture(0, 20, 32), model="tiny-image")
    image = vqc.decode(torch.from_numpy(codes.array), model="tiny-image", quality=1)
    assert np.array_equal(image.array, vqc.decode(codes).array)
    waveform = noise(1_600, 2)
    whole = vqc.encode(waveform, sample_rate=RATE, model="tiny-audio")
    sound = vqc.decode(whole.array, model=vqc.load_model("tiny-audio"), quality=1)
    assert sound.sample_rate == RATE
    assert np.array_equal(sound.samples, vqc.decode(whole).samples)
    mono = vqc.decode(whole.array[0], model="tiny-audio", quality=1)
    assert np.allclose(mono.samples[:, 0], sound.samples[:, 0], atol=1e-6)


def test_other_codes_give_another_picture() -> None:
    codes = vqc.encode(picture(), model="tiny-image")
    other = dataclasses.replace(codes, array=(codes.array + 1) % 16)
    assert not np.array_equal(vqc.decode(other).array, vqc.decode(codes).array)


def test_codes_show_themselves_in_a_line() -> None:
    assert (
        repr(vqc.encode(picture(), model="tiny-image")) == "Codes(1 x 6 x 8, tiny-image at quality 1, 30 x 21 pixels)"
    )


GOOD = np.zeros((1, 4, 4), np.int64)


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (GOOD, {}, "needs the model"),
        (GOOD, {"model": "tiny-image"}, "needs the model"),
        (GOOD, {"model": "tiny-image", "quality": 2}, "qualities of the model tiny-image are 1 to 1"),
        (GOOD / 2, {"model": "tiny-image", "quality": 1}, "whole numbers"),
        (GOOD + 16, {"model": "tiny-image", "quality": 1}, "between 0 and the size of their codebook"),
        (GOOD - 1, {"model": "tiny-image", "quality": 1}, "between 0 and the size of their codebook"),
        (
            GOOD[0],
            {"model": "tiny-image", "quality": 1},
            r"shape \(4, 4\); those of the model tiny-image are",
        ),
        (GOOD[:, :0], {"model": "tiny-image", "quality": 1}, r"shape \(1, 0, 4\)"),
        (GOOD.repeat(2, 0), {"model": "tiny-image", "quality": 1}, r"where 16 x 16 pixels have \(1, 1, 4, 4\)"),
        (GOOD[0, 0], {"model": "tiny-audio", "quality": 1}, r"are \[G, T\] or \[C, G, T\]"),
        (GOOD, {"model": "absent", "quality": 1}, "no model 'absent'"),
    ],
)
def test_arrays_that_are_no_codes(array: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(VQCError, match=words):
        vqc.decode(array, **options)


def test_what_cannot_be_encoded_is_told_in_a_sentence() -> None:
    codes = vqc.encode(picture(), model="tiny-image")
    with pytest.raises(OptionError, match="come with their quality"):
        vqc.decode(codes, quality=1)
    with pytest.raises(OptionError, match="is for audio, but this is an image"):
        vqc.decode(codes, model="tiny-audio")
    with pytest.raises(OptionError, match="no sharp decoder"):
        vqc.decode(codes, sharp=True)
    with pytest.raises(MediaError, match="alpha channel, which has no codes"):
        vqc.encode(np.zeros((4, 4, 4), np.uint8), model="tiny-image")
    with pytest.raises(MediaError, match="holds no images"):
        vqc.encode(np.zeros((0, 4, 4, 3), np.uint8), model="tiny-image")
