"""What is said of the metrics is true of what is computed."""

import importlib

import numpy as np
import pytest

from vqc.errors import OptionError
from vqc.metrics import catalogue
from vqc.metrics.catalogue import METRICS, choose_metrics, metrics_of, missing
from vqc.metrics.scores import score_audio, score_images


def test_every_metric_that_is_listed_is_computed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 176, 176, 3), dtype=np.uint8)
    assert tuple(score_images(pixels[0], pixels[1], METRICS)) == metrics_of("image")
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 32_000)).astype(np.float32)
    hiss = np.diff(noise[0], 2, append=[0, 0])
    speech = np.concatenate([noise[0], hiss, np.resize(noise[0, :160], 16_000)]).astype(np.float32)  # and a period
    assert tuple(score_audio(speech, speech + np.resize(noise[1], 80_000), 16_000, METRICS)) == metrics_of("audio")


def test_better_is_better() -> None:
    """A little noise against much, in every metric."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(176), np.arange(176))[..., None] // 2 + np.array([10, 20, 30])
    noise = rng.normal(0, 1, (176, 176, 3))
    images = [
        score_images(smooth.astype(np.uint8), np.uint8(np.clip(smooth + s * noise, 0, 255)), METRICS) for s in (2, 20)
    ]
    t = np.arange(48_000) / 16_000
    tone = (0.2 * np.clip(np.sin(6 * np.pi * t), 0, 1) * np.sin(2 * np.pi * (300 + 200 * np.sin(t)) * t)).astype(
        np.float32
    )
    hiss = rng.normal(0, 1, 48_000).astype(np.float32)
    sounds = [score_audio(tone, tone + s * hiss, 16_000, METRICS) for s in (0.001, 0.1)]
    for little, much in (images, sounds):
        for key in set(little) - {"dnsmos"}:
            assert (little[key] > much[key]) == (METRICS[key].better == "higher"), key


def test_what_is_not_installed_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_installed", lambda module: module not in {"pesq", "pytorch_msssim", "librosa"})
    assert missing("image") == [
        "MS-SSIM is left out: pytorch-msssim is not installed; get it with pip install 'vqc-codec[eval]'"
    ]
    assert [line.split(" is left out")[0] for line in missing("audio")] == ["PESQ-WB", "DNSMOS"]
    assert "pip install 'vqc-codec[dnsmos]'" in missing("audio")[1]
    assert "ms_ssim" not in metrics_of("image")
    pixels = np.zeros((200, 200, 3), np.uint8)
    assert score_images(pixels, pixels, ("ms_ssim", "mse")) == {"mse": 0.0}


def test_nothing_is_missing_where_everything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_installed", lambda module: True)
    assert missing("image") == missing("audio") == []
    assert set(metrics_of("image")) | set(metrics_of("audio")) == set(METRICS)


@pytest.mark.parametrize("key", METRICS)
def test_metrics_are_described(key: str) -> None:
    metric = METRICS[key]
    assert metric.key == key
    assert metric.media
    assert metric.definition.endswith(".")
    for module in metric.needs:
        assert importlib.util.find_spec(module) is None or catalogue._installed(module)


def test_metrics_are_chosen_by_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_metrics("psnr, mse", "image") == (("mse", "psnr"), [])
    assert choose_metrics("none", "audio") == ((), [])
    assert choose_metrics(None, "image")[0] == metrics_of("image")
    monkeypatch.setattr("vqc.metrics.catalogue._installed", lambda module: module != "pesq")
    chosen, absent = choose_metrics("pesq_wb,mse", "audio")
    assert (chosen, len(absent)) == (("mse",), 1)
    with pytest.raises(OptionError, match="choose from mse, psnr, ms_ssim, or none"):
        choose_metrics("stoi", "image")
