"""Metadata of media files: when and how are kept, where is not unless asked, and pictures stay upright."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from vqc.data.audio_files import AudioReader
from vqc.data.audio_writer import AudioWriter
from vqc.data.image_files import Picture, encode_image
from vqc.data.metadata import check_policy, described, metadata_of_image, metadata_of_tags
from vqc.errors import MediaWarning, OptionError
from vqc.format.metadata import NO_METADATA, Metadata

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6" place="home"/></x:xmpmeta>'
FORMATS = ["PNG", "JPEG", "WEBP", "TIFF"]


def exif() -> Image.Exif:
    """As of a camera held upright, with its place and what the maker put there."""
    made = Image.Exif()
    made.update({0x0112: 6, 0x010F: "Canon", 0x0132: "2024:05:01 12:00:00", 0x010E: "a caption"})
    made.get_ifd(ExifTags.IFD.Exif).update(
        {33434: IFDRational(1, 250), 36867: "2024:05:01 11:59:59", 37500: b"maker" * 9}
    )
    made.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 0.0)})
    return made


def photo(form: str, **options: Any) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (20, 12)).save(held, form, exif=exif().tobytes(), **options)
    return held.getvalue()


def loaded(data: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(data)
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_when_and_how_are_kept_and_where_is_not(form: str) -> None:
    kept = metadata_of_image(photo(form), "keep")
    found = loaded(kept.exif)
    assert (found[0x010F], found[0x0132]) == ("Canon", "2024:05:01 12:00:00")
    assert set(found) == {0x010F, 0x0132, 34665}
    assert dict(found.get_ifd(ExifTags.IFD.Exif)) == {33434: 1 / 250, 36867: "2024:05:01 11:59:59"}
    assert not found.get_ifd(ExifTags.IFD.GPSInfo)
    assert b"maker" not in kept.exif
    assert (kept.xmp, kept.profile) == (b"", "")
    assert metadata_of_image(photo(form), "strip") == NO_METADATA


def test_all_is_all_but_that_the_picture_is_upright() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = photo("JPEG", xmp=XMP, icc_profile=profile)
    kept = metadata_of_image(data, "all")
    before = Image.open(io.BytesIO(data)).info["exif"].removeprefix(b"Exif\0\0")
    assert [(a, b) for a, b in zip(before, kept.exif, strict=True) if a != b] == [(6, 1)]
    assert kept.xmp == XMP.replace(b'"6"', b'"1"')
    assert kept.profile == "sRGB built-in"
    assert loaded(kept.exif).get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


@pytest.mark.parametrize("form", FORMATS)
def test_restored_files_have_what_was_kept(form: str) -> None:
    kept = metadata_of_image(photo("JPEG", xmp=XMP), "all")
    data = encode_image(Picture(np.zeros((12, 20, 3), np.uint8)), form.lower(), kept)
    with Image.open(io.BytesIO(data)) as again:
        found = again.getexif()
        assert (found[0x010F], found.get(0x0112, 1)) == ("Canon", 1)
        if form != "TIFF":
            assert found.get_ifd(ExifTags.IFD.Exif)[36867] == "2024:05:01 11:59:59"
        xmp = again.info.get("xmp") or again.info.get("XML:com.adobe.xmp", b"")
        assert (b"home" in (xmp.encode() if isinstance(xmp, str) else xmp)) == (form != "TIFF")
        assert again.size == (20, 12)


def test_a_format_that_holds_none_is_written_without() -> None:
    picture = Picture(np.zeros((12, 20, 3), np.uint8))
    assert encode_image(picture, "bmp", metadata_of_image(photo("JPEG"), "all")) == encode_image(picture, "bmp")
    with pytest.warns(MediaWarning, match="jpeg file cannot hold the metadata"):
        data = encode_image(picture, "jpeg", Metadata(exif=bytes(70_000)))
    assert data == encode_image(picture, "jpeg")


def test_a_png_that_has_its_xmp_as_text() -> None:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    assert b"home" in metadata_of_image(photo("PNG", pnginfo=info), "all").xmp


def test_files_without_metadata_have_none(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    for name in ("a.png", "a.jpg"):
        assert metadata_of_image(tmp_path / name, "keep") == metadata_of_image(tmp_path / name, "all") == NO_METADATA


def test_damaged_metadata_is_left_out_with_a_warning() -> None:
    held = io.BytesIO()
    Image.new("RGB", (4, 4)).save(held, "JPEG", exif=b"Exif\0\0XX*\0rubbish")
    for policy in ("keep", "all"):
        with pytest.warns(MediaWarning, match="metadata is damaged, and left out"):
            assert metadata_of_image(held.getvalue(), policy) == NO_METADATA


def test_metadata_is_described_in_words() -> None:
    words = described(metadata_of_image(photo("JPEG", xmp=XMP), "all"))
    assert words["Make"] == "Canon"
    assert words["ExposureTime"] == "0.004"
    assert words["place"] == "yes"
    assert words["XMP"] == f"{len(XMP)} bytes"
    assert "place" not in described(metadata_of_image(photo("JPEG"), "keep"))
    assert described(Metadata(exif=b"rubbish")) == {"EXIF": "7 bytes"}
    assert described(Metadata(tags=(("title", "Ode"),))) == {"title": "Ode"}


def test_tags_of_audio_are_chosen() -> None:
    tags = {"software": "Lavf", "title": "Ode", "comment": "long", "date": ""}
    assert metadata_of_tags(tags, "keep").tags == (("title", "Ode"),)
    assert dict(metadata_of_tags(tags, "all").tags) == {"software": "Lavf", "title": "Ode", "comment": "long"}
    assert metadata_of_tags(tags, "strip") == NO_METADATA


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3"])
@pytest.mark.parametrize("expected", [0, 2_000])
def test_written_audio_has_the_tags(tmp_path: Path, form: str, expected: int) -> None:
    path = tmp_path / f"a.{form}"
    tags = {"title": "Ode an die Freude ä", "artist": "B", "nonsense": "x"}
    with AudioWriter(path, 16_000, 1, samples=expected, tags=tags) as writer:
        writer.write(np.zeros((2_000, 1), np.float32))
    with AudioReader(path) as reader:
        assert {name: reader.tags.get(name) for name in ("title", "artist")} == {"title": tags["title"], "artist": "B"}
        assert len(reader.read()) == pytest.approx(2_000, abs=0 if form != "mp3" else 3_000)


def test_a_wav_with_tags_is_read_by_others(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", 8_000, 2, tags={"title": "Odd", "date": "1999", "album": "Even"}) as writer:
        writer.write(np.full((3, 2), 0.5, np.float32))
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert (file.title, file.date, file.album, file.frames) == ("Odd", "1999", "Even", 3)
    data = (tmp_path / "a.wav").read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8


def test_there_are_three_policies() -> None:
    assert check_policy("all") == "all"
    with pytest.raises(OptionError, match="use keep, strip or all"):
        check_policy("some")
