"""Still images: files in as 8-bit sRGB pixels, pixels out as files.

    file → one frame → upright (EXIF) → colour | alpha → sRGB → Picture

Pictures come in as people see them: turned as EXIF says, colours brought to sRGB, palettes and CMYK resolved, grayscale
kept as grayscale, alpha kept apart.
"""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vqc.data.colour import to_srgb
from vqc.data.file_signatures import HEAD_BYTES, image_format_of, not_media
from vqc.data.formats import check_quality, usual_suffixes, written_as
from vqc.data.image_errors import why_unreadable
from vqc.data.media_type import AnyFile
from vqc.data.stills import load_still
from vqc.errors import MediaError, MediaWarning, OptionError, OutputError
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.shapes import MAX_PIXELS

_SMALL_FILE_PIXELS = 40_000_000  # of a file of any length: a page scanned at 600 dpi has 35 million
_PIXELS_PER_BYTE = 40  # of longer files
_STRIP_PIXELS = 2**20
_SAMPLE_ROWS = 16


_FORMAT_OF_SUFFIX = written_as("image")
_SAVE_OPTIONS: MappingProxyType[str, dict[str, object]] = MappingProxyType(
    {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 95, "subsampling": 0},
        "webp": {"lossless": True, "exact": True, "quality": 20},  # here quality is effort
        "tiff": {"compression": "tiff_adobe_deflate"},
        "avif": {"quality": 90, "subsampling": "4:4:4"},
        "bmp": {},
    }
)
# ImageDescription, Make, Model, Software, DateTime, Artist, Copyright
_EXIF_OF_TIFF = (270, 271, 272, 305, 306, 315, 33432)
_WITH_ALPHA = frozenset({"png", "webp", "tiff", "avif"})

_pillow = threading.Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr when nobody set up logging


@dataclass(frozen=True, eq=False)
class Picture:
    """An image in 8-bit sRGB.

    pixels: uint8 [H, W, 3], or [H, W] for grayscale.
    alpha: uint8 [H, W], 255 is opaque; None when the image has no alpha channel.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def grayscale(self) -> bool:
        return self.pixels.ndim == 2

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """Pixels uint8 [H, W, 3], also of grayscale; without alpha."""
        return np.repeat(self.pixels[..., None], 3, axis=2) if self.grayscale else self.pixels


def read_image(source: AnyFile, *, name: str | None = None, limit: int | None = None) -> Picture:
    """The picture in a PNG, JPEG, WebP, TIFF or BMP file, or in a still GIF or AVIF.

    A `MediaWarning` says so where the file is not as it should be and yet every pixel is there.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        name: how errors call the image; the path when left out.
        limit: largest number of pixels to read; when left out, what `pixel_limit` says of a file so long.

    Raises:
        MediaError: the file is missing, damaged or cut short, of another format or of a kind that is not supported,
            of more than 8 bits per channel, of several frames, over the limit, or of colours that have no sRGB.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or os.fspath(source)
        try:
            with Path(source).open("rb") as file:
                return _read(file, name, limit)
        except OSError as error:  # of the file system: those of Pillow have become MediaErrors
            raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error
    data = source if isinstance(source, bytes) else source.read()
    return _read(io.BytesIO(data), name or "the image", limit)


def pixel_limit(length: int) -> int:
    """Return the largest number of pixels that are read, unless asked, of a file of `length` bytes.

    Small files may claim no more than is done in little time and memory: reading takes at most about 25 bytes a pixel,
    of which the decoder of JPEG 2000 takes most.
    """
    return min(MAX_PIXELS, max(_SMALL_FILE_PIXELS, _PIXELS_PER_BYTE * length))


def from_pillow(image: Image.Image, *, name: str = "the image") -> Picture:
    """The picture in a Pillow image; it may still be a file that is only opened.

    Raises:
        MediaError: as `read_image`.
    """
    with quiet_pillow():
        return _picture(image, name, MAX_PIXELS)


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA."""
    if picture.alpha is None:
        return Image.fromarray(picture.pixels)
    return Image.fromarray(np.dstack([picture.pixels, picture.alpha]))


def image_format(path: str | os.PathLike[str]) -> str:
    """The format that the suffix of a path asks for: png, jpeg, webp, tiff, bmp or avif; OptionError for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMAT_OF_SUFFIX:
        choice = ", ".join(usual_suffixes("image"))
        raise OptionError(
            f"{os.fspath(path)}: images are written with one of the suffixes {choice}; choose one of these"
        )
    return _FORMAT_OF_SUFFIX[suffix]


def keeps_alpha(format: str) -> bool:
    """Return whether files of this format hold alpha as vqc writes them."""
    return format in _WITH_ALPHA


def encode_image(picture: Picture, format: str, metadata: Metadata = NO_METADATA, quality: int | None = None) -> bytes:
    """The bytes of an image file: png, webp (lossless), tiff, bmp, jpeg (quality 95) or avif (quality 90).

    With a quality of 1 to 100 JPEG, AVIF and WebP, then with loss, are of this one.

    JPEG and BMP hold no alpha: the picture is laid on white, as a browser shows it on an empty page. BMP holds no
    metadata; TIFF caption, camera, date, author and rights.

    Raises:
        OptionError: there is no such format, or it has no such quality.
        OutputError: the format cannot hold this number of pixels.
    """
    if format not in _SAVE_OPTIONS:
        raise OptionError(f"images are written as {', '.join(_SAVE_OPTIONS)}, not as {format}")
    check_quality(format, quality)
    options = _SAVE_OPTIONS[format] | ({} if quality is None else {"quality": quality, "lossless": False})
    image = to_pillow(picture if keeps_alpha(format) else _on_white(picture))
    if format == "png":
        options |= {"compress_type": _png_strategy(image)}
    file = io.BytesIO()
    try:
        image.save(file, format.upper(), **options, **_metadata_options(metadata, format))
    except Exception as error:  # Pillow's writers raise OSError, ValueError, struct.error ...
        if metadata:
            plain = encode_image(picture, format, quality=quality)
            text = f"a {format} file cannot hold the metadata of the original, which is left out"
            warnings.warn(MediaWarning(text), stacklevel=2)
            return plain
        size = f"{picture.width:,} x {picture.height:,} pixels"
        raise OutputError(f"an image of {size} cannot be written as {format}; write it as png") from error
    return file.getvalue()


def _png_strategy(image: Image.Image) -> int:
    """What makes some rows from the middle smaller: to look for all that is alike, or for runs, as in photos."""
    top = max(0, image.height // 2 - _SAMPLE_ROWS // 2)
    rows = image.crop((0, top, image.width, min(top + _SAMPLE_ROWS, image.height)))

    def size(strategy: int) -> int:
        file = io.BytesIO()
        rows.save(file, "PNG", **_SAVE_OPTIONS["png"], compress_type=strategy)
        return len(file.getvalue())

    return min((zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE), key=size)


def _metadata_options(metadata: Metadata, format: str) -> dict[str, Any]:
    """The options of `Image.save` that write metadata."""
    if format == "bmp":
        return {}
    if format == "tiff":  # libtiff writes no directories below the first
        exif, kept = Image.Exif(), Image.Exif()
        exif.load(metadata.exif)
        kept.update({tag: exif[tag] for tag in _EXIF_OF_TIFF if tag in exif})
        return {"exif": kept} if len(kept) else {}
    options: dict[str, Any] = {"exif": b"Exif\0\0" + metadata.exif} if metadata.exif else {}
    if metadata.xmp and format == "png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode(errors="replace"))
    elif metadata.xmp:
        options["xmp"] = metadata.xmp
    return options


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow without warnings or a limit of its own: both are global, so one thread at a time reads images."""
    with _pillow, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _read(file: BinaryIO, name: str, limit: int | None) -> Picture:
    head = file.read(HEAD_BYTES)
    kind = image_format_of(head)
    if kind is None:
        raise not_media(name, head)
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    with quiet_pillow():
        try:
            image = Image.open(file, formats=[kind])
        except Exception as error:  # Pillow's readers raise almost anything on a damaged file
            raise why_unreadable(file, kind, name, error, opened=False) from error
        with image:
            return _picture(image, name, pixel_limit(length) if limit is None else limit)


def _picture(image: Image.Image, name: str, limit: int) -> Picture:
    """The picture of an image, worked out strip by strip: beside Pillow's pixels only the result is held."""
    still = load_still(image, name, limit)
    image = still.image
    width, height = image.size
    pixels, alpha = None, None
    try:
        for top in range(0, height, rows := max(1, _STRIP_PIXELS // width)):
            strip = slice(top, min(top + rows, height))
            colour, mask = _split_alpha(image.crop((0, strip.start, width, strip.stop)))
            if pixels is None:
                convert = to_srgb(colour.mode, still.profile)
            levels = np.asarray(convert(colour))
            if pixels is None:
                pixels = np.empty((height, *levels.shape[1:]), np.uint8)
                alpha = None if mask is None else np.empty((height, width), np.uint8)
            pixels[strip] = levels
            if alpha is not None and mask is not None:
                alpha[strip] = np.asarray(mask)
    except ValueError as error:  # no conversion between these modes
        raise MediaError(f"{name}: has the unusual colour mode {image.mode}; convert it to RGB") from error
    assert pixels is not None, "an image has at least one row"
    return Picture(pixels, alpha)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colour without alpha in one of Pillow's modes, and the alpha channel of mode L."""
    if not image.has_transparency_data:
        return image, None
    gray = image.mode in ("1", "L", "LA", "La")
    image = image.convert("LA" if gray else "RGBA")
    return image.convert("L" if gray else "RGB"), image.getchannel("A")


def _on_white(picture: Picture) -> Picture:
    if picture.alpha is None:
        return picture
    alpha = picture.alpha.astype(np.uint16)
    alpha = alpha if picture.grayscale else alpha[..., None]
    laid = (picture.pixels * alpha + np.uint16(255) * (255 - alpha) + np.uint16(127)) // 255
    return Picture(laid.astype(np.uint8))
