"""Pictures above quality 8 are AVIF in the container: of the size or score asked for, alpha exact, and told as such."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vqc
from vqc.codec import avif as module
from vqc.codec import plain
from vqc.codec.avif import avif_for_target, avif_of_quality
from vqc.codec.choice import Choice, choose
from vqc.codec.codec import Compressed
from vqc.codec.plain import restore_plain
from vqc.codec.rate import Rate
from vqc.data.image_files import Picture
from vqc.errors import ContainerError, MediaError, MissingPackageError, OptionError, TargetError
from vqc.format.container import read_container
from vqc.format.metadata import NO_METADATA, Metadata

PHOTO = Picture(
    np.asarray(Image.open(Path(__file__).parents[2] / "examples/photo.jpg").convert("RGB").crop((100, 100, 190, 170)))
)
RAMP = np.linspace(0, 255, PHOTO.width).astype(np.uint8)[None].repeat(PHOTO.height, 0)


def psnr(picture: Picture, restored: Picture) -> float:
    return float(-10 * np.log10(np.square((picture.pixels.astype(float) - restored.pixels) / 255).mean()))


def never() -> Compressed:
    raise AssertionError("no model is asked")


def test_qualities_rise_up_to_ten_and_between() -> None:
    made = [choose(PHOTO, never, Choice(quality=quality)) for quality in (8.2, 9, 9.5, 10)]
    restored = [restore_plain(one.container, len(one)) for one in made]
    assert [len(one) for one in made] == sorted({len(one) for one in made})
    assert [psnr(PHOTO, one) for one in restored] == sorted(psnr(PHOTO, one) for one in restored)
    assert [one.container.header.quality for one in made] == [9, 9, 10, 10]
    told = vqc.info(made[1].data)
    assert (told.kind, told.model, told.lossless, told.has_codes, told.quality) == ("avif", None, False, False, 9)
    assert vqc.verify(made[1].data).model == "avif"


def test_who_asks_for_codes_or_quality_eight_gets_a_model() -> None:
    for choice in (Choice(quality=9, codes=True), Choice(quality=8), Choice()):
        with pytest.raises(AssertionError, match="no model is asked"):
            choose(PHOTO, never, choice)
    for asked in ({"model": "photo"}, {"entropy": "static"}):
        with pytest.raises(OptionError, match="qualities of the model photo are 1 to 8"):
            vqc.compress(PHOTO.pixels, quality=9, **asked)
    with pytest.raises(ContainerError, match="an AVIF picture, which has no codes; compress it with quality 8"):
        vqc.read_codes(vqc.compress(PHOTO.pixels, quality=9))
    with pytest.raises(OptionError, match="qualities of images are 1 to 10"):
        vqc.compress(PHOTO.pixels, quality=11)


@pytest.mark.parametrize("alpha", [None, RAMP])
@pytest.mark.parametrize("pixels", [PHOTO.pixels, PHOTO.pixels[..., 1]])
def test_grayscale_alpha_and_metadata_stay(pixels: np.ndarray, alpha: np.ndarray | None) -> None:
    kept = Metadata(xmp=b"<x/>")
    made = avif_of_quality(Picture(pixels, alpha), 10, kept)
    container = read_container(made.data)
    restored = restore_plain(container, len(made))
    assert container.metadata == kept
    assert restored.pixels.shape == pixels.shape
    assert (restored.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(restored.alpha, alpha)


def test_sizes_above_those_of_the_model_are_met() -> None:
    least = len(avif_of_quality(PHOTO, 8.01, NO_METADATA))
    assert avif_for_target(PHOTO, Rate(target_bytes=least // 2), NO_METADATA) is None
    for size in (least, 2 * least):
        made = avif_for_target(PHOTO, Rate(target_bytes=size), NO_METADATA)
        assert made is not None
        assert 0.85 * size <= len(made) <= size
    bpp = 16 * least / PHOTO.width / PHOTO.height
    assert avif_for_target(PHOTO, Rate(target_bpp=bpp), NO_METADATA) == made


def test_the_last_quality_of_a_size_is_found_in_fewer_trials_than_by_halving() -> None:
    growth = np.repeat([0.07, 0.0, 0.05, 0.04, 0.0, 0.1], [1, 1, 40, 40, 10, 10])  # as of photos: steep at the end
    lengths = [int(size) for size in 500 * np.exp(np.cumsum(growth))[:101]]
    trials: list[int] = []
    for least in (0, 38):
        for size in range(lengths[least] - 1, lengths[-1] + 100, 61):
            seen: set[int] = set()
            found = module._last_of_size(size, least, lambda quality, seen=seen: seen.add(quality) or lengths[quality])
            assert found == max(
                [quality for quality in range(least, 101) if lengths[quality] <= size], default=least - 1
            )
            trials.append(len(seen))
    assert np.mean(trials) < 6, "halving takes more than seven"


def test_scores_above_those_of_the_model_are_reached() -> None:
    assert avif_for_target(PHOTO, Rate(target_psnr=25), NO_METADATA) is None
    made = avif_for_target(PHOTO, Rate(target_psnr=40), NO_METADATA)
    assert made is not None
    assert made.score is not None
    assert made.score.value == pytest.approx(psnr(PHOTO, restore_plain(made.container, len(made))))
    assert 40 <= made.score.value < 40.5
    with pytest.raises(TargetError, match=r"90 dB is out of reach: the best that AVIF comes to here .* --lossless"):
        avif_for_target(PHOTO, Rate(target_psnr=90), NO_METADATA)


def test_where_the_model_falls_short_avif_does_it() -> None:
    def falls_short() -> Compressed:
        raise TargetError("out of reach")

    made = choose(PHOTO, falls_short, Choice(rate=Rate(target_psnr=27)))
    assert made.score is not None
    assert 27 <= made.score.value < 29


@pytest.mark.parametrize("larger", [-1, 0, 1])
def test_a_score_is_reached_in_the_smaller_of_both_files(larger: int) -> None:
    wanted = Choice(rate=Rate(target_psnr=27))
    avif = avif_for_target(PHOTO, wanted.rate, NO_METADATA, least=0)
    assert avif is not None
    codes = replace(avif, data=bytes(len(avif) + larger), score=None)  # as if a model had made it
    assert choose(PHOTO, lambda: codes, wanted).data == (avif if larger > 0 else codes).data


def test_a_drawing_is_still_kept_without_loss_where_that_is_smaller() -> None:
    flat = Picture(np.full((60, 90, 3), 77, np.uint8))
    assert choose(flat, never, Choice(quality=9)).container.header.is_lossless
    assert not choose(flat, never, Choice(lossless=False, quality=9)).container.header.is_lossless


def soft_drawing() -> Image.Image:
    """Lines with soft edges, which take many bits without loss, and are nothing that a model of photos expects."""
    image = Image.new("RGB", (912, 720), "white")
    draw = ImageDraw.Draw(image)
    for number in range(4):
        draw.ellipse((60 * number, 30 * number, 880 - 60 * number, 690 - 40 * number), outline="black", width=5)
    return image.resize((304, 240), Image.Resampling.LANCZOS).crop((40, 30, 240, 190))


def test_a_drawing_is_avif_of_the_size_of_a_model_s_file() -> None:
    quality = 3
    picture = Picture(np.asarray(soft_drawing()))
    codes = vqc.compress(picture.pixels, quality=quality, rate=Rate(effort=0), lossless=False)
    drawn = vqc.compress(picture.pixels, quality=quality, rate=Rate(effort=0))
    assert (vqc.info(codes).kind, vqc.info(drawn).kind) == ("photo", "avif")
    assert len(drawn) <= len(codes)
    restored = [Picture(vqc.decompress(data).array) for data in (codes, drawn)]
    assert psnr(picture, restored[1]) > psnr(picture, restored[0]) + 0.5
    asked = vqc.compress(picture.pixels, quality=quality, rate=Rate(effort=0), entropy="static")
    assert vqc.info(asked).kind == "photo"


def test_a_drawing_reaches_a_score_in_the_smaller_file() -> None:
    picture = Picture(np.asarray(soft_drawing()))
    sizes = {
        model: len(vqc.compress(picture.pixels, model=model, rate=Rate(target_psnr=28, effort=0)))
        for model in (None, "photo")
    }
    assert sizes[None] < 0.8 * sizes["photo"]


def test_without_avif_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    data = vqc.compress(PHOTO.pixels, quality=9)
    for where in (module, plain):
        monkeypatch.setattr(where.features, "check", lambda name: False)
    with pytest.raises(MissingPackageError, match="quality 9 is kept as AVIF, and this Pillow has been built without"):
        vqc.compress(PHOTO.pixels, quality=9)
    with pytest.raises(MissingPackageError, match=r"the \.vqc file holds an AVIF picture, and this Pillow"):
        vqc.decompress(data)
    assert avif_for_target(PHOTO, Rate(target_psnr=40), NO_METADATA) is None


def test_sides_too_long_and_damage_are_one_sentence() -> None:
    with pytest.raises(MediaError, match="as AVIF its sides may have 32,768"):
        avif_of_quality(Picture(np.zeros((1, 32_769, 3), np.uint8)), 9, NO_METADATA)
    data = vqc.compress(PHOTO.pixels, quality=9)
    wide = data[:13] + bytes([data[13] + 1]) + data[14:-4]  # another width than that of the AVIF file
    for content in (data[:-60], data[:40] + b"\xff" * 30 + data[70:-4], wide):
        with pytest.raises(ContainerError, match="its picture cannot be right"):
            vqc.decompress(content + struct.pack("<I", zlib.crc32(content)))
