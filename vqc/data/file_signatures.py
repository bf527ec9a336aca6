"""What a file is that is no image and no recording of a format that vqc reads, told by its first bytes and its name.

Nothing is called damaged here: a file of another kind is named, so that its owner knows what to do with it.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from vqc.data.formats import FORMAT_OF_SUFFIX
from vqc.errors import MediaError

HEAD_BYTES = 512  # of a file, enough to tell


class Group(Enum):
    """What can be done about a file of another kind: the second half of the sentence."""

    IMAGE = "which vqc does not read; convert it to PNG"
    RAW = "which vqc does not read; develop it to a PNG or TIFF of 8 bits"
    AUDIO = "which vqc does not read; convert it to WAV or FLAC"
    VIDEO = "and vqc codes still images and audio; save a frame as PNG, or the sound as WAV"
    OTHER = "and vqc codes images and audio; give it one of these"


class Kind(NamedTuple):
    """How sentences call a file of another kind, and what its owner can do."""

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
# Files that may begin with nothing but text.
_TEXTUAL = (
    (b"#?RADIANCE", Kind("a Radiance image", Group.IMAGE)),
    (b"SIMPLE  =", Kind("a FITS image", Group.IMAGE)),
    (b"%PDF", Kind("a PDF document", Group.OTHER)),
    (b"%!PS", Kind("a PostScript document", Group.OTHER)),
)
# Other files, in the order in which they are tried: bytes, and where in the file they are.
_MAGIC = (
    (b"\xff\x0a", 0, Kind("a JPEG XL image", Group.IMAGE)),
    (b"JXL \r\n\x87\n", 4, Kind("a JPEG XL image", Group.IMAGE)),
    (b"jP  \r\n\x87\n", 4, Kind("a JPEG 2000 image", Group.IMAGE)),
    (b"\xff\x4f\xff\x51", 0, Kind("a JPEG 2000 image", Group.IMAGE)),
    (b"II\xbc\1", 0, Kind("a JPEG XR image", Group.IMAGE)),
    (b"\0\0\1\0", 0, Kind("an icon (ICO)", Group.IMAGE)),
    (b"\0\0\2\0", 0, Kind("a cursor (CUR)", Group.IMAGE)),
    (b"8BPS", 0, Kind("a Photoshop file", Group.IMAGE)),
    (b"gimp xcf", 0, Kind("a GIMP file", Group.IMAGE)),
    (b"qoif", 0, Kind("a QOI image", Group.IMAGE)),
    (b"DDS ", 0, Kind("a DDS texture", Group.IMAGE)),
    (b"v/1\1", 0, Kind("an OpenEXR image", Group.IMAGE)),
    (b"P4\n", 0, Kind("a Netpbm image", Group.IMAGE)),
    (b"P5\n", 0, Kind("a Netpbm image", Group.IMAGE)),
    (b"P6\n", 0, Kind("a Netpbm image", Group.IMAGE)),
    (b"BPG\xfb", 0, Kind("a BPG image", Group.IMAGE)),
    (b"FLIF", 0, Kind("a FLIF image", Group.IMAGE)),
    (b"DICM", 128, Kind("a DICOM image", Group.IMAGE)),
    (b"FUJIFILMCCD-RAW", 0, Kind("a raw photo (RAF)", Group.RAW)),
    (b"IIRO", 0, Kind("a raw photo (ORF)", Group.RAW)),
    (b"IIU\0", 0, Kind("a raw photo (RW2)", Group.RAW)),
    (b"FOVb", 0, Kind("a raw photo (X3F)", Group.RAW)),
    (b"CR\2\0", 8, Kind("a raw photo (CR2)", Group.RAW)),
    (b"\x80theora", 28, Kind("a Theora video", Group.VIDEO)),
    (b"Speex   ", 28, Kind("Speex audio", Group.AUDIO)),
    (b"#!AMR", 0, Kind("AMR audio", Group.AUDIO)),
    (b"\x0b\x77", 0, Kind("AC-3 audio", Group.AUDIO)),
    (b"\x7f\xfe\x80\1", 0, Kind("DTS audio", Group.AUDIO)),
    (b"MAC ", 0, Kind("Monkey's Audio", Group.AUDIO)),
    (b"wvpk", 0, Kind("WavPack audio", Group.AUDIO)),
    (b"TTA1", 0, Kind("TTA audio", Group.AUDIO)),
    (b"MPCK", 0, Kind("Musepack audio", Group.AUDIO)),
    (b"MP+", 0, Kind("Musepack audio", Group.AUDIO)),
    (b"DSD ", 0, Kind("DSD audio", Group.AUDIO)),
    (b"FRM8", 0, Kind("DSD audio", Group.AUDIO)),
    (b"MThd", 0, Kind("MIDI notes", Group.AUDIO)),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, Kind("Windows Media (WMA or WMV)", Group.AUDIO)),
    (b"\x1a\x45\xdf\xa3", 0, Kind("a Matroska or WebM video", Group.VIDEO)),
    (b"FLV\1", 0, Kind("a Flash video", Group.VIDEO)),
    (b".RMF", 0, Kind("RealMedia", Group.VIDEO)),
    (b"\0\0\1\xba", 0, Kind("an MPEG video", Group.VIDEO)),
    (b"\0\0\1\xb3", 0, Kind("an MPEG video", Group.VIDEO)),
    (b"moov", 4, Kind("a QuickTime video", Group.VIDEO)),
    (b"mdat", 4, Kind("a QuickTime video", Group.VIDEO)),
    (b"PK\3\4", 0, Kind("a ZIP archive or an office document", Group.OTHER)),
    (b"PK\5\6", 0, Kind("an empty ZIP archive", Group.OTHER)),
    (b"7z\xbc\xaf\x27\x1c", 0, Kind("a 7z archive", Group.OTHER)),
    (b"Rar!\x1a\7", 0, Kind("a RAR archive", Group.OTHER)),
    (b"\x1f\x8b", 0, Kind("a gzip archive", Group.OTHER)),
    (b"\xfd7zXZ\0", 0, Kind("an xz archive", Group.OTHER)),
    (b"\x28\xb5\x2f\xfd", 0, Kind("a Zstandard archive", Group.OTHER)),
    (b"ustar", 257, Kind("a tar archive", Group.OTHER)),
    (b"\x7fELF", 0, Kind("a program", Group.OTHER)),
)
# The RIFF files that are neither WAV nor WebP, and the brands of ISO base media files that are not AVIF.
_RIFF = MappingProxyType(
    {
        b"AVI ": Kind("an AVI video", Group.VIDEO),
        b"RMID": Kind("MIDI notes", Group.AUDIO),
        b"ACON": Kind("an animated cursor", Group.IMAGE),
    }
)
_HEIC = Kind("an HEIC image", Group.IMAGE)
_MP4 = Kind("an MP4 video", Group.VIDEO)
_M4A = Kind("M4A audio (AAC or Apple Lossless)", Group.AUDIO)
_BRANDS = (
    (b"hei", _HEIC),
    (b"hev", _HEIC),
    (b"mif1", _HEIC),
    (b"msf1", _HEIC),
    (b"M4A", _M4A),
    (b"M4B", _M4A),
    (b"crx", Kind("a raw photo (CR3)", Group.RAW)),
    (b"qt  ", Kind("a QuickTime video", Group.VIDEO)),
    (b"3g", Kind("a 3GP video", Group.VIDEO)),
    (b"", _MP4),
)
_NAMED = (
    ("heic heif hif heics", _HEIC),
    ("jxl", Kind("a JPEG XL image", Group.IMAGE)),
    ("jp2 j2k jpf jpx jpm", Kind("a JPEG 2000 image", Group.IMAGE)),
    ("jxr wdp hdp", Kind("a JPEG XR image", Group.IMAGE)),
    ("psd psb", Kind("a Photoshop file", Group.IMAGE)),
    ("xcf", Kind("a GIMP file", Group.IMAGE)),
    ("ico", Kind("an icon (ICO)", Group.IMAGE)),
    ("svg svgz", Kind("an SVG drawing", Group.IMAGE)),
    ("tga", Kind("a TGA image", Group.IMAGE)),
    ("exr", Kind("an OpenEXR image", Group.IMAGE)),
    ("hdr", Kind("a Radiance image", Group.IMAGE)),
    ("pbm pgm ppm pnm pam pfm", Kind("a Netpbm image", Group.IMAGE)),
    ("qoi", Kind("a QOI image", Group.IMAGE)),
    ("pcx", Kind("a PCX image", Group.IMAGE)),
    ("dcm", Kind("a DICOM image", Group.IMAGE)),
    ("cr2 cr3 crw nef nrw arw srf sr2 dng orf rw2 raf pef srw x3f 3fr iiq rwl", Kind("a raw photo", Group.RAW)),
    ("m4a m4b m4r", _M4A),
    ("aac", Kind("AAC audio", Group.AUDIO)),
    ("amr awb", Kind("AMR audio", Group.AUDIO)),
    ("wma", Kind("WMA audio", Group.AUDIO)),
    ("ac3 eac3", Kind("AC-3 audio", Group.AUDIO)),
    ("dts", Kind("DTS audio", Group.AUDIO)),
    ("ape", Kind("Monkey's Audio", Group.AUDIO)),
    ("wv", Kind("WavPack audio", Group.AUDIO)),
    ("mpc", Kind("Musepack audio", Group.AUDIO)),
    ("tta", Kind("TTA audio", Group.AUDIO)),
    ("dsf dff", Kind("DSD audio", Group.AUDIO)),
    ("mka", Kind("Matroska audio", Group.AUDIO)),
    ("ra", Kind("RealAudio", Group.AUDIO)),
    ("spx", Kind("Speex audio", Group.AUDIO)),
    ("mid midi", Kind("MIDI notes", Group.AUDIO)),
    ("mp4 m4v", _MP4),
    ("mov", Kind("a QuickTime video", Group.VIDEO)),
    ("avi", Kind("an AVI video", Group.VIDEO)),
    ("mkv", Kind("a Matroska video", Group.VIDEO)),
    ("webm", Kind("a WebM video", Group.VIDEO)),
    ("wmv", Kind("a WMV video", Group.VIDEO)),
    ("3gp 3g2", Kind("a 3GP video", Group.VIDEO)),
    ("mpg mpeg mts m2ts", Kind("an MPEG video", Group.VIDEO)),
    ("flv", Kind("a Flash video", Group.VIDEO)),
    ("ogv", Kind("a Theora video", Group.VIDEO)),
    ("pdf", Kind("a PDF document", Group.OTHER)),
)
KIND_OF_SUFFIX = MappingProxyType({f".{suffix}": kind for suffixes, kind in _NAMED for suffix in suffixes.split()})
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # their lengths in bytes tell their versions
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
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:  # BM alone may begin a text
        return "BMP"
    return "AVIF" if is_avif(head) else None


def is_audio(head: bytes) -> bool:
    """Whether a file that begins so is audio that vqc reads, as far as its beginning tells."""
    if head.startswith(b"OggS"):
        return kind_of_bytes(head) is None
    if head[:4] in (b"RIFF", b"RIFX", b"FORM"):
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    mp3_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)  # sync and a layer
    return head.startswith(_AUDIO) or mp3_frame


def kind_of_bytes(head: bytes) -> Kind | None:
    """What a file is that begins so, if it is of a kind that vqc knows and does not read.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    if head[:4] in (b"RIFF", b"RIFX"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp" and not is_avif(head):
        return next(kind for brand, kind in _BRANDS if head[8:12].startswith(brand))
    for magic, kind in _TEXTUAL:
        if head.startswith(magic):
            return kind
    if text := _text(head):
        return text
    for magic, place, kind in _MAGIC:
        if head.startswith(magic, place):
            return kind
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # sync, and the layer that MPEG left to AAC
        return Kind("AAC audio", Group.AUDIO)
    return None


def is_avif(head: bytes) -> bool:
    """Whether this ISO base media file says that it is AVIF, as its own brand or as a compatible one."""
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
