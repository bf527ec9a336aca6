"""`.vqc` images in Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

import vqc
import vqc.pillow
from vqc.codec import api
from vqc.errors import OptionError

pytestmark = pytest.mark.usefixtures("small_models")


def picture(channels: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (21, 30, channels), np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_pillow_saves_it_opens_again(tmp_path: Path, channels: int) -> None:
    image, path = picture(channels), tmp_path / "a.vqc"
    image.save(path, model="tiny-image")
    assert path.read_bytes() == vqc.compress(image, model="tiny-image")
    with Image.open(path) as opened:
        assert (opened.format, opened.size, opened.mode) == ("VQC", (30, 21), image.mode)
        assert opened.get_format_mimetype() == "image/x-vqc"
        expected = vqc.decompress(path.read_bytes())
        assert np.array_equal(np.asarray(opened), expected.array)
        assert np.array_equal(np.asarray(opened.convert(opened.mode)), expected.array), "and once more"


def test_nothing_is_restored_before_pixels_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(3).save(tmp_path / "a.vqc", model="tiny-image", entropy="static")
    calls, decompress = list[int](), api.decompress

    def counted(data: bytes) -> object:
        calls.append(len(data))
        return decompress(data)

    monkeypatch.setattr(api, "decompress", counted)
    with Image.open(tmp_path / "a.vqc") as opened:
        assert opened.size == (30, 21)
        assert opened.info == {"model": "tiny-image", "quality": 1, "entropy": "static", "lossless": False}
        assert not calls
        opened.thumbnail((10, 10))
        assert opened.size == (10, 7)
        opened.load()
        assert len(calls) == 1


def test_exif_of_a_file_is_that_of_the_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    picture(3).save(tmp_path / "a.jpg", exif=exif)
    vqc.compress_file(tmp_path / "a.jpg", tmp_path / "a.vqc", model="tiny-image")
    with Image.open(tmp_path / "a.vqc") as opened:
        assert dict(opened.getexif()) == {0x010F: "Canon"}


def test_files_are_known_by_their_first_bytes_and_audio_is_none(tmp_path: Path) -> None:
    picture(3).save(tmp_path / "a.vqc", model="tiny-image")
    data = (tmp_path / "a.vqc").read_bytes()
    assert Image.open(io.BytesIO(data)).size == (30, 21)
    assert Image.open(io.BytesIO(data), formats=["vqc"]).size == (30, 21)
    sound = vqc.compress(np.zeros(100, np.float32), sample_rate=8_000, model="tiny-audio")
    for other in (sound, b"VQC", b"VQCR" + bytes(40)):
        with pytest.raises(UnidentifiedImageError):
            Image.open(io.BytesIO(other))


def test_a_damaged_file_is_an_oserror_as_with_other_formats() -> None:
    held = io.BytesIO()
    picture(3).save(held, "VQC", model="tiny-image", entropy="none")
    data = held.getvalue()
    with pytest.raises(OSError, match="checksum does not match"):
        Image.open(io.BytesIO(data[:-1]))
    container = vqc.format.container.read_container(data)
    short = type(container)(header=container.header, body=container.body[:-1])
    opened = Image.open(io.BytesIO(vqc.format.container.write_container(short)))
    with pytest.raises(OSError, match="codes take"):
        opened.load()


def test_options_of_save(tmp_path: Path) -> None:
    image = Image.open(Path(__file__).parent.parent / "examples/photo.jpg").resize((96, 64))
    for quality in (2, 7):
        image.save(tmp_path / f"{quality}.vqc", quality=quality, effort=0)
        with Image.open(tmp_path / f"{quality}.vqc") as opened:
            assert (opened.info["quality"], opened.info["model"]) == (quality, "photo")
    image.save(tmp_path / "small.vqc", target_size=400, effort=0)
    assert (tmp_path / "small.vqc").stat().st_size <= 400
    with pytest.raises(OptionError, match="exclude each other"):
        image.save(tmp_path / "none.vqc", quality=2, target_size=400)
    assert not (tmp_path / "none.vqc").exists()


def test_colours_of_a_profile_become_srgb_and_its_name_is_kept(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image, plain = picture(3), picture(3)
    image.info["icc_profile"] = srgb
    for saved, options in ((image, {}), (plain, {"icc_profile": srgb})):
        saved.save(tmp_path / "a.vqc", model="tiny-image", **options)
        with Image.open(tmp_path / "a.vqc") as opened:
            assert opened.info["profile"] == "sRGB built-in"
    assert "icc_profile" not in plain.info, "the image is left as it was"
    image.save(tmp_path / "b.vqc", model="tiny-image", icc_profile=None)
    assert (tmp_path / "b.vqc").read_bytes() == vqc.compress(plain, model="tiny-image")


def test_exif_and_xmp_that_are_given_are_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    for given in (exif, exif.tobytes()):
        picture(3).save(tmp_path / "a.vqc", exif=given, xmp=b"<x:xmpmeta/>", model="tiny-image")
        with Image.open(tmp_path / "a.vqc") as opened:
            assert dict(opened.getexif()) == {0x010F: "Canon"}
            assert opened.info["xmp"] == b"<x:xmpmeta/>"
    picture(3).save(tmp_path / "b.vqc", model="tiny-image")
    with Image.open(tmp_path / "b.vqc") as opened:
        assert not dict(opened.getexif())
