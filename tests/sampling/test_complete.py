"""Completing files: what is kept stays, nothing of the rest shows, and mistakes have their sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from golden.cases import codec_of
from PIL import Image

import vqc
from vqc.errors import MediaError, OptionError
from vqc.sampling.complete import MISSING, Given, draw_rest
from vqc.sampling.options import SampleOptions, parse_hole

PHOTO, SPEECH = "photo-stepped-prior", "speech-stepped-prior"
HOLE = (20, 40, 30, 25)  # codes of 16 pixels: columns 1 to 3, rows 2 to 4


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (120, 100, 3), dtype=np.uint8)


@pytest.fixture
def samples(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-0.5, 0.5, 32_000)


def image_file(pixels: np.ndarray, folder: Path) -> str:
    Image.fromarray(pixels).save(folder / "x.png")
    return str(folder / "x.png")


def rest(name: str, file: str, **options: Any) -> tuple[Given, list[np.ndarray]]:
    quality = 2 if "stepped" in name else None
    given, items = draw_rest(codec_of(name), SampleOptions(n=2, quality=quality, complete=file, **options))
    arrays = [item.array if codec_of(name).model.media == "image" else item.array[0] for item in items]
    return given, arrays


def test_the_top_of_an_image_stays_and_nothing_of_its_rest_shows(pixels: np.ndarray, tmp_path: Path) -> None:
    given, drawn = rest(PHOTO, image_file(pixels, tmp_path), keep=0.5)
    assert given.mask.tolist() == [[row >= 4] * 7 for row in range(8)]
    assert given.shown is not None
    assert np.array_equal(given.shown[:64], pixels[:64])
    assert (given.shown[64:] == MISSING).all()
    top = vqc.encode(pixels[:64], model=loaded(PHOTO), quality=2).array
    for codes in drawn:
        assert np.array_equal(codes[:, :4], top)
    assert not np.array_equal(drawn[0], drawn[1])
    pixels[64:] = 0
    assert np.array_equal(rest(PHOTO, image_file(pixels, tmp_path), keep=0.5)[1], drawn)


def loaded(name: str) -> Any:
    from golden.cases import FOLDER

    return FOLDER / f"{name}.safetensors"


def test_what_lies_in_a_hole_does_not_show(pixels: np.ndarray, tmp_path: Path) -> None:
    given, drawn = rest(PHOTO, image_file(pixels, tmp_path), hole=HOLE)
    rows, columns = np.nonzero(given.mask.numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 4, 1, 3)
    outside = ~given.mask.numpy()
    for codes in drawn:
        assert np.array_equal(codes[:, outside], given.known.numpy()[:, outside])
    left, top, width, height = HOLE
    pixels[top : top + height, left : left + width] = 0
    assert np.array_equal(rest(PHOTO, image_file(pixels, tmp_path), hole=HOLE)[1], drawn)
    basis = codec_of(PHOTO).model.transform.basis[0].view(3, 16, 16)
    pixels[16:32, 16:32] = 255 * (basis > 0).permute(1, 2, 0).numpy()  # at its border, what the first code there tells
    assert not np.array_equal(rest(PHOTO, image_file(pixels, tmp_path), hole=HOLE)[1], drawn)


def test_grey_images_and_those_of_other_models(pixels: np.ndarray, tmp_path: Path) -> None:
    _, drawn = rest("image-prior", image_file(pixels[:30, :20, 0], tmp_path), keep=0.3)
    top = vqc.encode(pixels[:8, :20, 0], model=loaded("image-prior"), quality=1).array
    assert all(np.array_equal(codes[:, :2], top) for codes in drawn)


@pytest.mark.parametrize("name", [SPEECH, "audio-prior"])
def test_the_beginning_of_a_recording_stays(name: str, samples: np.ndarray, tmp_path: Path) -> None:
    model = codec_of(name).model
    file, rate, hop = str(tmp_path / "x.wav"), model.sample_rate, model.hop_length
    soundfile.write(file, samples[: 20 * hop], rate, subtype="FLOAT")
    given, drawn = rest(name, file, keep=0.3, seconds=25 * hop / rate)
    assert given.mask.tolist() == [frame >= 6 for frame in range(25)]
    part = samples[: 6 * hop].astype(np.float32)
    begin = vqc.encode(part, sample_rate=rate, model=loaded(name), quality=model.qualities)
    for codes in drawn:
        assert np.array_equal(codes[:, :6], begin.array[0])
    samples[6 * hop :] = 0.1
    soundfile.write(file, samples[: 20 * hop], rate, subtype="FLOAT")
    assert np.array_equal(rest(name, file, keep=0.3, seconds=25 * hop / rate)[1], drawn)


def test_from_python(pixels: np.ndarray, samples: np.ndarray, tmp_path: Path, models_with_priors: Path) -> None:
    first, second = vqc.complete(image_file(pixels, tmp_path), 2, model="tiny-photo", keep=0.25, seed=3)
    assert first.array.shape == second.array.shape == (120, 100, 3)
    soundfile.write(tmp_path / "x.wav", samples, 16_000)
    (audio,) = vqc.complete(tmp_path / "x.wav", model="tiny-speech", seconds=3.0)
    assert audio.samples.shape == (48_000, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": 0.5}, "keep: this is for completing a file; give it with --complete"),
        ({"hole": (1, 1, 1, 1)}, "hole: this is for completing a file"),
        ({"complete": "x", "keep": 0.5, "hole": (1, 1, 1, 1)}, "keep and hole exclude each other; give one"),
        ({"complete": "x", "keep": 0}, "keep 0: give a share above 0, up to 1"),
        ({"complete": "x", "keep": 1.5}, "keep 1.5: give a share"),
        ({"complete": "x", "hole": (1, 1, 0, 5)}, "hole 1,1,0,5: it has no pixels"),
        ({"complete": "x", "size": (9, 9)}, "size: an image that is completed keeps its own"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as error:
        SampleOptions(**options)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (PHOTO, {"keep": 1.0}, "keep 1: all of "),
        (PHOTO, {"keep": 0.01}, "keep 0.01: nothing of "),
        (
            PHOTO,
            {"hole": (90, 0, 20, 20)},
            "hole 90,0,20,20: the image has 100 x 120 pixels; choose a rectangle inside it",
        ),
        (PHOTO, {"hole": (0, 0, 100, 120)}, "hole 0,0,100,120: nothing of the image is left; make it smaller"),
        (PHOTO, {"hole": (1, 1, 98, 118)}, "hole 1,1,98,118: nothing of the image is left"),
        ("image-prior", {}, "size 120x100: the prior of given sees at most 32x32 pixels together; give a smaller file"),
        ("image", {}, "the model given has no prior to draw from"),
    ],
)
def test_what_cannot_be_completed(
    name: str, options: dict[str, Any], said: str, pixels: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as error:
        rest(name, image_file(pixels, tmp_path), **options)
    assert str(error.value).startswith(said)


def test_what_cannot_be_gone_on_from(pixels: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="hole: the prior of given draws from the top down"):
        rest("image-prior", image_file(pixels[:20, :20], tmp_path), hole=(4, 4, 4, 4))
    soundfile.write(tmp_path / "x.wav", np.zeros(16_000), 16_000)
    with pytest.raises(MediaError, match="part of what is kept is digital silence"):
        rest(SPEECH, str(tmp_path / "x.wav"))
    with pytest.raises(OptionError, match="hole: this is for images"):
        rest(SPEECH, str(tmp_path / "x.wav"), hole=(1, 1, 1, 1))


def test_holes_as_they_are_typed() -> None:
    assert parse_hole(" 1, 2,30,4") == (1, 2, 30, 4)
    for text in ("", "1,2,3", "1,2,3,-4", "1,2,3,4,5", "a,b,c,d"):
        with pytest.raises(OptionError, match="give left, top, width and height"):
            parse_hole(text)
