"""Colours that are told without an ICC profile become sRGB, or are refused where they have none."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from vqc.data.image_files import read_image
from vqc.errors import MediaError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
COLOURS: Pixels = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3), axis=-1).reshape(64, 64, 3).astype(np.uint8)
GRAYS: Pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
D65, P3, SRGB = (0.3127, 0.3290), (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
BT2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def primaries(values: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in (*D65, *values))))


def code_points(*values: int) -> bytes:
    return chunk(b"cICP", bytes(values))


def png(pixels: Pixels | Image.Image, *chunks: bytes, **options: Any) -> bytes:
    """A PNG with more chunks before its data."""
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, "PNG", **options)
    data = file.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def light(levels: Pixels) -> Floats:
    share = levels / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def levels(light: Floats) -> Floats:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_xyz(values: tuple[float, ...]) -> Floats:
    """The matrix from light of these primaries to XYZ, written down apart from the program's."""
    (xw, yw), pairs = D65, np.array(values).reshape(3, 2)
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in pairs]).T
    return columns * np.linalg.solve(columns, [xw / yw, 1, (1 - xw - yw) / yw])


def in_srgb(linear: Floats, values: tuple[float, ...]) -> Floats:
    return levels(linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(values)).T)


def difference(data: bytes, expected: Floats | Pixels) -> float:
    return float(np.abs(read_image(data).pixels - expected.astype(float)).max())


def test_gamma_is_applied_to_colours_grays_and_palettes() -> None:
    for value in (1.0, 0.7, 0.35):
        assert difference(png(COLOURS, gamma(value)), levels((COLOURS / 255) ** (1 / value))) <= 2
        assert difference(png(GRAYS, gamma(value)), levels((GRAYS / 255) ** (1 / value))) <= 2
    palette = Image.fromarray(COLOURS).quantize(64)
    shown = np.asarray(palette.convert("RGB"))
    assert difference(png(palette, gamma(1)), levels(shown / 255)) <= 2
    assert read_image(png(GRAYS, gamma(1), primaries(P3))).grayscale


def test_the_gamma_that_stands_for_srgb_changes_nothing() -> None:
    for chunks in (
        (gamma(0.45455),),
        (gamma(0.45455), primaries(SRGB)),
        (primaries(SRGB),),
        (gamma(1), primaries(P3), chunk(b"sRGB", b"\0")),
    ):
        assert difference(png(COLOURS, *chunks), COLOURS) == 0
        assert difference(png(GRAYS, *chunks), GRAYS) == 0


def test_primaries_are_brought_to_those_of_srgb() -> None:
    assert difference(png(COLOURS, gamma(0.45455), primaries(P3)), in_srgb(light(COLOURS), P3)) <= 2
    assert difference(png(COLOURS, gamma(1), primaries(BT2020)), in_srgb(COLOURS / 255, BT2020)) <= 2


def test_code_points_are_applied_and_count_most() -> None:
    shown = in_srgb(light(COLOURS), P3)
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    assert difference(png(COLOURS, code_points(12, 13, 0, 1)), shown) <= 2
    assert difference(png(COLOURS, code_points(12, 13, 0, 1), gamma(1), icc_profile=linear), shown) <= 2
    assert difference(png(COLOURS, code_points(9, 8, 0, 1)), in_srgb(COLOURS / 255, BT2020)) <= 2
    assert difference(png(COLOURS, code_points(1, 13, 0, 1), gamma(1)), COLOURS) == 0
    assert difference(png(GRAYS, code_points(12, 13, 0, 1)), GRAYS) == 0


def test_a_profile_counts_more_than_gamma() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(png(COLOURS, gamma(1), primaries(P3), icc_profile=srgb), COLOURS) == 0


@pytest.mark.parametrize(
    ("points", "what"),
    [
        ((9, 16, 0, 1), r"high dynamic range \(PQ\)"),
        ((9, 18, 0, 1), r"high dynamic range \(HLG\)"),
        ((1, 9, 0, 1), "colours of a rare kind"),
        ((1, 13, 0, 0), "levels of video"),
    ],
)
def test_colours_that_cannot_be_srgb_are_refused(points: tuple[int, ...], what: str) -> None:
    with pytest.raises(MediaError, match=f"the image: has {what}.*, which is not supported; convert it to sRGB"):
        read_image(png(COLOURS, code_points(*points)))


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(0),),
        (gamma(42_000),),
        (gamma(0.00001),),
        (primaries((0.3, 0.3) * 3),),
        (primaries((0.3, 0, 0.2, 0.1, 0.4, 0.4)),),
        (code_points(12, 13, 1, 1),),
        (chunk(b"cICP", b"\x0c\x0d"),),
    ],
)
def test_what_says_nothing_that_can_be_changes_nothing(chunks: tuple[bytes, ...]) -> None:
    assert difference(png(COLOURS, *chunks), COLOURS) == 0


def avif(pixels: Pixels, points: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", *points) + data[place + 4 :]


def test_avif_has_its_colours_in_code_points_too() -> None:
    plain = read_image(avif(COLOURS, (1, 13))).pixels
    assert np.abs(plain.astype(int) - COLOURS).mean() < 2
    assert difference(avif(COLOURS, (12, 13)), in_srgb(light(plain), P3)) <= 2
    with pytest.raises(MediaError, match=r"high dynamic range \(PQ\)"):
        read_image(avif(COLOURS, (9, 16)))
