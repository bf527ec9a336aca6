"""Pictures without loss: every pixel comes back, in no more bytes than other lossless files, and only where it pays."""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vqc
import vqc.pillow
from vqc.codec import lossless as module
from vqc.codec.choice import Choice, choose
from vqc.codec.lossless import lossless_below, lossless_file
from vqc.codec.rate import Rate
from vqc.data.image_files import Picture, to_pillow
from vqc.errors import ContainerError, MediaError, OptionError, TargetError
from vqc.format.container import read_container, write_container
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.plain import from_webp, to_webp
from vqc.format.shapes import ImageShape

PHOTO = Path(__file__).parents[2] / "examples/photo.jpg"


def drawing(width: int = 160, height: int = 120) -> Image.Image:
    """Flat colours, lines and letters."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 120, 90), fill=(200, 30, 40))
    draw.ellipse((100, 60, 260, 180), outline=(0, 60, 160), width=3)
    draw.text((30, 110), "every pixel comes back", fill="black")
    return image


def noise(channels: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (13, 17, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (13, 17)])
def test_every_pixel_comes_back(channels: int, size: tuple[int, int]) -> None:
    """Also colours under alpha 0."""
    pixels = noise(channels)[: size[0], : size[1]]
    pixels[..., -1] &= 128 if channels in (2, 4) else 255
    data = vqc.compress(pixels.squeeze(2) if channels == 1 else pixels, lossless=True)
    assert np.array_equal(vqc.decompress(data).array, pixels.squeeze(2) if channels == 1 else pixels)
    told = vqc.info(data)
    assert (told.lossless, told.model, told.kind) == (True, None, "lossless")
    assert vqc.verify(data).model == "lossless"


def test_alpha_that_is_opaque_stays_alpha() -> None:
    pixels = np.dstack([noise(3), np.full((13, 17), 255, np.uint8)])
    assert np.array_equal(vqc.decompress(vqc.compress(pixels, lossless=True)).array, pixels)


def test_the_body_is_a_webp_file_without_its_head() -> None:
    out = io.BytesIO()
    drawing().save(out, "WEBP", lossless=True)
    body = from_webp(out.getvalue())
    assert to_webp(body, ImageShape(width=160, height=120)) == out.getvalue()
    with pytest.raises(ContainerError, match="cannot be kept without loss"):
        to_webp(body, ImageShape(width=16_384, height=2))


def test_a_drawing_is_kept_and_a_photo_is_not() -> None:
    image = drawing()
    data = vqc.compress(image)
    assert read_container(data).header.is_lossless
    for form, options in (("PNG", {"optimize": True}), ("WEBP", {"lossless": True, "method": 6, "quality": 100})):
        out = io.BytesIO()
        image.save(out, form, **options)
        assert len(data) <= len(out.getvalue())
    photo = Image.open(PHOTO).convert("RGB").crop((100, 100, 260, 220))
    assert not read_container(vqc.compress(photo, rate=Rate(effort=0))).header.is_lossless


def test_who_asks_for_codes_gets_codes() -> None:
    image = drawing(96, 64)
    for asked in ({"lossless": False}, {"entropy": "static"}, {"model": "photo"}):
        data = vqc.compress(image, rate=Rate(effort=0), **asked)
        assert vqc.read_codes(data).model == "photo"
    with pytest.raises(ContainerError, match="a picture without loss, which has no codes"):
        vqc.read_codes(vqc.compress(image, lossless=True))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"quality": 3}, "lossless and a quality exclude"),
        ({"model": "photo"}, "lossless and a model exclude"),
        ({"entropy": "static"}, "lossless and entropy static exclude"),
        ({"rate": Rate(target_bytes=900)}, "lossless and a target exclude"),
        ({"rate": Rate(effort=3)}, "lossless and an effort exclude"),
    ],
)
def test_without_loss_there_is_nothing_to_choose(asked: dict, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        vqc.compress(drawing(), lossless=True, **asked)


def test_audio_is_not_kept_without_loss() -> None:
    with pytest.raises(OptionError, match="only images are kept without loss"):
        vqc.compress(np.zeros(800, np.float32), sample_rate=16_000, lossless=True)


def never() -> module.Compressed:
    raise AssertionError("the lossy file is not made")


def test_a_size_that_the_picture_fits_in_needs_no_model() -> None:
    picture = Picture(np.asarray(drawing()))
    size = len(lossless_file(picture))
    assert len(choose(picture, never, Choice(rate=Rate(target_bytes=size)))) == size
    with pytest.raises(AssertionError, match="lossy file"):
        choose(picture, never, Choice(rate=Rate(target_bytes=size // 4)))


def test_a_file_that_is_not_much_larger_is_mentioned() -> None:
    picture = Picture(np.asarray(drawing()))
    exact = lossless_file(picture)
    half = module.Compressed(exact.container, exact.data[: len(exact) * 2 // 3])
    assert choose(picture, lambda: half, Choice()).lossless_bytes == len(exact)
    tiny = module.Compressed(exact.container, exact.data[: len(exact) // 3])
    assert choose(picture, lambda: tiny, Choice()) is tiny


def test_of_a_photo_only_some_tiles_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    saved = module._saved
    monkeypatch.setattr(module, "_saved", lambda pixels, **how: seen.append(pixels.size) or saved(pixels, **how))
    photo = Picture(np.asarray(Image.open(PHOTO).convert("RGB")))
    assert lossless_below(photo, 12_000, NO_METADATA) is None
    assert seen == [3 * (3 * 96) ** 2]


def test_a_score_is_reached_without_loss_where_that_is_smaller() -> None:
    picture = Picture(np.asarray(drawing()))
    exact = lossless_file(picture)
    large = module.Compressed(exact.container, exact.data * 2)
    made = choose(picture, lambda: large, Choice(rate=Rate(target_psnr=46)))
    assert (len(made), made.score) == (len(exact), ("psnr", math.inf))


def out_of_reach() -> module.Compressed:
    raise TargetError("no model does")


def test_a_score_that_nothing_else_reaches_is_reached_without_loss() -> None:
    picture, wanted = Picture(noise(3)), Rate(target_psnr=95)
    made = choose(picture, out_of_reach, Choice(rate=wanted))
    assert (made.container.header.is_lossless, made.score) == (True, ("psnr", math.inf))
    with pytest.raises(TargetError):
        choose(picture, out_of_reach, Choice(lossless=False, rate=wanted))
    with pytest.raises(TargetError, match="no model does"):
        choose(picture, out_of_reach, Choice(rate=Rate(target_bytes=20)))
    with pytest.raises(TargetError):
        choose(Picture(np.resize(noise(3), (1, 16_384, 3))), out_of_reach, Choice(rate=wanted))


def test_of_two_files_of_one_size_the_one_without_loss_is_taken() -> None:
    picture = Picture(np.asarray(drawing()))
    exact = lossless_file(picture)
    lossy = module.Compressed(exact.container, bytes(len(exact)))
    assert choose(picture, lambda: lossy, Choice()).data == exact.data


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_who_asks_for_it_gets_no_larger_a_file_than_who_does_not(channels: int) -> None:
    pixels = noise(channels)
    picture = Picture(pixels[..., :3].squeeze(), pixels[..., 3] if channels == 4 else None)
    found = lossless_below(picture, 10**6, NO_METADATA)
    assert found is not None
    assert lossless_file(picture).data == found.data


def test_of_a_damaged_one_nobody_is_told_to_restore_a_part() -> None:
    data = lossless_file(Picture(noise(3))).data
    with pytest.raises(ContainerError, match=r"its checksum does not match; get it again$"):
        vqc.decompress(data[:-1])


def test_metadata_stands_beside_the_picture() -> None:
    kept = Metadata(xmp=b"<x/>")
    data = lossless_file(Picture(noise(3)), kept).data
    assert (read_container(data).metadata, data[3]) == (kept, 2)
    assert np.array_equal(vqc.decompress(data).array, noise(3))


def test_sides_that_are_too_long_are_left_to_the_model() -> None:
    long = Picture(np.zeros((2, 16_384, 3), np.uint8))
    with pytest.raises(MediaError, match="its sides may have 16,383"):
        lossless_file(long)
    assert lossless_below(long, 10**9, NO_METADATA) is None


def test_what_a_small_file_claims_is_not_believed() -> None:
    container = read_container(lossless_file(Picture(np.zeros((9, 9), np.uint8))).data)
    shape = ImageShape(width=16_000, height=16_000, grayscale=True)
    bomb = write_container(replace(container, header=replace(container.header, shape=shape)))
    with pytest.raises(ContainerError, match="claims 16,000 x 16,000 pixels; if you trust it"):
        vqc.decompress(bomb)
    with pytest.raises(ContainerError, match="over the limit of 1,000"):
        vqc.decompress(bomb, limit=1_000)


def test_damage_under_a_right_checksum_is_one_sentence(tmp_path: Path) -> None:
    data = lossless_file(Picture(np.asarray(drawing()))).data
    for content in (data[:-40], data[:25] + b"\xff" * 30 + data[55:-4]):
        bent = content + struct.pack("<I", zlib.crc32(content))
        with pytest.raises(ContainerError, match="its picture cannot be right"):
            vqc.decompress(bent)
    (tmp_path / "cut.vqc").write_bytes(data[:-9])
    with pytest.raises(ContainerError, match="nothing is left then"):
        vqc.decompress_file(tmp_path / "cut.vqc", tmp_path / "x.png", salvage=True)
    content = data[:6] + b"\2" + data[7:-4]
    with pytest.raises(ContainerError, match="of sort 2, which this version does not know"):
        vqc.decompress(content + struct.pack("<I", zlib.crc32(content)))


def test_sharp_and_salvage_change_nothing(tmp_path: Path) -> None:
    picture = Picture(noise(3))
    (tmp_path / "x.vqc").write_bytes(lossless_file(picture).data)
    vqc.decompress_file(tmp_path / "x.vqc", tmp_path / "x.png", sharp=True, salvage=True)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "x.png")), picture.pixels)


def test_pillow_saves_and_opens_it(tmp_path: Path) -> None:
    to_pillow(Picture(noise(3))).save(tmp_path / "x.vqc", lossless=True)
    with Image.open(tmp_path / "x.vqc", formats=[vqc.pillow.FORMAT]) as image:
        assert (image.info["lossless"], image.mode) == (True, "RGB")
        assert np.array_equal(np.asarray(image), noise(3))
