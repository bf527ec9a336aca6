"""Files that are neither images nor audio of a kind that vqc reads are named for what they are, by bytes or by name."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vqc.data import file_signatures
from vqc.data.formats import FORMATS, SUFFIXES, usual_suffixes, written_as
from vqc.data.image_files import read_image
from vqc.data.media_type import media_of_file
from vqc.errors import MediaError


def box(brand: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO base media file."""
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08free" * 4


def pillow_file(format: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(file, format)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


BY_BYTES = {
    r"an HEIC image, which vqc reads with the extra heif: pip install 'vqc-codec\[heif\]', or convert it to PNG": (
        box(b"heic", b"mif1", b"heic"),
        box(b"mif1", b"heic"),
    ),
    r"an MP4 video, whose sound vqc reads with the extra av: pip install 'vqc-codec\[av\]', or": (
        box(b"isom", b"mp41"),
        box(b"mp42"),
    ),
    "a QuickTime video": (box(b"qt  "),),
    r"M4A audio \(AAC or Apple Lossless\), whose sound vqc reads": (box(b"M4A "),),
    r"a raw photo \(CR3\), which vqc does not read; develop it": (box(b"crx "),),
    "AMR audio, which vqc does not read": (b"#!AMR\n\x3c\x91\x17\x16\xbe\x66\x79", b"#!AMR-WB\n\x04\0\0"),
    "AAC audio": (b"\xff\xf1\x50\x80\x02\x1f\xfc\xde\x02\0",),
    "a JPEG XL image": (b"\xff\x0a\x7a\x08\0\0", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0"),
    "an icon": (pillow_file("ICO"),),
    "a DDS texture": (pillow_file("DDS"),),
    "a Netpbm image": (pillow_file("PPM"),),
    "an AVI video": (b"RIFF\x24\x08\0\0AVI LIST\0\0",),
    "a Matroska or WebM video": (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01",),
    "a PDF document, and vqc codes images and audio": (pillow_file("PDF"),),
    "a ZIP archive or an office document": (zipped(),),
    "a tar archive": (tarred(),),
    "an SVG drawing": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',),
    "a web page": (b"<!DOCTYPE html>\n<html><body>404</body></html>",),
    "text": (
        b"Dear reader,\n",
        "größer als ".encode(),
        b"BMW is a maker of cars",
        "a".rjust(511).encode() + b"\xc3\xa4",
    ),
}


@pytest.mark.parametrize("sentence", BY_BYTES)
def test_files_of_other_kinds_are_named_by_their_bytes(
    sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are called, and by both ways in; here without extras."""
    monkeypatch.setattr(file_signatures, "extra_at_hand", lambda extra: False)
    for data in BY_BYTES[sentence]:
        for name in ("file.png", "file.wav", "file.dat"):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(MediaError, match=rf"{name}: is {sentence}"):
                media_of_file(tmp_path / name)
        with pytest.raises(MediaError, match=rf"the image: is {sentence}"):
            read_image(data)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("photo.heic", r"photo\.heic: is an HEIC image by its name, which vqc reads with the extra heif"),
        ("clip.MP4", r"clip\.MP4: is an MP4 video by its name, whose sound vqc reads with the extra av"),
        ("voice.amr", r"voice\.amr: is AMR audio by its name, which vqc does not read; convert it to WAV or FLAC"),
        ("photo.nef", "is a raw photo by its name"),
        ("photo.png", "is not a PNG image, whatever its name says; get it again"),
        ("photo.jfif", "is not a JPEG image, whatever its name says"),
        ("thing.xyz", "is neither an image nor audio of a kind that vqc knows"),
        ("thing", "is neither an image nor audio of a kind that vqc knows"),
    ],
)
def test_where_the_bytes_tell_nothing_the_name_does(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x01\x02\x03\x04" * 300)
    with pytest.raises(MediaError, match=sentence):
        media_of_file(tmp_path / name)


def test_what_begins_like_nothing_known_may_be_audio_if_it_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(bytes(900))
    assert media_of_file(tmp_path / "a.mp3") == "audio"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000"])
def test_images_are_known_by_their_bytes(format: str, tmp_path: Path) -> None:
    (tmp_path / "no suffix").write_bytes(pillow_file(format))
    assert media_of_file(tmp_path / "no suffix") == "image"
    assert media_of_file(pillow_file(format)[:40]) == "image", "a damaged one is an image as well"


def test_every_usual_name_of_a_readable_format_is_in_the_table() -> None:
    assert {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".gif", ".avif", ".tif", ".tiff"} <= set(SUFFIXES["image"])
    assert {".wav", ".wave", ".aif", ".aiff", ".aifc", ".oga", ".opus"} <= set(SUFFIXES["audio"])
    names = [suffix for entry in FORMATS for suffix in entry.suffixes]
    assert len(set(names)) == len(names)
    assert usual_suffixes("image") == (".png", ".jpg", ".webp", ".tiff", ".bmp", ".avif")
    assert written_as("image")[".jfif"] == "jpeg"
    assert ".gif" not in written_as("image")
