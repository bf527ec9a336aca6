"""Still images: files in as 8-bit sRGB pixels, pixels out as files.

    file → frame → upright (EXIF) → colour | alpha → sRGB (ICC) → Picture

Pictures come in as people see them: turned as EXIF says, colours brought to sRGB, palettes and CMYK resolved, grayscale
kept as grayscale, alpha kept apart. What cannot be kept (16 bits, several frames) is refused and not quietly reduced.
"""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps

from vqc.data.kinds import HEAD_BYTES, image_format_of, not_media
from vqc.data.suffixes import usual_suffixes, written_as
from vqc.errors import MediaError, OptionError, OutputError

MAX_PIXELS = 2**28  # of a file to read; the largest phone photos have 2 * 10^8

Source = str | os.PathLike[str] | bytes | BinaryIO

_FORMAT_OF_SUFFIX = written_as("image")
_SAVE_OPTIONS: MappingProxyType[str, dict[str, object]] = MappingProxyType(
    {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 95, "subsampling": 0},
        "webp": {"lossless": True, "exact": True, "quality": 20},  # here quality is effort
        "tiff": {"compression": "tiff_adobe_deflate"},
        "bmp": {},
    }
)
_WITH_ALPHA = frozenset({"png", "webp", "tiff"})
_TIFF_BITS_PER_SAMPLE, _TIFF_COMPRESSION, _TIFF_STRIP_BYTES = 258, 259, 279
_EXIF_ORIENTATION = 0x0112
_GRAY_STEPS = MappingProxyType({"L;2": 255 // 3, "L;4": 255 // 15})  # Pillow's names of PNGs with 4 and 16 grays
_MOST_INVISIBLE = 2  # levels of 255; a colour profile that changes no colour by more is taken for sRGB

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


def read_image(source: Source, *, name: str | None = None) -> Picture:
    """The picture in a PNG, JPEG, WebP, TIFF or BMP file, in a still GIF or AVIF.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        name: how errors call the image; the path when left out.

    Raises:
        MediaError: the file is missing, damaged or cut short, of another format, of more than 8 bits per channel,
            of several frames, or of more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or os.fspath(source)
        try:
            with Path(source).open("rb") as file:
                return _read(file, name)
        except OSError as error:  # of the file system: those of Pillow have become MediaErrors
            raise MediaError(f"{name}: cannot be read: {error.strerror or error}") from error
    data = source if isinstance(source, bytes) else source.read()
    return _read(io.BytesIO(data), name or "the image")


def from_pillow(image: Image.Image, *, name: str = "the image") -> Picture:
    """The picture in a Pillow image; it may still be a file that is only opened.

    Raises:
        MediaError: as `read_image`.
    """
    with _quiet_pillow():
        return _picture(image, name)


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA."""
    if picture.alpha is None:
        return Image.fromarray(picture.pixels)
    return Image.fromarray(np.dstack([picture.pixels, picture.alpha]))


def image_format(path: str | os.PathLike[str]) -> str:
    """The format that the suffix of a path asks for: png, jpeg, webp, tiff or bmp; OptionError for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMAT_OF_SUFFIX:
        choice = ", ".join(usual_suffixes("image"))
        raise OptionError(
            f"{os.fspath(path)}: images are written with one of the suffixes {choice}; choose one of these"
        )
    return _FORMAT_OF_SUFFIX[suffix]


def keeps_alpha(format: str) -> bool:  # noqa: A002, the word Pillow uses as well
    """Whether files of this format hold alpha as vqc writes them."""
    return format in _WITH_ALPHA


def encode_image(picture: Picture, format: str) -> bytes:  # noqa: A002
    """The bytes of an image file: png, webp (lossless), tiff, bmp, or jpeg (quality 95, 4:4:4).

    JPEG and BMP hold no alpha: the picture is laid on white, as a browser shows it on an empty page.

    Raises:
        OutputError: the format cannot hold so many pixels.
    """
    if format not in _SAVE_OPTIONS:
        raise OptionError(f"images are written as {', '.join(_SAVE_OPTIONS)}, not as {format}")
    image = to_pillow(picture if keeps_alpha(format) else _on_white(picture))
    file = io.BytesIO()
    try:
        image.save(file, format.upper(), **_SAVE_OPTIONS[format])
    except Exception as error:  # Pillow's writers raise OSError, ValueError, struct.error ...
        size = f"{picture.width:,} x {picture.height:,} pixels"
        raise OutputError(f"an image of {size} cannot be written as {format}; write it as png") from error
    return file.getvalue()


def write_image(path: str | os.PathLike[str], picture: Picture, format: str | None = None) -> None:  # noqa: A002
    """Writes an image file, over an existing one; the format is that of the suffix unless given.

    Raises:
        OptionError: the format or suffix is none of those of `encode_image`.
        OutputError: the file cannot be written.
    """
    data = encode_image(picture, format or image_format(path))
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise OutputError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow without warnings and with our limit of pixels: both are global, so one thread at a time reads images."""
    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = limit and MAX_PIXELS // 2  # Pillow warns above its limit and refuses twice as much
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _read(file: BinaryIO, name: str) -> Picture:
    head = file.read(HEAD_BYTES)
    found = image_format_of(head)
    if found is None:
        raise not_media(name, head)
    file.seek(0)
    with _quiet_pillow():
        try:
            with Image.open(file, formats=[found]) as image:
                return _picture(image, name)
        except Image.DecompressionBombError:
            raise MediaError(f"{name}: has more than {MAX_PIXELS:,} pixels; cut it into parts") from None
        except MediaError:
            raise
        except Exception as error:  # Pillow's readers raise almost anything on a damaged file
            raise _damaged(name) from error


def _damaged(name: str) -> MediaError:
    return MediaError(f"{name}: is damaged or cut short; get it again, or save it anew with an image program")


def _picture(image: Image.Image, name: str) -> Picture:
    _refuse_deep(image, name)
    _refuse_animated(image, name)
    _refuse_short_tiff(image, name)
    few_grays = _GRAY_STEPS.get(_raw_mode(image))
    try:
        image.load()
    except Exception as error:
        raise _damaged(name) from error
    if few_grays and "transparency" in image.info:  # Pillow scales the grays to 8 bits but not the transparent one
        image.info["transparency"] *= few_grays
    profile = image.info.get("icc_profile")
    colour, alpha = _split_alpha(_upright(image))
    try:
        colour = _to_srgb(colour, profile)
    except ValueError as error:  # no conversion between these modes
        raise MediaError(f"{name}: has the unusual colour mode {colour.mode}; convert it to RGB") from error
    return Picture(np.array(colour), None if alpha is None else np.array(alpha))


def _refuse_deep(image: Image.Image, name: str) -> None:
    """More than 8 bits per channel, which Pillow in some formats reduces to 8 silently."""
    bits = 16 if image.mode.startswith(("I", "F")) else 8
    if image.format == "PNG" and ";16" in _raw_mode(image):
        bits = 16
    elif image.format == "TIFF":
        bits = max(getattr(image, "tag_v2", {}).get(_TIFF_BITS_PER_SAMPLE, (bits,)))
    if bits > 8:
        raise MediaError(f"{name}: has {bits} bits per channel and vqc codes 8; convert it to 8 bits per channel first")


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name of the pixels in a file that is not loaded yet, such as RGB;16B, with more for some formats."""
    return str(image.tile[0].args) if isinstance(image, ImageFile.ImageFile) and image.tile else ""


def _refuse_short_tiff(image: Image.Image, name: str) -> None:
    """Pillow leaves black, without an error, what the strips of an uncompressed TIFF do not reach."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    plain = tags.get(_TIFF_COMPRESSION) == 1 and image.mode in ("L", "RGB", "RGBA", "CMYK")
    needed = image.width * image.height * len(image.mode)
    if plain and _TIFF_STRIP_BYTES in tags and sum(tags[_TIFF_STRIP_BYTES]) < needed:
        raise _damaged(name)


def _refuse_animated(image: Image.Image, name: str) -> None:
    # MPO is a JPEG photo of which later frames are depth maps or previews: the first is the photo.
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception as error:  # TIFF walks through the whole file to count
        raise _damaged(name) from error
    if frames > 1:
        raise MediaError(f"{name}: has {frames} frames or pages; save the one you want as a still image")


def _upright(image: Image.Image) -> Image.Image:
    try:
        if image.getexif().get(_EXIF_ORIENTATION, 1) == 1:
            return image  # exif_transpose would copy it
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF says nothing, and the pixels are fine
        return image


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colour without alpha in one of Pillow's modes, and the alpha channel of mode L."""
    if not image.has_transparency_data:
        return image, None
    gray = image.mode in ("1", "L", "LA", "La")
    image = image.convert("LA" if gray else "RGBA")
    return image.convert("L" if gray else "RGB"), image.getchannel("A")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Mode L or RGB in sRGB; without a profile that fits, the numbers are taken for sRGB."""
    mode = {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    image = image if image.mode == mode else image.convert(mode)
    with suppress(Exception):  # whatever lcms does not like about the profile
        if profile:
            return _with_profile(image, profile)
    return image.convert("RGB") if mode == "CMYK" else image


def _with_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """The image brought to sRGB; it comes back as it is if the profile hardly changes any colour."""
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if image.mode == "L" else 0),
    )
    levels = np.arange(256, dtype=np.uint8)
    if image.mode == "L":
        grays = _transformed(Image.fromarray(levels[None]), transform).getchannel("G")
        return image if _are_alike(grays, levels) else image.point(grays.tobytes())
    if image.mode == "RGB":
        cube = np.stack(np.meshgrid(levels[::15], levels[::15], levels[::15]), axis=-1).reshape(18, -1, 3)
        if _are_alike(_transformed(Image.fromarray(cube), transform), cube):
            return image  # rounding is all that the transform would do
    return _transformed(image, transform)


def _transformed(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    result = ImageCms.applyTransform(image, transform)
    assert result is not None, "it is None only when it works in place"
    return result


def _are_alike(image: Image.Image, pixels: NDArray[np.uint8]) -> bool:
    return int(np.abs(np.asarray(image).astype(int) - pixels).max()) <= _MOST_INVISIBLE


def _on_white(picture: Picture) -> Picture:
    if picture.alpha is None:
        return picture
    alpha = picture.alpha.astype(np.uint16)
    alpha = alpha if picture.grayscale else alpha[..., None]
    laid = (picture.pixels * alpha + np.uint16(255) * (255 - alpha) + np.uint16(127)) // 255
    return Picture(laid.astype(np.uint8))
