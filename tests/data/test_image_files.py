"""Pictures come in as people see them, whatever the file does to describe that; what cannot be kept is refused."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from vqc.data.image_files import Picture, encode_image, from_pillow, image_format, pixel_limit, read_image
from vqc.errors import MediaError, MediaWarning, OptionError, OutputError

Pixels = NDArray[np.uint8]
RNG = np.random.default_rng(20)
COLOUR: Pixels = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
GRAY: Pixels = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
ALPHA: Pixels = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
# Smooth, so that JPEG keeps it well; and no turn or mirror image of it looks like it.
SMOOTH: Pixels = np.stack(np.broadcast_arrays(*np.ogrid[0:208:16, 40:210:10], 90), axis=-1).astype(np.uint8)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, depth: int, colour_type: int, row: bytes, *more: bytes) -> bytes:
    """A PNG of one row, made by hand."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )


def tiff(bits: int, samples: int, pixels: bytes) -> bytes:
    """An uncompressed little-endian TIFF of one pixel, made by hand."""
    entries = [
        (256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 2 if samples == 3 else 1),
        (273, 4, 1, 200), (277, 3, 1, samples), (278, 4, 1, 1), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    if samples == 3:
        entries[2] = (258, 3, 3, 190)
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)
    return head.ljust(190, b"\0") + struct.pack("<3H", bits, bits, bits) + bytes(4) + pixels


def icc_profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 ICC display profile, made by hand."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data.ljust(-len(data) % 4 + len(data), b"\0")
    header = struct.pack(">I4sI4s4s4s", 132 + 12 * len(tags) + len(body), b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + table + body


def xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))


WHITE = xyz(0.9642, 1.0, 0.8249)
LINEAR = b"curv" + bytes(8)  # no points: the identity
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LINEAR_GRAY = icc_profile(b"GRAY", {b"wtpt": WHITE, b"kTRC": LINEAR})
# Linear light, with the primaries of sRGB (adapted to D50) in the order blue, green, red.
SWAPPED = icc_profile(
    b"RGB ",
    {
        b"wtpt": WHITE,
        b"rXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.4360, 0.2225, 0.0139),
        b"rTRC": LINEAR,
        b"gTRC": LINEAR,
        b"bTRC": LINEAR,
    },
)


def srgb_of_linear(values: Pixels) -> NDArray[np.float64]:
    light = values / 255
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("pixels", [COLOUR, GRAY], ids=["colour", "gray"])
@pytest.mark.parametrize(
    ("format", "alpha"),
    [("bmp", None), ("png", None), ("png", ALPHA), ("tiff", None), ("tiff", ALPHA), ("webp", None), ("webp", ALPHA)],
)
def test_lossless_formats_give_back_every_pixel(format: str, pixels: Pixels, alpha: Pixels | None) -> None:
    back = read_image(encode_image(Picture(pixels, alpha), format))
    if format == "webp" and pixels.ndim == 2:  # has no grayscale
        pixels = np.dstack([pixels] * 3)
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(back.alpha, alpha)  # type: ignore[arg-type]


def test_png_of_a_photo_and_of_a_pattern_is_the_smaller_of_two_ways(rng: np.random.Generator) -> None:
    noisy = (SMOOTH.repeat(8, 0).repeat(8, 1) // 2 + rng.integers(0, 4, 3)).astype(np.uint8)
    noisy += rng.integers(0, 4, noisy.shape, dtype=np.uint8)
    pattern = np.tile(rng.integers(0, 256, (16, 40, 3), dtype=np.uint8), (8, 8, 1))
    for pixels in (noisy, pattern):
        sizes = []
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE):
            Image.fromarray(pixels).save(file := io.BytesIO(), "PNG", compress_level=3, compress_type=strategy)
            sizes.append(len(file.getvalue()))
        assert len(encode_image(Picture(pixels), "png")) == min(sizes)


def test_jpeg_is_close_and_keeps_grayscale() -> None:
    colour, gray = (read_image(encode_image(Picture(pixels), "jpeg")) for pixels in (SMOOTH, SMOOTH[..., 0]))
    assert np.abs(colour.pixels.astype(int) - SMOOTH).max() <= 6
    assert np.abs(gray.pixels.astype(int) - SMOOTH[..., 0]).max() <= 3


@pytest.mark.parametrize("format", ["jpeg", "bmp"])
@pytest.mark.parametrize("pixels", [SMOOTH, SMOOTH[..., 0]], ids=["colour", "gray"])
def test_formats_without_alpha_show_the_picture_on_white(format: str, pixels: Pixels) -> None:
    alpha = np.repeat(np.array([[0], [128], [255]], np.uint8), [5, 3, 5], axis=0).repeat(17, axis=1)
    share = alpha / 255 if pixels.ndim == 2 else alpha[..., None] / 255
    expected = pixels * share + 255 * (1 - share)
    back = read_image(encode_image(Picture(pixels, alpha), format))
    assert back.alpha is None
    error = np.abs(back.pixels - expected)
    assert error.max() <= 0.5 if format == "bmp" else error.mean() <= 6


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(format: str, orientation: int) -> None:
    """The stored pixels are those that the tag turns into the picture."""
    upright_to_stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[::-1],
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    }
    stored = Image.fromarray(np.ascontiguousarray(upright_to_stored[orientation](SMOOTH)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    picture = read_image(saved(stored, format, exif=exif, **options))
    assert picture.pixels.shape == SMOOTH.shape
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= (3 if format == "JPEG" else 0)


def test_damaged_exif_says_nothing() -> None:
    data = saved(Image.fromarray(SMOOTH), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")
    assert np.array_equal(read_image(data).pixels, SMOOTH)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_colour_profiles_are_applied(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    picture = read_image(saved(Image.fromarray(SMOOTH), format, icc_profile=SWAPPED, **options))
    assert np.abs(picture.pixels - srgb_of_linear(SMOOTH[..., ::-1])).max() <= 3


def test_colour_profiles_leave_alpha_alone_and_reach_palettes() -> None:
    stored = np.dstack([SMOOTH, ALPHA])
    picture = read_image(saved(Image.fromarray(stored), "PNG", icc_profile=SWAPPED))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, ALPHA)
    assert np.abs(picture.pixels - srgb_of_linear(SMOOTH[..., ::-1])).max() <= 3
    palette = Image.fromarray(SMOOTH).quantize(256)
    picture = read_image(saved(palette, "PNG", icc_profile=SWAPPED))
    assert np.abs(picture.pixels - srgb_of_linear(np.asarray(palette.convert("RGB"))[..., ::-1])).max() <= 3


def test_gray_profiles_are_applied_and_gray_stays_gray() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = read_image(saved(Image.fromarray(gray), "PNG", icc_profile=LINEAR_GRAY))
    assert np.abs(picture.pixels - srgb_of_linear(gray)).max() <= 2


@pytest.mark.parametrize("pixels", [COLOUR, GRAY], ids=["colour", "gray"])
@pytest.mark.parametrize(
    "profile", [SRGB, b"no profile at all", SWAPPED[:150], SWAPPED], ids=["sRGB", "rubbish", "cut", "another mode"]
)
def test_profiles_of_srgb_or_of_no_use_change_no_pixel(pixels: Pixels, profile: bytes) -> None:
    if profile is SWAPPED:
        profile = LINEAR_GRAY if pixels.ndim == 3 else SWAPPED
    picture = read_image(saved(Image.fromarray(pixels), "PNG", icc_profile=profile))
    assert np.array_equal(picture.pixels, pixels)


def test_cmyk_becomes_rgb() -> None:
    ink = np.dstack([255 - SMOOTH, np.zeros(SMOOTH.shape[:2], np.uint8)])
    for format, options in (("TIFF", {}), ("JPEG", {"quality": 100})):
        picture = read_image(saved(Image.fromarray(ink, mode="CMYK"), format, **options))
        assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 4


def test_palettes_become_rgb_with_their_transparency() -> None:
    palette = Image.new("P", (3, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    palette.putdata([0, 1, 2])
    colours = [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    opaque = read_image(saved(palette, "PNG"))
    assert opaque.pixels.tolist() == colours
    assert opaque.alpha is None
    one = read_image(saved(palette, "PNG", transparency=1))
    several = read_image(saved(palette, "PNG", transparency=bytes([9, 200, 255])))
    assert one.alpha is not None
    assert several.alpha is not None
    assert one.pixels.tolist() == several.pixels.tolist() == colours
    assert one.alpha.tolist() == [[255, 0, 255]]
    assert several.alpha.tolist() == [[9, 200, 255]]


@pytest.mark.parametrize(("depth", "transparent"), [(1, 1), (1, 0), (2, 2), (4, 9), (8, 200)])
def test_few_grays_with_a_transparent_one(depth: int, transparent: int) -> None:
    row = bytes(range(0, 256, 8))
    grays = np.unpackbits(np.frombuffer(row, np.uint8)).reshape(-1, depth) @ (1 << np.arange(depth)[::-1])
    plain = png(len(grays), depth, 0, row)
    assert np.array_equal(read_image(plain).pixels[0], grays * (255 // (2**depth - 1)))
    picture = read_image(png(len(grays), depth, 0, row, chunk(b"tRNS", struct.pack(">H", transparent))))
    assert np.array_equal(picture.pixels, read_image(plain).pixels)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha[0] == 0, grays == transparent)


def test_a_transparent_colour() -> None:
    picture = read_image(png(2, 8, 2, bytes([1, 2, 3, 4, 5, 6]), chunk(b"tRNS", struct.pack(">3H", 4, 5, 6))))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]


DEEP = {
    "gray png": png(2, 16, 0, bytes(4)),
    "rgb png": png(2, 16, 2, bytes(12)),
    "gray png with alpha": png(2, 16, 4, bytes(8)),
    "rgb png with alpha": png(2, 16, 6, bytes(16)),
    "gray tiff": saved(Image.fromarray(np.zeros((4, 4), np.uint16)), "TIFF"),
    "rgb tiff": tiff(16, 3, bytes(6)),
    "float tiff": saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"),
    "int tiff": saved(Image.fromarray(np.zeros((4, 4), np.int32)), "TIFF"),
}


@pytest.mark.parametrize("name", DEEP)
def test_more_than_8_bits_are_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(MediaError, match=r"(16|32) bits per channel .* convert it"):
        read_image(DEEP[name])


def test_the_handmade_tiff_is_fine_with_8_bits() -> None:
    assert read_image(tiff(8, 3, bytes([7, 8, 9]))).pixels.tolist() == [[[7, 8, 9]]]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_animations_and_pages_are_refused_with_what_to_do(format: str) -> None:
    first, second = Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)
    with pytest.raises(MediaError, match="has 2 frames or pages; save the one"):
        read_image(saved(first, format, save_all=True, append_images=[second]))


def test_a_phone_photo_with_a_depth_map_is_its_first_frame() -> None:
    first, second = Image.fromarray(SMOOTH), Image.fromarray(255 - SMOOTH)
    picture = read_image(saved(first, "MPO", save_all=True, append_images=[second], quality=95, subsampling=0))
    assert np.abs(picture.pixels.astype(int) - SMOOTH).max() <= 6


def good_files() -> dict[str, bytes]:
    files = {name: encode_image(Picture(SMOOTH), name) for name in ("png", "jpeg", "webp", "tiff", "bmp")}
    exif = Image.Exif()
    exif[0x0112] = 6
    files["png with everything"] = saved(
        Image.fromarray(np.dstack([SMOOTH, ALPHA])), "PNG", exif=exif, icc_profile=SWAPPED
    )
    files["plain tiff"] = saved(Image.fromarray(SMOOTH), "TIFF")
    return files


GOOD = good_files()


@pytest.mark.parametrize("name", GOOD)
def test_cut_files_are_refused(name: str) -> None:
    """At some lengths nothing is missing but an end mark; then the whole picture may come."""
    data = GOOD[name]
    whole = read_image(data)
    warnings.simplefilter("ignore", MediaWarning)
    refused = 0
    lengths = sorted({*range(0, len(data), max(1, len(data) // 60)), *range(max(0, len(data) - 8), len(data))})
    for length in lengths:
        try:
            picture = read_image(data[:length])
        except MediaError:
            refused += 1
        else:
            assert length > len(data) * 0.6
            assert np.array_equal(picture.pixels, whole.pixels)
    assert refused >= 0.7 * len(lengths)


@pytest.mark.parametrize("name", GOOD)
def test_damaged_files_give_a_picture_or_the_one_error_and_no_other_word(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # as in a program that has not set up logging
    rng = np.random.default_rng(5)
    for _ in range(60):
        data = bytearray(GOOD[name])
        for position in rng.integers(0, len(data), 3):
            data[position] = rng.integers(0, 256)
        try:
            read_image(bytes(data))
        except MediaError:
            continue
    if name != "tiff":  # libtiff, below Pillow, writes to stderr itself
        assert capfd.readouterr() == ("", "")


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    row = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**16, 2**16, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + row + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    limit, start = Image.MAX_IMAGE_PIXELS, time.process_time()
    with pytest.raises(MediaError, match="has 4,294,967,296 pixels, and of a file of its size at most 40,000,000 are"):
        read_image(bomb)
    with pytest.raises(MediaError, match="at most 1,000,000 are read; cut it into parts, or raise the limit"):
        read_image(bomb, limit=10**6)
    assert time.process_time() - start < 0.2
    assert limit == Image.MAX_IMAGE_PIXELS


def test_large_photos_are_read_without_pillows_warning() -> None:
    """Pillow warns above 89 million pixels; the file has none of them, so reading goes on to find it cut short."""
    row = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**14, 2**13, 1, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + row + chunk(b"IDAT", zlib.compress(bytes(1000)))
    warnings.simplefilter("error")
    with pytest.raises(MediaError, match="damaged or cut short"):
        read_image(data, limit=2**28)


def test_small_files_may_claim_few_pixels_and_large_ones_as_many_as_photos_have() -> None:
    assert pixel_limit(1_000) == pixel_limit(1_000_000) == 40_000_000
    assert pixel_limit(5_000_000) == 200_000_000
    assert pixel_limit(10**9) == 2**28


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process")
@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "JPEG", "JPEG2000"])
def test_reading_takes_little_memory_for_each_pixel(format: str, tmp_path: Path) -> None:
    """So that what the limit lets pass stays below 1.5 GB."""
    path, side = tmp_path / "large", 1600
    image = Image.new("RGB" if format == "JPEG" else "RGBA", (side, side), (90, 30, 60))
    options: dict[str, Any] = {"WEBP": {"lossless": True, "method": 0}, "AVIF": {"speed": 10}}.get(format, {})
    image.save(path, format, **options)
    program = (  # the peak of this process alone; getrusage would count that of the one that started it as well
        "import re, sys; from pathlib import Path; from vqc.data.image_files import read_image;"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1]) * 1024;"
        "before = peak(); picture = read_image(sys.argv[1]); print(peak() - before, picture.pixels.nbytes)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    taken, result = map(int, run.stdout.split())
    assert result == 3 * side * side
    assert 3 * side * side < taken < 28 * side * side, f"{taken / side / side:.1f} bytes a pixel"


def test_other_files_are_named_in_the_error(tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear reader,")
    with pytest.raises(MediaError, match=r"letter\.png: is text, and vqc codes images and audio; give it"):
        read_image(letter)
    with pytest.raises(MediaError, match=r"missing\.png: cannot be read: No such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(MediaError, match="cannot be read"):
        read_image(tmp_path)
    with pytest.raises(MediaError, match="letter: is text"):
        read_image(io.BytesIO(b"Dear reader,"), name="letter")
    with pytest.raises(MediaError, match="is an empty file"):
        read_image(b"")


def test_pillow_images_are_taken_as_files_are(tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.dstack([COLOUR, ALPHA])).save(path, exif=exif)
    with Image.open(path) as image:
        taken = from_pillow(image)
    read = read_image(path)
    assert taken.alpha is not None
    assert read.alpha is not None
    assert np.array_equal(taken.pixels, read.pixels)
    assert np.array_equal(taken.alpha, read.alpha)
    with pytest.raises(MediaError, match="16 bits"):
        from_pillow(Image.fromarray(np.zeros((2, 2), np.uint16)))


def test_the_suffix_decides_the_format(tmp_path: Path) -> None:
    for suffix, first in {
        "PNG": b"\x89PNG",
        "jpg": b"\xff\xd8",
        "webp": b"RIFF",
        "tif": b"II*\0",
        "bmp": b"BM",
    }.items():
        assert encode_image(Picture(COLOUR), image_format(f"a.{suffix}")).startswith(first)
    for name in ("a.gif", "a"):
        with pytest.raises(OptionError, match=r"\.png"):
            image_format(name)


@pytest.mark.parametrize(("format", "width"), [("webp", 16_384), ("jpeg", 65_536)])
def test_pictures_too_large_for_a_format_are_refused_with_what_to_do(format: str, width: int) -> None:
    with pytest.raises(OutputError, match="write it as png"):
        encode_image(Picture(np.zeros((1, width), np.uint8)), format)
