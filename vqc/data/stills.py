"""The one picture in an image file, opened by Pillow and loaded.

    header → more than 8 bits? several frames? too many pixels? → what the colours are → load → upright

What cannot be kept (16 bits, several frames) is refused before anything is unpacked, and not quietly reduced.
"""

from __future__ import annotations

import io
import warnings
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, cast

from PIL import Image, ImageFile

from vqc.data.colour import UnknownColourError, profile_of_code_points, profile_of_gamma
from vqc.data.image_errors import damaged, too_deep, why_unreadable
from vqc.data.image_metadata import avif_metadata, jp2_metadata, png_code_points
from vqc.errors import MediaError, MediaWarning

_TIFF_SUBFILE, _TIFF_OLD_SUBFILE, _TIFF_SUB_FILES = 254, 255, 330
_TIFF_BITS_PER_SAMPLE, _TIFF_COMPRESSION, _TIFF_STRIP_BYTES = 258, 259, 279
_EXIF_ORIENTATION = 0x0112
_EXIF_KEYS = ("exif", "Raw profile type exif")  # where Pillow keeps EXIF; the second is of old PNGs
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_TURNS = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
_GRAY_STEPS = MappingProxyType({"L;2": 255 // 3, "L;4": 255 // 15})  # Pillow's names of PNGs with 4 and 16 grays
_JP2_SPACES = (None, 12, 16, 17, 18)  # CMYK, sRGB, grays, YCbCr of sRGB
_END_OF_JPEG = b"\xff\xd9"
_MORE_JPEG = b"\xfe" * 64  # as data of a JPEG: nothing like the zeros that libjpeg puts where data ends


class Still(NamedTuple):
    """A loaded image, upright, and the ICC profile of its colours: None for sRGB."""

    image: Image.Image
    profile: bytes | None


def load_still(image: Image.Image, name: str, limit: int) -> Still:
    """The picture in an image that Pillow has opened, or made.

    Args:
        image: as `Image.open` gives it, or any other.
        name: how errors call it.
        limit: largest number of pixels to load.

    Raises:
        MediaError: as `vqc.data.image_files.read_image`.
    """
    _refuse_frames(image, name)
    _refuse_deep(image, name)
    _refuse_large(image, name, limit)
    _refuse_short_tiff(image, name)
    profile = _profile(image, name)
    few_grays = _GRAY_STEPS.get(_raw_mode(image))
    # Pillow would turn TIFFs as XMP says where EXIF says nothing, which other programs do not.
    xmp = {key: image.info.pop(key) for key in _XMP_KEYS if key in image.info}
    image = _loaded(image, name)
    image.info.update(xmp)
    if few_grays and "transparency" in image.info:  # Pillow scales the grays to 8 bits but not the transparent one
        image.info["transparency"] *= few_grays
    turn = _TURNS.get(_orientation(image))
    return Still(image if turn is None else image.transpose(turn), profile)


def _refuse_frames(image: Image.Image, name: str) -> None:
    """Animations and files of several pages. Of a TIFF with one full page and previews of it the page is chosen."""
    # MPO is a JPEG photo of which later frames are depth maps or previews: the first is the photo.
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        full = _full_pages(image, frames) if image.format == "TIFF" else list(range(frames))
    except Exception as error:  # TIFF walks through the whole file to count
        raise damaged(name) from error
    if not full:
        raise MediaError(
            f"{name}: holds only a preview of its picture, as raw photos of cameras do; develop it to a PNG or TIFF"
        )
    if len(full) > 1:
        raise MediaError(f"{name}: has {frames} frames or pages; save the one you want as a still image")
    if frames > 1:
        _turn_to(image, full[0])


def _full_pages(image: Image.Image, frames: int) -> list[int]:
    """The first pages, two at most, that are not marked as reduced versions of others."""
    full = list[int]()
    for page in range(frames):
        if frames > 1:
            _turn_to(image, page)
        tags = getattr(image, "tag_v2", {})
        reduced = tags.get(_TIFF_SUBFILE, 0) & 1 or tags.get(_TIFF_OLD_SUBFILE) == 2
        if not reduced or (frames == 1 and _TIFF_SUB_FILES not in tags):  # alone it is all there is
            full.append(page)
        if len(full) == 2:
            break
    return full


def _turn_to(image: Image.Image, page: int) -> None:
    """Pillow keeps the colour profile of the page before where the new one has none."""
    if image.tell() != page:
        image.info.pop("icc_profile", None)
        image.seek(page)


def _refuse_deep(image: Image.Image, name: str) -> None:
    """More than 8 bits per channel, which Pillow in some formats reduces to 8 silently."""
    bits = 16 if image.mode.startswith(("I", "F")) else 8
    if image.format == "PNG" and ";16" in _raw_mode(image):
        bits = 16
    elif image.format == "TIFF":
        bits = max(getattr(image, "tag_v2", {}).get(_TIFF_BITS_PER_SAMPLE, (bits,)))
    elif image.format == "JPEG2000" and (file := _file(image)):
        bits = jp2_metadata(file).bits or 8
    elif image.format == "HEIF":
        bits = image.info.get("bit_depth") or 8
    elif image.format == "AVIF" and (file := _file(image)):
        bits = avif_metadata(file).bits or 8
    if bits > 8:
        raise too_deep(name, bits)


def _refuse_large(image: Image.Image, name: str, limit: int) -> None:
    pixels = image.width * image.height
    if pixels > limit:
        raise MediaError(
            f"{name}: has {pixels:,} pixels, and of a file of its size at most {limit:,} are read; cut it into parts,"
            " or raise the limit"
        )


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name of the pixels in a file that is not loaded yet, such as RGB;16B, with more for some formats."""
    return str(image.tile[0].args) if isinstance(image, ImageFile.ImageFile) and image.tile else ""


def _file(image: Image.Image) -> BinaryIO | None:
    """The open file of an image that is not loaded yet."""
    return cast(BinaryIO | None, image.fp) if isinstance(image, ImageFile.ImageFile) and image.tile else None


def _refuse_short_tiff(image: Image.Image, name: str) -> None:
    """Pillow leaves black, without an error, what the strips of an uncompressed TIFF do not reach."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    plain = tags.get(_TIFF_COMPRESSION) == 1 and image.mode in ("L", "RGB", "RGBA", "CMYK")
    needed = image.width * image.height * len(image.mode)
    if plain and _TIFF_STRIP_BYTES in tags and sum(tags[_TIFF_STRIP_BYTES]) < needed:
        raise damaged(name)


def _profile(image: Image.Image, name: str) -> bytes | None:
    """The ICC profile of the colours, from what counts most: cICP of PNG, ICC, sRGB or gAMA of PNG, AVIF's own."""
    info, gray, file = image.info, image.mode in ("1", "L", "LA", "La"), _file(image)
    try:
        if image.format == "PNG" and file and (points := png_code_points(file)):
            primaries, transfer, full_range = points
            if not full_range:
                raise UnknownColourError("levels of video, 16 to 235")
            return profile_of_code_points(primaries, transfer, gray=gray)
        if image.format == "JPEG2000" and file:
            space, icc = jp2_metadata(file)[1:]
            if icc is None and space not in _JP2_SPACES:
                raise UnknownColourError(f"colour space {space} of JPEG 2000")
            return icc
        if profile := info.get("icc_profile"):
            return bytes(profile)
        if image.format == "PNG" and "srgb" not in info:
            return profile_of_gamma(info.get("gamma"), info.get("chromaticity"), gray=gray)
        if image.format == "AVIF" and file and (code_points := avif_metadata(file).code_points):
            return profile_of_code_points(*code_points, gray=gray)
    except UnknownColourError as error:
        raise MediaError(f"{name}: has {error}, which is not supported; convert it to sRGB") from None
    return None


def _loaded(image: Image.Image, name: str) -> Image.Image:
    """The image with its pixels; a JPEG whose end marker alone is missing is mended, with a warning."""
    file, kind = _file(image), str(image.format)
    try:
        image.load()
    except Exception as error:  # Pillow's readers raise almost anything on a damaged file
        if file is None:
            raise damaged(name) from error
        if kind in ("JPEG", "MPO") and (mended := _mended_jpeg(file)) is not None:
            text = f"{name}: its end is cut off, though every pixel is there; save it anew to mend it"
            warnings.warn(text, MediaWarning, stacklevel=2)
            return mended
        raise why_unreadable(file, "JPEG" if kind == "MPO" else kind, name, error, opened=True) from error
    return image


def _mended_jpeg(file: BinaryIO) -> Image.Image | None:
    """The image of a JPEG without an end marker; None where data is missing too.

    Nothing is missing where what follows is ignored: zeros, as libjpeg puts them for missing data, or
    other bits.
    """
    file.seek(0)
    data = file.read().removesuffix(_END_OF_JPEG[:1])
    try:
        images = [Image.open(io.BytesIO(data + more + _END_OF_JPEG), formats=["JPEG"]) for more in (b"", _MORE_JPEG)]
        same = images[0].tobytes() == images[1].tobytes()
    except Exception:
        return None
    return images[0] if same else None


def _orientation(image: Image.Image) -> int:
    """Read the orientation in EXIF; XMP alone turns no picture. Pillow has turned TIFFs already."""
    exif = Image.new("L", (1, 1))  # as what holds the EXIF alone: getexif would else ask XMP
    exif.info = {key: image.info[key] for key in _EXIF_KEYS if key in image.info}
    try:
        return int(exif.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing, and the pixels are fine
        return 1
