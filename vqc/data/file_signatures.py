"""Kinds of files that vqc does not read, told by their first bytes and their names.

Nothing is called damaged here: a file of another kind is named, so that its owner knows what to do with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from vqc._distribution import install_command
from vqc.data.formats import FORMAT_OF_SUFFIX, extra_at_hand
from vqc.errors import MediaError

HEAD_BYTES = 512  # of a file, enough to tell


class Group(Enum):
    """Advice about a file of another kind: the second half of the sentence."""

    IMAGE = "which vqc does not read; convert it to PNG"
    RAW = "which vqc does not read; develop it to a PNG or TIFF of 8 bits"
    AUDIO = "which vqc does not read; convert it to WAV or FLAC"
    VIDEO = "and vqc codes still images and audio; save a frame as PNG, or the sound as WAV"
    HEIF = f"which vqc reads with the extra heif: {install_command('heif')}, or convert it to PNG"
    FFMPEG = f"whose sound vqc reads with the extra av: {install_command('av')}, or convert it to WAV or FLAC"
    OTHER = "and vqc codes images and audio; give it one of these"


class Kind(NamedTuple):
    """Name of a kind of file in sentences, and what its owner can do."""

    what: str
    group: Group


_IMAGES = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
# Other files: how sentences call them, their suffixes, and how they begin; or at which byte something else stands.
# They are tried in this order.
_Signature = bytes | tuple[int, bytes]
_OTHERS: Mapping[Group, tuple[tuple[str, str, *tuple[_Signature, ...]], ...]] = {
    Group.IMAGE: (
        ("a JPEG XL image", "jxl", b"\xff\n", (4, b"JXL \r\n\x87\n")),
        ("a JPEG XR image", "jxr wdp hdp", b"II\xbc\x01"),
        ("an icon (ICO)", "ico", b"\0\0\x01\0"),
        ("a cursor (CUR)", "", b"\0\0\x02\0"),
        ("a Photoshop file", "psd psb", b"8BPS"),
        ("a GIMP file", "xcf", b"gimp xcf"),
        ("a QOI image", "qoi", b"qoif"),
        ("a DDS texture", "", b"DDS "),
        ("an OpenEXR image", "exr", b"v/1\x01"),
        ("a Netpbm image", "pbm pgm ppm pnm pam pfm", b"P4\n", b"P5\n", b"P6\n"),
        ("a BPG image", "", b"BPG\xfb"),
        ("a FLIF image", "", b"FLIF"),
        ("a DICOM image", "dcm", (128, b"DICM")),
        ("an SVG drawing", "svg svgz"),
        ("a TGA image", "tga"),
        ("a Radiance image", "hdr"),
        ("a PCX image", "pcx"),
        ("an animated cursor", ""),
        ("a FITS image", ""),
    ),
    Group.HEIF: (("an HEIC image", "heic heif hif heics"),),
    Group.RAW: (
        ("a raw photo (RAF)", "", b"FUJIFILMCCD-RAW"),
        ("a raw photo (ORF)", "", b"IIRO"),
        ("a raw photo (RW2)", "", b"IIU\0"),
        ("a raw photo (X3F)", "", b"FOVb"),
        ("a raw photo (CR3)", ""),
        ("a raw photo (CR2)", "", (8, b"CR\x02\0")),
        ("a raw photo", "cr2 cr3 crw nef nrw arw srf sr2 dng orf rw2 raf pef srw x3f 3fr iiq rwl"),
    ),
    Group.VIDEO: (
        ("a Theora video", "ogv", (28, b"\x80theora")),
        ("a Flash video", "flv", b"FLV\x01"),
        ("RealMedia", "", b".RMF"),
        ("an MPEG video", "mpg mpeg mts m2ts", b"\0\0\x01\xba", b"\0\0\x01\xb3"),
        ("a QuickTime video", "mov", (4, b"moov"), (4, b"mdat")),
        ("an AVI video", "avi"),
        ("a WMV video", "wmv"),
        ("a 3GP video", "3gp 3g2"),
    ),
    Group.FFMPEG: (
        ("a Matroska or WebM video", "mkv webm", b"\x1aE\xdf\xa3"),
        ("Matroska audio", "mka weba"),
        ("an MP4 video", "mp4 m4v"),
        ("M4A audio (AAC or Apple Lossless)", "m4a m4b m4r"),
        ("AAC audio", "aac"),
    ),
    Group.AUDIO: (
        ("Speex audio", "spx", (28, b"Speex   ")),
        ("AMR audio", "amr awb", b"#!AMR"),
        ("AC-3 audio", "ac3 eac3", b"\x0bw"),
        ("DTS audio", "dts", b"\x7f\xfe\x80\x01"),
        ("Monkey's Audio", "ape", b"MAC "),
        ("WavPack audio", "wv", b"wvpk"),
        ("TTA audio", "tta", b"TTA1"),
        ("Musepack audio", "mpc", b"MPCK", b"MP+"),
        ("DSD audio", "dsf dff", b"DSD ", b"FRM8"),
        ("MIDI notes", "mid midi", b"MThd"),
        ("Windows Media (WMA or WMV)", "", b"0&\xb2u\x8ef\xcf\x11"),
        ("WMA audio", "wma"),
        ("RealAudio", "ra"),
    ),
    Group.OTHER: (
        ("a ZIP archive or an office document", "", b"PK\x03\x04"),
        ("an empty ZIP archive", "", b"PK\x05\x06"),
        ("a 7z archive", "", b"7z\xbc\xaf'\x1c"),
        ("a RAR archive", "", b"Rar!\x1a\x07"),
        ("a gzip archive", "", b"\x1f\x8b"),
        ("an xz archive", "", b"\xfd7zXZ\0"),
        ("a Zstandard archive", "", b"(\xb5/\xfd"),
        ("a tar archive", "", (257, b"ustar")),
        ("a program", "", b"\x7fELF"),
        ("a PDF document", "pdf"),
        ("a PostScript document", ""),
    ),
}
_KINDS = {title: Kind(title, group) for group, rows in _OTHERS.items() for title, *_ in rows}
_MAGIC = tuple(
    (*(found if isinstance(found, tuple) else (0, found)), _KINDS[title])
    for rows in _OTHERS.values()
    for title, _, *signatures in rows
    for found in signatures
)
KIND_OF_SUFFIX = MappingProxyType(
    {
        f".{suffix}": _KINDS[title]
        for rows in _OTHERS.values()
        for title, suffixes, *_ in rows
        for suffix in suffixes.split()
    }
)
# Files that may begin with nothing but text, the RIFF files that are neither WAV nor WebP, and the brands of ISO base
# media files that are not AVIF.
_TEXTUAL = (
    (b"#?RADIANCE", "a Radiance image"),
    (b"SIMPLE  =", "a FITS image"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
)
_RIFF = MappingProxyType({b"AVI ": "an AVI video", b"RMID": "MIDI notes", b"ACON": "an animated cursor"})
_BRANDS = (
    *((brand, "an HEIC image") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    *((brand, "M4A audio (AAC or Apple Lossless)") for brand in (b"M4A", b"M4B")),
    (b"crx", "a raw photo (CR3)"),
    (b"qt  ", "a QuickTime video"),
    (b"3g", "a 3GP video"),
    (b"", "an MP4 video"),
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # their lengths in bytes tell their versions
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_AUDIO = (b"fLaC", b"OggS", b"ID3", b"RF64", b"riff", b".snd", b"caff")
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def image_format_of(head: bytes) -> str | None:
    """Pillow's name of the format of an image that vqc reads and that begins so, or None.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    for magic, found in _IMAGES:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:12] == b"jP  \r\n\x87\n" or head.startswith(b"\xffO\xffQ"):
        return "JPEG2000"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:  # BM alone may begin a text
        return "BMP"
    return "AVIF" if is_avif(head) else "HEIF" if is_heic(head) and extra_at_hand("heif") else None


def is_audio(head: bytes) -> bool:
    """Return whether a file that begins so is audio that vqc reads, as far as its beginning tells."""
    if head.startswith(b"OggS"):
        return kind_of_bytes(head) is None
    if head[:4] in (b"RIFF", b"RIFX", b"FORM"):
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    mp3_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)  # sync and a layer
    return head.startswith(_AUDIO) or mp3_frame or (needs_ffmpeg(head) and extra_at_hand("av"))


def kind_of_bytes(head: bytes) -> Kind | None:
    """Return the kind of a file that begins so, if vqc knows and does not read it.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    if head[:4] in (b"RIFF", b"RIFX"):
        return _KINDS.get(_RIFF.get(head[8:12], ""))
    if head[4:8] == b"ftyp" and not is_avif(head):
        return next(_KINDS[title] for brand, title in _BRANDS if head[8:12].startswith(brand))
    for magic, title in _TEXTUAL:
        if head.startswith(magic):
            return _KINDS[title]
    if text := _text(head):
        return text
    for place, magic, kind in _MAGIC:
        if head.startswith(magic, place):
            return kind
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # sync, and the layer that MPEG left to AAC
        return _KINDS["AAC audio"]
    return None


def needs_ffmpeg(head: bytes) -> bool:
    """Return whether a file that begins so may hold sound that is read with the extra `av`: MP4, M4A, AAC, WebM."""
    kind = kind_of_bytes(head)
    return kind is not None and kind.group is Group.FFMPEG


def is_heic(head: bytes) -> bool:
    """Return whether this ISO base media file says that it is a still HEIC or HEIF image."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC and not is_avif(head)


def is_avif(head: bytes) -> bool:
    """Return whether this ISO base media file says that it is AVIF, as its own brand or as a compatible one."""
    brands = head[8 : max(12, min(int.from_bytes(head[:4], "big"), len(head)))]
    return head[4:8] == b"ftyp" and any(brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4))


def not_media(name: str, head: bytes) -> MediaError:
    """The error for a file that is neither an image nor audio as far as its beginning tells: it says what the file is.

    Args:
        name: how the sentence calls the file; its suffix is asked where the bytes tell nothing.
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    if not head:
        return MediaError(f"{name}: is an empty file; get it again")
    if kind := kind_of_bytes(head):
        return MediaError(f"{name}: is {kind.what}, {kind.group.value}")
    suffix = Path(name).suffix.lower()
    if kind := KIND_OF_SUFFIX.get(suffix):
        return MediaError(f"{name}: is {kind.what} by its name, {kind.group.value}")
    if suffix in FORMAT_OF_SUFFIX:
        title = FORMAT_OF_SUFFIX[suffix].title
        return MediaError(f"{name}: is not {title}, whatever its name says; get it again")
    return MediaError(f"{name}: is neither an image nor audio of a kind that vqc knows; convert it to PNG or WAV")


def _text(head: bytes) -> Kind | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:HEAD_BYTES].lower()
    if _NO_TEXT.search(head) or not start:
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start > 3 or error.reason != "unexpected end of data":  # else it was only cut there
            return None
    if b"<svg" in start:
        return Kind("an SVG drawing", Group.IMAGE)
    if start.startswith((b"<!doctype html", b"<html")):
        return Kind("a web page", Group.OTHER)
    return Kind("text", Group.OTHER)
