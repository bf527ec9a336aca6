"""Every codec that is here restores what it was given, at sizes that rise with its settings."""

import math

import numpy as np
import pytest

from vqc.errors import MediaError, OptionError
from vqc.evaluation.baselines import BASELINES, baseline_named, choose_baselines, programs
from vqc.evaluation.baselines.scoring import measure_item, unmatched
from vqc.evaluation.items import Item


def picture(height: int = 96, width: int = 80) -> Item:
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 9 + y / 17), np.cos(x / 5), np.sin((x - y) / 13)], -1)
    noise = np.random.default_rng(0).normal(0, 8, waves.shape)
    return Item("picture", np.uint8(np.clip(128 + 80 * waves + noise, 0, 255)), None, 20_000)


def sound(rate: int = 16_000) -> Item:
    t = np.arange(int(1.01 * rate)) / rate
    pitch = 120 + 20 * np.sin(5 * t)
    voice = sum(np.sin(2 * np.pi * k * np.cumsum(pitch) / rate) / k for k in range(1, 12))
    return Item("sound", (0.15 * np.abs(np.sin(6 * t)) * voice).astype(np.float32), rate, 32_000)


def item_for(name: str) -> Item:
    baseline = BASELINES[name]
    reason = baseline.available()
    if reason is not None:
        pytest.skip(reason)
    return picture() if baseline.media == "image" else sound()


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_restored_has_the_form_of_the_original(name: str) -> None:
    item, baseline = item_for(name), BASELINES[name]
    settings = baseline.settings
    data = [baseline.encode(item, setting) for setting in (settings[0], settings[len(settings) // 2], settings[-1])]
    assert [len(x) for x in data] == sorted(len(x) for x in data)
    restored = baseline.decode(data[1], item, settings[len(settings) // 2])
    assert restored.dtype == item.signal.dtype
    assert restored.shape == item.signal.shape
    assert baseline.describe(settings[0])
    assert baseline.version()


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl"])
def test_images_come_back_about_as_they_were(name: str) -> None:
    item, baseline = item_for(name), BASELINES[name]
    best = baseline.settings[-1]
    error = baseline.decode(baseline.encode(item, best), item, best).astype(int) - item.signal
    assert 20 * math.log10(255 / np.sqrt(np.square(error).mean())) > 30


@pytest.mark.parametrize("name", ["png", "jxl-lossless", "flac"])
def test_lossless_codecs_lose_nothing(name: str) -> None:
    item, baseline = item_for(name), BASELINES[name]
    (setting,) = baseline.settings
    item = (
        item if item.sample_rate is None else item._replace(signal=np.round(item.signal * 32_768) / np.float32(32_768))
    )
    assert np.array_equal(baseline.decode(baseline.encode(item, setting), item, setting), item.signal)


@pytest.mark.parametrize("name", ["opus", "codec2"])
def test_recordings_of_other_rates_keep_their_rate(name: str) -> None:
    item_for(name)
    item, baseline = sound(44_100), BASELINES[name]
    setting = baseline.settings[-1]
    restored = baseline.decode(baseline.encode(item, setting), item, setting)
    assert abs(len(restored) - len(item.signal)) <= 100


def test_opus_gets_the_bitrate_it_is_told() -> None:
    """About: a steady tone needs less."""
    item, baseline = item_for("opus"), BASELINES["opus"]
    longer = item._replace(signal=np.tile(item.signal, 10))
    assert 12 < 8 * len(baseline.encode(longer, 24.0)) / longer.units < 26


def test_scores_are_at_the_sizes_of_the_targets() -> None:
    item = picture(176, 176)
    names, targets = ("jpeg", "png"), {2: 2_000, 5: 6_000, 7: 10}
    found = measure_item(item, names, targets, ("psnr", "mse"), show=(5,))
    lossless, *jpeg = sorted(found.scores, key=lambda score: score.setting == "lossless", reverse=True)
    assert [(score.codec, score.setting) for score in jpeg] == [("jpeg", "q2"), ("jpeg", "q5")]
    assert jpeg[0].bytes == pytest.approx(2_000, rel=0.1)
    assert jpeg[1].bytes == pytest.approx(6_000, rel=0.1)
    assert jpeg[0].scores["psnr"] < jpeg[1].scores["psnr"]
    assert jpeg[0].rate == 8 * jpeg[0].bytes / 176**2
    assert lossless.scores == {"mse": 0.0}
    assert set(found.versions) == {(item.name, "jpeg", 5)}
    version = found.versions[item.name, "jpeg", 5]
    assert version.setting.startswith("quality ")
    assert version.scores == jpeg[1].scores
    assert unmatched(found.scores, names, {item.name: targets}) == [
        "JPEG has no files within 20% of the size of ours at the qualities 7 (1 of 1)"
    ]


def test_a_codec_that_fails_is_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(item: Item, setting: object) -> bytes:
        raise MediaError("cjxl failed: no room")

    monkeypatch.setattr(BASELINES["jxl"], "encode", fail)
    found = measure_item(picture(), ("jxl", "jpeg"), {1: 3_000}, ("mse",))
    assert [score.codec for score in found.scores] == ["jpeg"]
    assert found.notes == ["JPEG XL is left out for picture: cjxl failed: no room"]


def test_programs_that_are_not_here_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    names, notes = choose_baselines("opus,flac,codec2", "audio")
    assert names == ("flac",)
    assert notes[0] == "Opus is left out: the program opusenc is not installed (package opus-tools)"
    assert len(notes) == 2


def test_lists_of_codecs() -> None:
    assert choose_baselines("", "image") == ((), [])
    assert choose_baselines("png, jpeg,flac,png", "image") == (("png", "jpeg"), [])
    names, notes = choose_baselines("all", "image")
    assert len(names) + len(notes) == 6
    with pytest.raises(OptionError, match="--against tiff"):
        choose_baselines("jpeg,tiff", "image")
    with pytest.raises(OptionError):
        baseline_named("vqc")


def test_errors_of_programs_are_ours() -> None:
    with pytest.raises(MediaError, match="no-such-program failed"):
        programs.run(["no-such-program"])
    with pytest.raises(MediaError, match="sh failed: a reason"):
        programs.run(["sh", "-c", "echo a reason >&2; exit 3"])
    assert programs.run(["cat"], b"abc") == b"abc"
