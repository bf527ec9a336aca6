"""HEIC images: read where pillow-heif is, told of where it is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vqc.data import file_signatures
from vqc.data.file_signatures import image_format_of
from vqc.data.image_files import read_image
from vqc.data.media_type import media_of_file
from vqc.data.metadata import metadata_of_image
from vqc.errors import MediaError

HEAD = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(40)


def smooth() -> np.ndarray:
    y, x = np.mgrid[:40, :64]
    return np.stack([x * 4, y * 6, 255 - x], -1).astype(np.uint8)


def test_a_heic_image_is_read() -> None:
    heif = pytest.importorskip("pillow_heif")
    held = io.BytesIO()
    heif.from_pillow(Image.fromarray(smooth())).save(held, quality=95)
    data = held.getvalue()
    assert image_format_of(data) == "HEIF"
    assert media_of_file(data) == "image"
    picture = read_image(data)
    assert picture.pixels.shape == (40, 64, 3)
    assert np.abs(picture.pixels.astype(int) - smooth()).mean() < 4
    assert not metadata_of_image(data, "keep")
    with pytest.raises(MediaError):
        read_image(data[: len(data) // 2])


def test_more_than_8_bits_are_refused() -> None:
    heif = pytest.importorskip("pillow_heif")
    held = io.BytesIO()
    heif.from_bytes("RGB;16", (64, 40), (smooth().astype(np.uint16) << 8).tobytes()).save(held)
    with pytest.raises(MediaError, match="has 10 bits per channel"):
        read_image(held.getvalue())


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_signatures, "extra_at_hand", lambda extra: False)
    with pytest.raises(MediaError, match=r"photo: is an HEIC image, .* extra heif: pip install 'vqc-codec\[heif\]'"):
        read_image(HEAD, name="photo")
