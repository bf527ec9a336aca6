"""Metadata through a `.vqc` file and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import ExifTags, Image

import vqc
from vqc.errors import OptionError

pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif.update({0x010F: "Canon", 0x0112: 6})
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    Image.new("RGB", (20, 12)).save(tmp_path / "a.jpg", exif=exif)
    return tmp_path / "a.jpg"


def test_dates_and_cameras_come_back_and_places_only_when_asked(photo: Path, tmp_path: Path) -> None:
    found = {}
    for policy in ("keep", "strip", "all"):
        packed, restored = tmp_path / f"{policy}.vqc", tmp_path / f"{policy}.png"
        vqc.compress_file(photo, packed, model="tiny-image", metadata=policy)
        vqc.decompress_file(packed, restored)
        described = vqc.info(packed)
        assert described.bytes == len(packed.read_bytes())
        assert described.other_bytes + described.code_bytes + described.metadata_bytes == described.bytes
        with Image.open(restored) as image:
            assert image.size == (12, 20), "upright"
            exif = image.getexif()
            found[policy] = exif.get(0x010F), exif.get(0x0112, 1), bool(exif.get_ifd(ExifTags.IFD.GPSInfo))
    assert found == {"keep": ("Canon", 1, False), "strip": (None, 1, False), "all": ("Canon", 1, True)}
    assert (tmp_path / "strip.vqc").read_bytes() == vqc.compress(Image.open(photo), model="tiny-image")
    sizes = [len((tmp_path / f"{policy}.vqc").read_bytes()) for policy in ("strip", "keep", "all")]
    assert sizes == sorted(sizes)
    with pytest.raises(OptionError, match="use keep, strip or all"):
        vqc.compress_file(photo, tmp_path / "b.vqc", metadata="none")


def test_a_size_that_is_asked_for_counts_metadata(photo: Path, tmp_path: Path) -> None:
    image = Path(__file__).parent.parent.parent / "examples/photo.jpg"
    exif = Image.Exif()
    exif[0x010F] = "".join(np.random.default_rng(0).choice(list("abcdefghijklmnop"), 150))
    with Image.open(image) as opened:
        opened.resize((96, 64)).save(tmp_path / "long.jpg", exif=exif)
    rate = vqc.Rate(target_bytes=500, effort=0)
    report = vqc.compress_file(tmp_path / "long.jpg", tmp_path / "a.vqc", rate=rate)
    assert 470 <= report.bytes_out <= 500
    assert vqc.info(tmp_path / "a.vqc").metadata_bytes > 75


def test_titles_come_back(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 8_000, 1) as file:
        file.title, file.software = "Ode", "somebody's"
        file.write(np.zeros(500))
    vqc.compress_file(tmp_path / "a.flac", tmp_path / "a.vqc", model="tiny-audio")
    assert vqc.info(tmp_path / "a.vqc").metadata.tags == (("title", "Ode"),)
    vqc.decompress_file(tmp_path / "a.vqc", tmp_path / "b.wav")
    with soundfile.SoundFile(tmp_path / "b.wav") as file:
        assert file.copy_metadata() == {"title": "Ode"}
