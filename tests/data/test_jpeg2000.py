"""JPEG 2000: read as it is, of 8 bits and of colours that can become sRGB; refused when cut short."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from vqc.data.image_files import read_image
from vqc.data.image_metadata import jp2_metadata
from vqc.errors import MediaError

Y, X = np.mgrid[:48, :64]
SMOOTH = np.stack([X * 4, Y * 5, 255 - X * 3, X + Y], -1).astype(np.uint8)  # [H, W, 4]
SRGB = b"\0\0\0\x0fcolr\x01\0\0\0\0\0\x10"


def saved(image: Image.Image, **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG2000", **options)
    return held.getvalue()


def with_colours(data: bytes, box: bytes) -> bytes:
    """A file whose box of colours is another."""
    box = (len(box) + 8).to_bytes(4, "big") + b"colr" + box
    at = data.index(SRGB)
    outer = data.index(b"jp2h") - 4
    size = int.from_bytes(data[outer : outer + 4], "big") + len(box) - len(SRGB)
    return data[:outer] + size.to_bytes(4, "big") + data[outer + 4 : at] + box + data[at + len(SRGB) :]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("boxes", [True, False])
def test_every_pixel_is_read(channels: int, boxes: bool) -> None:
    image = SMOOTH[..., :channels] if channels > 2 else SMOOTH[..., [0, 3]][..., :channels]
    data = saved(Image.fromarray(image[..., 0] if channels == 1 else image), no_jp2=not boxes)
    picture = read_image(data)
    colours = image[..., :3] if channels > 2 else image[..., 0]
    assert np.array_equal(picture.pixels, colours)
    if channels in (2, 4):
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, image[..., -1])


@pytest.mark.parametrize("mode", ["I;16", "RGB"])
def test_more_than_8_bits_are_refused(mode: str) -> None:
    """Pillow makes 8 bits of them without a word."""
    data = saved(Image.fromarray(SMOOTH[..., :3] if mode == "RGB" else SMOOTH[..., 0].astype(np.uint16) << 6))
    if mode == "RGB":
        at = data.index(b"\xff\x4f\xff\x51") + 42
        data = data[:at] + b"\x0b" + data[at + 1 :]  # the first channel claims 12 bits
    with pytest.raises(MediaError, match=r"has 1[26] bits per channel"):
        read_image(data)


def test_colours_become_srgb() -> None:
    data = saved(Image.fromarray(SMOOTH[..., :3]))
    assert jp2_metadata(io.BytesIO(data)) == (8, 16, None)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = with_colours(data, b"\x02\0\0" + profile)
    assert jp2_metadata(io.BytesIO(same)).profile == profile
    assert np.abs(read_image(same).pixels.astype(int) - SMOOTH[..., :3]).max() <= 1
    with pytest.raises(MediaError, match="has colour space 14 of JPEG 2000, which is not supported"):
        read_image(with_colours(data, b"\x01\0\0\0\0\0\x0e"))  # CIELab


def test_a_file_that_was_cut_is_refused() -> None:
    data = saved(Image.fromarray(SMOOTH))
    for end in (len(data) - 3, len(data) // 2, 100, 60, 20):
        with pytest.raises(MediaError, match="damaged or cut short"):
            read_image(data[:end])
