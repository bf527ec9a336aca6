"""Which files commands look for, and how formats are called on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vqc.cli.inputs import find_inputs
from vqc.cli.output_format import MEDIA_SUFFIXES, format_of, requested_suffix, suffix_for
from vqc.errors import OptionError


def test_files_of_every_readable_suffix_are_found_in_folders(tmp_path: Path) -> None:
    names = ["a.jfif", "b.jpe", "c.jif", "d.AVIF", "e.gif", "f.wave", "g.aifc", "h.png", "i.mp3", "j.tif"]
    for name in (*names, "k.jxl", "l.txt", "m.mp4", "n.amr"):
        (tmp_path / name).touch()
    sources = find_inputs([str(tmp_path)], MEDIA_SUFFIXES, "media", None).sources
    assert [source.path.name for source in sources] == names


@pytest.mark.parametrize("name", ["x.jfif", "x.JPE", "x.jif", "x.jpeg"])
def test_every_suffix_of_jpeg_can_be_written(name: str) -> None:
    suffix = requested_suffix(None, name)
    assert suffix is not None
    assert format_of(suffix) == "jpeg"
    assert suffix_for("image", suffix, "a.vqc", several=False) == suffix
    assert requested_suffix("jpg", name) == suffix


@pytest.mark.parametrize("name", ["x.gif", "x.aiff", "x.heic"])
def test_what_is_only_read_is_refused_with_what_can_be_written(name: str) -> None:
    usual = r"\.avif, \.bmp, \.flac, \.jpg, \.mp3, \.ogg, \.opus, \.png, \.tiff, \.wav or \.webp"
    with pytest.raises(OptionError, match=f"cannot be written; choose one of {usual}"):
        requested_suffix(None, name)


def test_formats_of_other_media_are_not_offered() -> None:
    usual = r"\.flac, \.mp3, \.ogg, \.opus or \.wav"
    with pytest.raises(OptionError, match=f"cannot be written; choose one of {usual}$"):
        requested_suffix(None, "x.vqc", ["audio"])
