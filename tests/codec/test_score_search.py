"""The smallest file that reaches a score: found among operating points, and of pictures and speech."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile

import vqc
from vqc.codec.rate import Rate, Score
from vqc.codec.score_search import Trial, reach_score
from vqc.errors import MediaError, MissingPackageError, OptionError, TargetError
from vqc.metrics import catalogue
from vqc.metrics.audio_metrics import pesq_wb
from vqc.metrics.image_metrics import ms_ssim, psnr
from vqc.models.search import OperatingPoint

SAMPLES = Path(__file__).parents[2] / "examples"


class Qualities:
    """As much of a model as the search looks at."""

    qualities, default_quality = 8, 6


class Scorer:
    """Scores operating points by a curve over log λ, and notes which were asked for.

    Args:
        gap: by which halfway the upper quality scores more than the lower, in qualities.
        loss: of score for codes that are encoded for a place one quality away.
    """

    def __init__(self, curve: Callable[[float], float], gap: float = 0.0, loss: float = 0.0) -> None:
        self.curve, self.gap, self.loss = curve, gap, loss
        self.asked, self.encoded = list[OperatingPoint](), list[OperatingPoint]()
        self.scores = list[float]()

    def __call__(self, point: OperatingPoint, anew: bool) -> tuple[OperatingPoint, float]:
        self.asked.append(point)
        if anew:
            self.encoded.append(point)
        kept = self.encoded[-1]
        assert kept.quality == point.quality, "of no other is anything encoded"
        away = abs(math.log(point.lambda_scale / kept.lambda_scale, 3.5))
        place = point.quality - (1 - self.gap) * math.log(point.lambda_scale, 3.5)
        self.scores.append(self.curve(place) - self.loss * away)
        return point, self.scores[-1]

    def reach(self, wanted: float, *, refines: bool = True) -> Trial[OperatingPoint]:
        return reach_score("psnr", wanted, Qualities(), "toy", self, refines=refines)


@pytest.mark.parametrize(
    "curve", [lambda x: 23 + 1.3 * x, lambda x: 40 - 17 * 0.8**x, lambda x: 20 + 0.1 * (x + 4) ** 2]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.77, 0.98])
@pytest.mark.parametrize(("gap", "loss"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (0.3, 0.2), (-0.2, 0.2)])
def test_the_search_is_short_and_ends_just_above(
    curve: Callable[[float], float], share: float, gap: float, loss: float
) -> None:
    wanted = curve(0.5) + share * (curve(8.3) - curve(0.5))
    scorer = Scorer(curve, gap, loss)
    best = scorer.reach(wanted)
    assert wanted <= best.score <= wanted + 0.06
    assert len(scorer.asked) <= 11
    assert len(scorer.encoded) <= 6
    assert best.encoding.at(best.place) == best.made
    assert best.place == pytest.approx(best.made.quality - math.log(best.made.lambda_scale, 3.5))


@pytest.mark.parametrize("gap", [0.0, 0.3, -0.2])
@pytest.mark.parametrize("jump", [1.55, 3.5, 4.55, 7.45])
def test_a_quality_known_to_miss_or_one_above_another_that_reaches_is_not_tried(jump: float, gap: float) -> None:
    scorer, low, high = Scorer(lambda x: 20 + 0.01 * x + (10 if x > jump else 0), gap, loss=0.2), 0, 8
    scorer.reach(24)
    for (quality, scale), score in zip(scorer.asked, scorer.scores, strict=True):
        assert low < quality <= high
        away = -math.log(scale, 3.5)
        if score < 24 and away > 0.59:
            low = quality
        if score >= 24 and away < -0.59:
            high = quality


@pytest.mark.parametrize(("wanted", "quality"), [(36.3, 6), (35.7, 6), (37.1, 7), (34.9, 5), (33.2, 3), (38.4, 8)])
def test_the_nearer_quality_is_taken(wanted: float, quality: int) -> None:
    scorer = Scorer(lambda x: 30 + x)
    best = scorer.reach(wanted)
    assert best.made.quality == quality
    assert len(scorer.encoded) == 1 + (quality != 6) + (quality == 3)


def test_what_was_found_is_encoded_for_its_price_of_a_bit() -> None:
    exact = Scorer(lambda x: 30 + x, loss=0.05)
    assert exact.reach(35.52).made.lambda_scale == pytest.approx(exact.encoded[-1].lambda_scale, rel=0.2)
    assert len(exact.encoded) == 2
    rough = Scorer(lambda x: 30 + x)
    rough.reach(35.52, refines=False)
    assert len(rough.encoded) == 1


def test_a_quality_that_gains_no_more_gives_way_to_the_next() -> None:
    def curve(place: float) -> float:
        return 30 + (min(place, 4.45) if place < 4.75 else place)

    scorer = Scorer(curve, loss=0.05)
    best = scorer.reach(34.47)
    assert best.made.quality == 5
    assert best.place < 4.9


def test_a_score_that_every_file_reaches_gives_the_smallest() -> None:
    assert Scorer(lambda x: 30 + x).reach(10).made == OperatingPoint(1, pytest.approx(2.5))


def test_a_score_out_of_reach_names_the_best() -> None:
    scorer = Scorer(lambda x: 20 + x / 2)
    with pytest.raises(
        TargetError, match=r"PSNR 50 dB is out of reach: the best that the model toy comes to .* 2\d\.\d"
    ):
        scorer.reach(50)
    assert scorer.asked[-1] == OperatingPoint(8, pytest.approx(0.5))


def test_a_jump_in_the_scores_is_met_from_above() -> None:
    scorer = Scorer(lambda x: 20 if x < 4.3 else 30)
    best = scorer.reach(25)
    assert best.score == 30
    assert 4.3 <= best.place < 4.5
    assert len(scorer.asked) <= 11


def test_a_picture_reaches_its_psnr() -> None:
    shown = np.asarray(PIL.Image.open(SAMPLES / "photo.jpg").convert("RGB"))[:128, :160]
    data = vqc.compress(shown, rate=Rate(target_psnr=29, effort=0))
    assert 29 <= psnr(shown, vqc.decompress(data).array) <= 29.1
    with pytest.raises(TargetError, match="PSNR 70 dB is out of reach"):
        vqc.compress(shown[:32, :32], rate=Rate(target_psnr=70, effort=0), lossless=False)
    exact = vqc.compress(shown[:32, :32], rate=Rate(target_psnr=70, effort=0))
    assert np.array_equal(vqc.decompress(exact).array, shown[:32, :32])


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
