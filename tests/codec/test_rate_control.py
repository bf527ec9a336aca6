"""Codes that are chosen by error and bits: better files at no other cost, and files of a size that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile
import torch
from tiny_priors import draw_model, draw_prior

import vqc
from vqc.codec.audio_io import Recording
from vqc.codec.codes import codes_in, encoded
from vqc.codec.open import codec_with
from vqc.codec.rate import Rate
from vqc.codec.rate_control import hit_size
from vqc.codec.stream_coder import StreamCoder
from vqc.data.image_files import Picture
from vqc.errors import OptionError, TargetError
from vqc.format import chunking
from vqc.format.container import read_container
from vqc.models.base import AudioModel, CodecModel, ImageModel
from vqc.models.photo import search as photo_search
from vqc.models.search import OperatingPoint

SAMPLES = Path(__file__).parents[2] / "examples"
DIGEST = bytes(range(32))
EFFORT = Rate(effort=1)


def model_with_prior(kind: str) -> CodecModel:
    model = draw_model(kind)
    model.attach_prior(draw_prior(model))
    return model


MODELS = {kind: model_with_prior(kind) for kind in ("photo", "speech")}
PHOTO, SPEECH = codec_with(MODELS["photo"], DIGEST), codec_with(MODELS["speech"], DIGEST)


def picture(height: int, width: int, *, alpha: bool = False) -> Picture:
    generator = np.random.default_rng(height)
    coarse = generator.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    pixels = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    return Picture(np.ascontiguousarray(pixels), np.full((height, width), 7, np.uint8) if alpha else None)


def voice(samples: int, channels: int = 1) -> np.ndarray:
    time = np.arange(samples)[:, None] / 16_000
    waves = np.sin(2 * np.pi * np.array([140 + 30 * c for c in range(channels)]) * time) * np.sin(5 * time)
    return (0.4 * waves + 0.01 * np.random.default_rng(0).standard_normal(waves.shape)).astype(np.float32)


@pytest.mark.parametrize("entropy", ["auto", "prior", "static", "none"])
@pytest.mark.parametrize("effort", [1, 3])
def test_pictures_of_any_effort_come_back(entropy: str, effort: int) -> None:
    shown = picture(40, 52, alpha=True)
    data = PHOTO.compress(shown, quality=2, entropy=entropy, rate=Rate(effort=effort))
    restored = PHOTO.decompress(data)
    assert restored.pixels.shape == shown.pixels.shape
    assert np.array_equal(restored.alpha, shown.alpha)
    assert read_container(data).header.quality == 2


@pytest.mark.parametrize("target", [None, 600])
def test_a_prior_that_does_not_code_does_not_choose(target: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_search, "PRIOR_SHARE", 20.0)  # so that it is heard where it has a say
    plain, shown = codec_with(draw_model("photo"), DIGEST), picture(40, 52)
    rate, quality = Rate(effort=2, target_bytes=target), None if target else 2
    static = plain.compress(shown, quality=quality, entropy="static", rate=rate)
    assert PHOTO.compress(shown, quality=quality, entropy="static", rate=rate) == static
    chosen = PHOTO.decompress(PHOTO.compress(shown, quality=quality, entropy="prior", rate=rate))
    assert not np.array_equal(chosen.pixels, plain.decompress(static).pixels)


@pytest.mark.parametrize("rate", [Rate(), Rate(effort=2), Rate(target_bytes=600), Rate(target_psnr=10)])
def test_codes_alone_are_those_of_the_file(rate: Rate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_search, "PRIOR_SHARE", 20.0)  # so that the prior, which writes the file, is heard
    shown, quality = picture(40, 52), None if rate.is_target else 2
    file = PHOTO.compress(shown, quality=quality, rate=rate)
    alone, held = encoded(PHOTO, shown, quality, rate), codes_in(PHOTO, read_container(file))
    assert alone.quality == held.quality
    assert np.array_equal(alone.array, held.array)


@pytest.mark.parametrize(("channels", "entropy"), [(1, "auto"), (1, "none"), (2, "prior"), (2, "static"), (40, "auto")])
def test_sound_of_any_effort_comes_back(monkeypatch: pytest.MonkeyPatch, entropy: str, channels: int) -> None:
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 8)
    spoken = voice(14_000, channels)
    spoken[: 10 * SPEECH.model.hop_length, channels // 2] = 0  # silent for a whole chunk
    data = SPEECH.compress(Recording([spoken], 16_000), quality=2, entropy=entropy, rate=Rate(effort=2))
    assert np.concatenate(list(SPEECH.decompress(data))).shape == spoken.shape


@pytest.mark.parametrize("kind", MODELS)
def test_the_dearer_a_bit_the_smaller_the_stream(kind: str) -> None:
    model = MODELS[kind]
    signal = torch.rand(1, 3, 128, 128) if kind == "photo" else 0.1 * torch.randn(1, 60 * model.hop_length)
    coder, search, bits = StreamCoder(model, 2), model.encoder_search(signal, 2), model.static_bits(2)
    found = [search.search(bits, scale).numpy().astype(np.uint16) for scale in (0.01, 1, 100)]
    sizes = [len(coder.write(codes, "static")) for codes in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.05 * sizes[2]


def test_effort_brings_the_restored_picture_nearer() -> None:
    """By error + weight · bits, which is what it is for; on a photograph, by the bundled model."""
    shown = np.asarray(PIL.Image.open(SAMPLES / "photo.jpg").convert("RGB"))[:128, :160]
    costs = []
    for effort in (0, 1, 3):
        data = vqc.compress(shown, quality=8, rate=Rate(effort=effort))
        error = np.square(shown.astype(float) - vqc.decompress(data).array).sum()
        costs.append(error / vqc.load_model("photo").model.config.lambdas[7] + 8 * len(data))
    assert costs[0] > costs[1] > costs[2]


@pytest.mark.parametrize(("entropy", "rate"), [("auto", Rate(target_bytes=700)), ("static", Rate(target_bpp=0.5))])
def test_a_picture_meets_its_size(entropy: str, rate: Rate) -> None:
    shown = np.asarray(PIL.Image.open(SAMPLES / "photo.jpg").convert("RGB"))[:128, :160]
    target = rate.target_size(128 * 160)
    data = vqc.compress(shown, entropy=entropy, rate=rate)
    assert 0.98 * target <= len(data) <= target
    assert vqc.decompress(data).array.shape == shown.shape


def test_tiles_share_the_size() -> None:
    tall = picture(1_100, 40)
    usual = len(PHOTO.compress(tall, quality=2, rate=EFFORT))
    data = PHOTO.compress(tall, rate=Rate(target_bytes=usual + 10))
    assert usual / 2 < len(data) <= usual + 10
    assert PHOTO.decompress(data).pixels.shape == tall.pixels.shape


def test_sound_meets_its_rate() -> None:
    samples, rate = soundfile.read(SAMPLES / "speech.flac", dtype="float32")
    samples = samples[: 2 * rate]
    data = vqc.compress(samples, sample_rate=rate, entropy="static", rate=Rate(target_kbps=1.5))
    assert 0.97 * 1.5 <= 8 * len(data) / 2_000 <= 1.5
    assert vqc.decompress(data).samples.shape == (len(samples), 1)


def test_a_size_that_cannot_be_met_says_what_can() -> None:
    with pytest.raises(TargetError, match=r"a target of 30 bytes cannot be met: the smallest file takes \d+"):
        PHOTO.compress(picture(64, 64), rate=Rate(target_bytes=30))


def test_a_quality_between_two_lies_between_them() -> None:
    shown = picture(160, 160)
    sizes = [len(PHOTO.compress(shown, quality=q, rate=EFFORT)) for q in (1.0, 1.4, 1.6, 2.0)]
    assert sizes == sorted(sizes)
    assert PHOTO.model.operating_point(2.0) == (2, pytest.approx(1))
    assert PHOTO.model.operating_point(1.4) == (1, pytest.approx(3.5**-0.4))


def test_a_quality_by_what_a_bit_is_worth() -> None:
    shown = picture(64, 64)
    between = PHOTO.compress(shown, quality=1.4, rate=EFFORT)
    assert PHOTO.compress(shown, rate=Rate(effort=1, lmbda=4000 * 3.5**-0.4)) == between
    with pytest.raises(OptionError, match="quality 2 and lambda 400 exclude each other"):
        PHOTO.compress(shown, quality=2, rate=Rate(lmbda=400))


@pytest.mark.parametrize("wish", [{"quality": 1.5}, {"rate": EFFORT}, {"rate": Rate(target_bytes=900)}])
def test_models_without_a_choice_say_so(image_model: ImageModel, audio_model: AudioModel, wish: dict) -> None:
    with pytest.raises(OptionError, match="tiny has one code for everything"):
        codec_with(image_model, DIGEST, "tiny").compress(picture(8, 8), **wish)
    with pytest.raises(OptionError, match="tiny has one code for everything"):
        codec_with(audio_model, DIGEST, "tiny").compress(Recording([voice(900)], 8_000), rate=wish.get("rate", EFFORT))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"effort": 10}, "effort 10"),
        ({"effort": 1.5}, "effort 1.5"),
        ({"target_bytes": 0}, "target size of 0"),
        ({"target_kbps": math.nan}, "target kbps of nan"),
        ({"lmbda": -1.0}, "target lambda of -1"),
        ({"target_bpp": 1.0, "target_bytes": 5}, "exclude each other"),
    ],
)
def test_wishes_that_make_no_sense(wish: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Rate(**wish)


def test_targets_are_of_one_medium() -> None:
    with pytest.raises(OptionError, match="kbps is for audio"):
        PHOTO.compress(picture(16, 16), rate=Rate(target_kbps=3))
    with pytest.raises(OptionError, match="bpp is for images"):
        SPEECH.compress(Recording([voice(2_000)], 16_000), rate=Rate(target_bpp=3))


def test_a_target_below_a_byte_is_out_of_reach() -> None:
    with pytest.raises(TargetError, match="a target of 1 bytes cannot be met"):
        PHOTO.compress(picture(16, 16), rate=Rate(target_bpp=0.001))
    with pytest.raises(TargetError, match="a target of 1 bytes cannot be met"):
        SPEECH.compress(Recording([voice(2_000)], 16_000), rate=Rate(target_kbps=0.001))


def writer(
    base: float, slope: float, jump: float = 1.0
) -> tuple[Callable[[OperatingPoint], bytes], list[OperatingPoint]]:
    """Files whose size follows a power law of λ, with a jump at 1.2."""
    asked = list[OperatingPoint]()

    def write(point: OperatingPoint) -> bytes:
        asked.append(point)
        size = base * 1.5**point.quality * point.lambda_scale**-slope * (jump if point.lambda_scale > 1.2 else 1)
        return bytes(int(size))

    return write, asked


@pytest.mark.parametrize("slope", [0.2, 0.5, 1.5])
@pytest.mark.parametrize("target", [1_500, 5_000, 17_000, 25_000])
def test_the_search_is_short_and_ends_below(slope: float, target: int) -> None:
    write, asked = writer(1_000, slope)
    data = hit_size(target, 8, 5, write)
    assert 0.98 * target <= len(data) <= target
    assert len(asked) <= 9


def test_the_search_ends_where_sizes_jump() -> None:
    write, asked = writer(1_000, 0.5, jump=0.7)
    target = len(write(OperatingPoint(5, 1.2))) - 300  # within the jump
    data = hit_size(target, 5, 5, write)
    assert len(data) <= target
    assert len(asked) <= 20


def test_more_than_the_best_can_use() -> None:
    write, _ = writer(100, 0.1)
    data = hit_size(10**6, 8, 5, write)
    assert len(data) == len(write(OperatingPoint(8, 1 / 8)))
