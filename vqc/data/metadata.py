"""Metadata of media files: what is kept of EXIF, XMP, names of colour profiles and tags, and how it is shown.

    "keep"   when and how: dates, camera, lens, exposure; author and rights; title, artist, album, track of audio
    "all"    all of EXIF with place, maker's notes and thumbnail; XMP; name of the colour profile; all tags
    "strip"  nothing

Pixels come upright, so whatever is kept says so.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from vqc.data.file_signatures import HEAD_BYTES, image_format_of
from vqc.data.image_files import quiet_pillow
from vqc.errors import MediaWarning, OptionError
from vqc.format.metadata import Metadata

Policy = Literal["keep", "strip", "all"]

_EXIF_KEY = "exif"  # where Pillow keeps it
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3  # a tag, and the type of its value
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))\d")
_KEPT = frozenset(
    {
        "Make", "Model", "Software", "DateTime", "Artist", "Copyright",
        "DateTimeOriginal", "DateTimeDigitized", "OffsetTime", "OffsetTimeOriginal", "OffsetTimeDigitized",
        "SubsecTime", "SubsecTimeOriginal", "SubsecTimeDigitized",
        "ExposureTime", "FNumber", "ExposureProgram", "ExposureMode", "ISOSpeedRatings", "SensitivityType",
        "ShutterSpeedValue", "ApertureValue", "BrightnessValue", "ExposureBiasValue", "MaxApertureValue",
        "SubjectDistance", "MeteringMode", "LightSource", "Flash", "FocalLength", "FocalLengthIn35mmFilm",
        "WhiteBalance", "DigitalZoomRatio", "SceneCaptureType", "LensSpecification", "LensMake", "LensModel",
    }
)  # fmt: skip
_KEPT_TAGS = ("title", "artist", "album", "date", "tracknumber", "genre", "copyright", "license")


def check_policy(policy: str) -> Policy:
    """The policy; OptionError when there is no such one."""
    if policy not in get_args(Policy):
        raise OptionError(f"metadata {policy}: there is no such choice; use keep, strip or all")
    return cast(Policy, policy)


def metadata_of_image(source: str | os.PathLike[str] | bytes, policy: Policy) -> Metadata:
    """What is to be kept of the metadata of an image file that has been read; damaged metadata is left out."""
    if policy == "strip":
        return Metadata()
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file, quiet_pillow():
        kind = image_format_of(file.read(HEAD_BYTES))
        file.seek(0)
        try:
            with Image.open(file, formats=[kind or ""]) as image:
                return _kept(image, policy)
        except Exception:  # Pillow's readers raise almost anything; the pixels are fine
            name = "the image" if isinstance(source, bytes) else os.fspath(source)
            warnings.warn(MediaWarning(f"{name}: its metadata is damaged, and left out"), stacklevel=2)
            return Metadata()


def metadata_of_tags(tags: Mapping[str, str], policy: Policy) -> Metadata:
    """What is to be kept of the tags of audio."""
    kept = {"strip": (), "keep": _KEPT_TAGS, "all": tuple(tags)}[policy]
    return Metadata(tags=tuple((name, tags[name]) for name in kept if tags.get(name)))


def described(metadata: Metadata) -> dict[str, str]:
    """Names and values for people; of EXIF those that are kept by default, and what else is there by its name."""
    found = dict(metadata.tags)
    if metadata.exif:
        try:
            exif = _loaded(metadata.exif)
            entries = [*exif.items(), *exif.get_ifd(ExifTags.IFD.Exif).items()]
            found |= {name: _shown(value) for name, _, value in _tagged(entries, _KEPT)}
            found |= {"place": "yes"} if exif.get_ifd(ExifTags.IFD.GPSInfo) else {}
        except Exception:  # what a stranger wrote
            found["EXIF"] = f"{len(metadata.exif):,} bytes"
    found |= {"XMP": f"{len(metadata.xmp):,} bytes"} if metadata.xmp else {}
    return found | ({"colour profile": metadata.profile} if metadata.profile else {})


def _kept(image: Image.Image, policy: Policy) -> Metadata:
    exif = _exif(image)
    if policy == "keep":
        return Metadata(exif=_when_and_how(exif))
    xmp = next((image.info[key] for key in _XMP_KEYS if image.info.get(key)), b"")
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    return Metadata(exif=_upright(exif), xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp), profile=profile_name(image))


def _exif(image: Image.Image) -> bytes:
    """The EXIF of an image, which is not loaded for it."""
    if image.format == "TIFF":  # whose own directory it is, among what only TIFF needs
        exif = Image.Exif()
        exif.update({tag: value for _, tag, value in _tagged(image.getexif().items(), _KEPT)})
        for number in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if inner := image.getexif().get_ifd(number):
                exif.get_ifd(number).update(inner)
        return _bytes_of(exif)
    data = image.info.get(_EXIF_KEY) or b""  # None in HEIC images without
    return bytes(data).removeprefix(_EXIF_PREFIX)


def _when_and_how(data: bytes) -> bytes:
    """EXIF with the kept entries alone."""
    exif, kept = _loaded(data), Image.Exif()
    kept.update({tag: value for _, tag, value in _tagged(exif.items(), _KEPT)})
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    if found := {tag: value for _, tag, value in _tagged(inner.items(), _KEPT)}:
        kept.get_ifd(ExifTags.IFD.Exif).update(found)
    return _bytes_of(kept)


def _upright(data: bytes) -> bytes:
    """EXIF as it is, but that it says that the picture is upright: so it is restored.

    Only this number is changed: maker's notes and thumbnails stand where they stood.
    """
    if not data:
        return b""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    at = struct.unpack_from(f"{order}I", data, 4)[0]
    for entry in range(struct.unpack_from(f"{order}H", data, at)[0]):
        place = at + 2 + 12 * entry
        if struct.unpack_from(f"{order}HH", data, place) == (_ORIENTATION, _SHORT):
            return data[: place + 8] + struct.pack(f"{order}H", 1) + data[place + 10 :]
    return data


def profile_name(image: Image.Image) -> str:
    """The name of the colour profile of an image, "" without one; PyCMSError where it is damaged."""
    profile = image.info.get("icc_profile")
    return ImageCms.getProfileDescription(io.BytesIO(profile)).strip() if profile else ""


def _loaded(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    if data:
        exif.load(data)
    return exif


def _bytes_of(exif: Image.Exif) -> bytes:
    return exif.tobytes().removeprefix(_EXIF_PREFIX) if len(exif) else b""


def _tagged(entries: Iterable[tuple[int, Any]], names: Container[str]) -> Iterator[tuple[str, int, Any]]:
    """Yield name, tag and value of the entries of these names."""
    for tag, value in entries:
        if (name := ExifTags.TAGS.get(tag, "")) in names:
            yield name, tag, value


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    number = f"{float(value):.6g}" if isinstance(value, TiffImagePlugin.IFDRational) else str(value)
    return number.rstrip("\0 ")
