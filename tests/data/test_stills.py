"""Of what an image file holds the one picture is found, or it is said why there is none: unsupported is not damaged."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from vqc.data.image_files import read_image
from vqc.errors import MediaError, MediaWarning

Pixels = NDArray[np.uint8]
RNG = np.random.default_rng(4)
SMOOTH: Pixels = np.stack(np.broadcast_arrays(*np.ogrid[0:208:4, 40:210:3], 90), axis=-1).astype(np.uint8)
NOISE: Pixels = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_avif_is_read_as_pillow_shows_it() -> None:
    alpha = np.repeat(np.arange(0, 52, dtype=np.uint8)[:, None], 57, axis=1)
    data = saved(Image.fromarray(np.dstack([SMOOTH, alpha])), "AVIF", quality=100, subsampling="4:4:4")
    picture = read_image(data)
    assert picture.alpha is not None
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(image)
    assert np.array_equal(np.dstack([picture.pixels, picture.alpha]), shown)
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 4


def test_still_gifs_are_read_and_moving_ones_refused() -> None:
    indices = RNG.integers(0, 4, (9, 11), dtype=np.uint8)
    palette = [10, 20, 30, 200, 0, 0, 0, 250, 5, 7, 8, 240]
    image = Image.fromarray(indices, mode="P")
    image.putpalette(palette)
    picture = read_image(saved(image, "GIF", transparency=2))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.where(indices == 2, 0, 255))
    shown = np.array(palette, np.uint8).reshape(4, 3)[indices]
    assert np.array_equal(picture.pixels[indices != 2], shown[indices != 2])
    other = Image.fromarray(3 - indices, mode="P")
    other.putpalette(palette)
    with pytest.raises(MediaError, match="has 2 frames or pages; save the one"):
        read_image(saved(image, "GIF", save_all=True, append_images=[other]))


def test_avif_of_more_than_8_bits_is_refused_as_such() -> None:
    data = saved(Image.fromarray(SMOOTH), "AVIF", quality=100, subsampling="4:4:4")
    ten = bytearray(data.replace(b"pixi\0\0\0\0\x03\x08\x08\x08", b"pixi\0\0\0\0\x03\x0a\x0a\x0a"))
    assert ten != data
    ten[data.index(b"av1C") + 6] |= 0x40
    with pytest.raises(MediaError, match="has 10 bits per channel and vqc codes 8; convert it"):
        read_image(bytes(ten))


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"quality": 100}])
def test_a_jpeg_without_its_end_marker_is_whole_and_one_cut_in_its_data_is_not(options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(NOISE), "JPEG", **options)
    whole = read_image(data)
    for without in (data[:-2], data[:-1]):
        with pytest.warns(MediaWarning, match="the image: its end is cut off, though every pixel is there"):
            picture = read_image(without)
        assert np.array_equal(picture.pixels, whole.pixels)
    scan = data.rindex(b"\xff\xda") + 14
    for length in [*range(scan, len(data) - 4, (len(data) - scan) // 12), len(data) - 6, len(data) - 4]:
        with pytest.raises(MediaError, match="damaged or cut short"):
            read_image(data[:length])


def pages(*subfiles: int, more: dict[int, Any] | None = None) -> bytes:
    """A TIFF of pages of these types; the page of index i has i in its first pixel."""
    images = []
    for index, _ in enumerate(subfiles):
        pixels = NOISE.copy() if index == 0 else NOISE[: 20 - index, :30].copy()
        pixels[0, 0] = index
        images.append(Image.fromarray(pixels))
    first, *others = images
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = subfiles[0]
    for tag, value in (more or {}).items():
        tags[tag] = value
    for image, subfile in zip(others, subfiles[1:], strict=True):
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[254] = subfile
        image.encoderinfo = {"tiffinfo": info}  # type: ignore[attr-defined]
    return saved(first, "TIFF", save_all=True, append_images=others, tiffinfo=tags)


@pytest.mark.parametrize(("subfiles", "chosen"), [((0, 1), 0), ((1, 0), 1), ((0, 1, 1), 0), ((1, 1, 0), 2), ((1,), 0)])
def test_of_a_tiff_with_reduced_previews_the_full_page_is_the_picture(subfiles: tuple[int, ...], chosen: int) -> None:
    picture = read_image(pages(*subfiles))
    assert picture.pixels[0, 0].tolist() == [chosen] * 3
    assert picture.pixels.shape == (NOISE.shape if chosen == 0 else (20 - chosen, 30, 3))


def test_tiffs_of_several_full_pages_or_none_are_refused() -> None:
    with pytest.raises(MediaError, match="has 3 frames or pages"):
        read_image(pages(0, 1, 0))
    for raw in (pages(1, more={330: 8}), pages(1, 1)):
        with pytest.raises(MediaError, match="holds only a preview of its picture, as raw photos"):
            read_image(raw)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_decides_about_orientation_and_xmp_does_not(format: str) -> None:
    image = Image.fromarray(SMOOTH)
    options: dict[str, Any] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format, {})
    if format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    elif format == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700] = XMP
        options["tiffinfo"] = tags
    else:
        options["xmp"] = XMP
    picture = read_image(saved(image, format, **options))
    assert picture.pixels.shape == SMOOTH.shape
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 8
    info = Image.Exif()
    info[0x0112] = 3
    if format == "TIFF":
        options["tiffinfo"][0x0112] = 3
        turned = read_image(saved(image, format, **options))
    else:
        turned = read_image(saved(image, format, exif=info, **options))
    assert np.array_equal(turned.pixels, picture.pixels[::-1, ::-1])


def bmp(bits: int, coding: int, masks: bytes = b"") -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, bits, coding, 64, 2835, 2835, 0, 0) + masks
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + 64, 0, 0, start) + header + bytes(64)


def jpeg(*edits: tuple[int, int]) -> bytes:
    """A JPEG with bytes of its frame header replaced; 1 is the marker, 4 the bits, 9 the number of channels."""
    data = bytearray(saved(Image.fromarray(SMOOTH), "JPEG"))
    frame = data.index(b"\xff\xc0\0\x11\x08")
    for place, value in edits:
        data[frame + place] = value
    return bytes(data)


def tiff(tag: int, value: int) -> bytes:
    """An uncompressed TIFF with the value of a short tag replaced."""
    data = bytearray(saved(Image.fromarray(SMOOTH), "TIFF"))
    start, count = struct.unpack_from("<I", data, 4)[0], struct.unpack_from("<H", data, 8)[0]
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<H", data, entry + 8, value)
            return bytes(data)
    raise AssertionError(tag)


UNSUPPORTED = {
    "BMP .32 bits per pixel, channels laid out unusually.": bmp(32, 3, struct.pack("<3I", 0x3FF00000, 0xFFC00, 0x3FF)),
    "BMP .64 bits per pixel.": bmp(64, 0),
    "BMP .24 bits per pixel, coding 4.": bmp(24, 4),
    "JPEG .JPEG-LS.": jpeg((1, 0xF7)),
    "JPEG .a rare way of coding.": jpeg((1, 0xC5)),
    "JPEG .2 channels.": jpeg((9, 2)),
    "PNG .made for iPhones.": b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBIP\0 \x06+\xd5\xb3\x7f\0\0\0\rIHDR" + bytes(30),
    "TIFF .compression 34712": tiff(259, 34712),
    "TIFF .compression 1, photometric 32803": tiff(262, 32803),
}
DAMAGED = {
    "BMP of 77 bits": bmp(77, 0),
    "BMP of a coding that is none": bmp(24, 99),
    "BMP cut short": saved(Image.fromarray(SMOOTH), "BMP")[:500],
    "JPEG without a frame": jpeg((1, 0xE5)),
    "JPEG of 9 bits": jpeg((4, 9)),
    "PNG of a colour type that is none": saved(Image.fromarray(SMOOTH), "PNG").replace(
        b"\x08\x02\0\0\0", b"\x08\x05\0\0\0"
    ),
    "TIFF of a compression that is none": tiff(259, 12345),
    "TIFF of colours that are none": tiff(262, 77),
    "WebP": saved(Image.fromarray(NOISE), "WEBP")[:200],
    "GIF": saved(Image.fromarray(NOISE), "GIF")[:500],
    "AVIF": saved(Image.fromarray(NOISE), "AVIF")[:500],
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_images_of_an_unsupported_kind_are_told_from_damaged_ones(kind: str) -> None:
    with pytest.raises(MediaError, match=f"the image: this kind of {kind}.* is not supported; convert it to PNG"):
        read_image(UNSUPPORTED[kind])


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_images_are_not_called_unsupported(kind: str) -> None:
    with warnings.catch_warnings(), pytest.raises(MediaError, match="the image: is damaged or cut short; get it again"):
        warnings.simplefilter("error")
        read_image(DAMAGED[kind])


def test_jpegs_of_12_bits_are_refused_as_such() -> None:
    with pytest.raises(MediaError, match="has 12 bits per channel"):
        read_image(jpeg((4, 12)))
