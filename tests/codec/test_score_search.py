"""The smallest file that reaches a score: found among operating points, and of pictures and speech."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile

import vqc
from vqc.codec.rate import Rate, Score
from vqc.codec.score_search import Place, point_at, reach_score
from vqc.errors import MediaError, MissingPackageError, OptionError, TargetError
from vqc.metrics import catalogue
from vqc.metrics.audio_metrics import pesq_wb
from vqc.metrics.image_metrics import ms_ssim, psnr
from vqc.models.search import OperatingPoint

SAMPLES = Path(__file__).parents[2] / "examples"


class Qualities:
    """As much of a model as the search looks at."""

    qualities, default_quality, lambda_step = 8, 6, 3.5


def scorer(
    curve: Callable[[float], float], gap: float = 0.0
) -> tuple[Callable[[OperatingPoint], tuple[OperatingPoint, float]], list]:
    """Score operating points by a curve over log λ, and note which were asked for.

    Args:
        gap: by which halfway the upper quality scores more than the lower, in qualities.
    """
    asked = list[OperatingPoint]()

    def score_at(point: OperatingPoint) -> tuple[OperatingPoint, float]:
        asked.append(point)
        return point, curve(point.quality - (1 - gap) * math.log(point.lambda_scale, 3.5))

    return score_at, asked


def encodings(asked: list[OperatingPoint]) -> int:
    """How often the quality changed: what one has encoded is kept until then."""
    return sum(one.quality != other.quality for one, other in pairwise([OperatingPoint(0, 1.0), *asked]))


@pytest.mark.parametrize(
    "curve", [lambda x: 23 + 1.3 * x, lambda x: 40 - 17 * 0.8**x, lambda x: 20 + 0.1 * (x + 4) ** 2]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.77, 0.98])
def test_the_search_is_short_and_ends_just_above(curve: Callable[[float], float], share: float) -> None:
    wanted = curve(0.3) + share * (curve(8.5) - curve(0.3))
    score_at, asked = scorer(curve)
    best = reach_score("psnr", wanted, Qualities(), "toy", score_at)
    assert wanted <= best.score <= wanted + 0.06
    assert len(asked) <= 12
    assert encodings(asked) <= 4
    assert best.point == best.made == point_at(Qualities(), best.place)


@pytest.mark.parametrize(("wanted", "quality"), [(35.7, 6), (36.45, 6), (36.6, 7), (37.3, 7), (35.3, 5), (34.6, 5)])
def test_the_nearer_quality_is_taken_and_encoded_once(wanted: float, quality: int) -> None:
    score_at, asked = scorer(lambda x: 30 + x)
    best = reach_score("psnr", wanted, Qualities(), "toy", score_at)
    assert best.point.quality == quality
    assert best.score == pytest.approx(wanted, abs=0.04)
    assert encodings(asked) == 1 + (quality != 6)


@pytest.mark.parametrize("wanted", [34.48, 34.5, 36.5, 36.52])
def test_a_gap_halfway_is_filled_by_the_upper_quality(wanted: float) -> None:
    score_at, asked = scorer(lambda x: 30 + x, gap=0.1)
    best = reach_score("psnr", wanted, Qualities(), "toy", score_at)
    assert best.point.quality == math.ceil(wanted - 30)
    assert best.point.lambda_scale > 3.5**0.5
    assert wanted <= best.score <= wanted + 0.04
    assert encodings(asked) <= 4


def test_places_are_qualities_at_other_prices_of_a_bit() -> None:
    model = Qualities()
    assert point_at(model, Place(1, 0.0)) == OperatingPoint(1, 1.0)
    assert point_at(model, Place(6, -0.5)) == OperatingPoint(6, pytest.approx(3.5**0.5))
    assert point_at(model, Place(5, 0.5)) == OperatingPoint(5, pytest.approx(3.5**-0.5))


def test_a_score_that_every_file_reaches_gives_the_smallest() -> None:
    score_at, _ = scorer(lambda x: 30 + x)
    assert reach_score("psnr", 10, Qualities(), "toy", score_at).point == OperatingPoint(
        1, pytest.approx(2.5)
    )


def test_a_score_out_of_reach_names_the_best() -> None:
    score_at, asked = scorer(lambda x: 20 + x / 2)
    with pytest.raises(
        TargetError, match=r"PSNR 50 dB is out of reach: the best that the model toy comes to .* 2\d\.\d"
    ):
        reach_score("psnr", 50, Qualities(), "toy", score_at)
    assert asked[-1] == OperatingPoint(8, pytest.approx(0.5))


def test_a_jump_in_the_scores_is_met_from_above() -> None:
    score_at, asked = scorer(lambda x: 20 if x < 4.3 else 30)
    best = reach_score("psnr", 25, Qualities(), "toy", score_at)
    assert best.score == 30
    assert 4.3 <= best.place.value < 4.5
    assert len(asked) <= 12


def test_a_picture_reaches_its_psnr() -> None:
    shown = np.asarray(PIL.Image.open(SAMPLES / "photo.jpg").convert("RGB"))[:128, :160]
    data = vqc.compress(shown, rate=Rate(target_psnr=29, effort=0))
    assert 29 <= psnr(shown, vqc.decompress(data).array) <= 29.06
    with pytest.raises(TargetError, match="PSNR 70 dB is out of reach"):
        vqc.compress(shown[:32, :32], rate=Rate(target_psnr=70, effort=0))


@pytest.mark.parametrize("channels", [1, 4])
def test_a_picture_of_any_channels_reaches_its_ms_ssim(channels: int) -> None:
    pytest.importorskip("pytorch_msssim")
    mode = {1: "L", 4: "RGBA"}[channels]
    shown = np.array(PIL.Image.open(SAMPLES / "photo.jpg").convert(mode))[:192, :192]
    if channels == 4:
        shown[..., 3] = 128  # seen, so its colours count
    restored = vqc.decompress(vqc.compress(shown, rate=Rate(target_msssim=0.93, effort=0))).array
    seen = [np.stack([x] * 3, -1) if channels == 1 else x[..., :3] for x in (shown, restored)]
    assert 0.93 <= ms_ssim(*seen) <= 0.935


def test_what_is_too_small_or_silent_has_no_score() -> None:
    pytest.importorskip("pytorch_msssim")
    pytest.importorskip("pesq")
    with pytest.raises(MediaError, match="64 x 48 pixels is too small for MS-SSIM"):
        vqc.compress(np.zeros((48, 64, 3), np.uint8), rate=Rate(target_msssim=0.9))
    with pytest.raises(MediaError, match="no PESQ-WB"):
        vqc.compress(np.zeros(16_000, np.float32), sample_rate=16_000, rate=Rate(target_pesq=2))


def test_speech_reaches_its_pesq(tmp_path: Path) -> None:
    pytest.importorskip("pesq")
    samples, rate = soundfile.read(SAMPLES / "speech.flac", dtype="float32")
    soundfile.write(tmp_path / "talk.wav", samples[: 2 * rate], rate)
    report = vqc.compress_file(tmp_path / "talk.wav", tmp_path / "talk.vqc", rate=Rate(target_pesq=2.2))
    restored = vqc.read(tmp_path / "talk.vqc")[0]
    score = pesq_wb(soundfile.read(tmp_path / "talk.wav", dtype="float32")[0], restored)
    assert report.score == Score("pesq_wb", pytest.approx(score, abs=0.02))
    assert score >= 2.19


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"target_psnr": -1.0}, "target PSNR of -1"),
        ({"target_msssim": 1.01}, "MS-SSIM of 1.01 cannot be met; the scale ends at 1"),
        ({"target_pesq": 5.0}, "PESQ of 5 cannot be met; the scale ends at 4.64"),
        ({"target_psnr": math.inf}, "target PSNR of inf"),
        ({"target_psnr": 30.0, "target_bytes": 500}, "exclude each other"),
    ],
)
def test_scores_that_make_no_sense(wish: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Rate(**wish)


def test_scores_are_of_one_medium_and_no_quality() -> None:
    shown = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(OptionError, match="PESQ is for speech"):
        vqc.compress(shown, rate=Rate(target_pesq=2))
    with pytest.raises(OptionError, match="PSNR or MS-SSIM is for images"):
        vqc.compress(np.zeros(800, np.float32), sample_rate=16_000, rate=Rate(target_psnr=30))
    with pytest.raises(OptionError, match="quality 3 and a target score exclude each other"):
        vqc.compress(shown, quality=3, rate=Rate(target_psnr=30))


def test_a_score_that_cannot_be_computed_here_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_installed", lambda module: False)
    with pytest.raises(MissingPackageError, match=r"pytorch-msssim is not installed; get it with pip install"):
        vqc.compress(np.zeros((200, 200, 3), np.uint8), rate=Rate(target_msssim=0.9))
