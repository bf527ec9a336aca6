"""Errors of images that cannot be read: of a kind that is not supported, or damaged.

Pillow has one exception for both, so the header of the file is asked: only where it is in order, and names something
that Pillow lacks, is the kind called unsupported.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import TiffImagePlugin, features

from vqc.data.file_signatures import HEAD_BYTES
from vqc.errors import MediaError

_BMP_BITS = (1, 2, 4, 8, 16, 24, 32, 64)
_BMP_CODINGS = (*range(7), 11, 12, 13)
_JPEG_READ = (0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA)  # frames: baseline, extended, progressive, lossless; arithmetic
_JPEG_OTHERS = {0xF7: "JPEG-LS", 0xCB: "lossless, arithmetic coding"}
_TIFF_COMPRESSIONS = frozenset(
    {*range(1, 11), 32771, 32773, 32809, 32908, 32909, 32946, 33003, 33004, 33005, 34661, 34663, 34676, 34677, 34712}
    | {34887, 34892, 34925, 50000, 50001, 50002, 52546}
)
_TIFF_COLOURS = frozenset({0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 32803, 32844, 32845, 34892, 51177, 52527})
_WIDTH, _BITS, _COMPRESSION, _COLOURS, _STRIPS, _TILES = 256, 258, 259, 262, 273, 324  # tags
_MOST_BITS = 64


def damaged(name: str) -> MediaError:
    """The error for a file that breaks the rules of its format, or ends too early."""
    return MediaError(f"{name}: is damaged or cut short; get it again, or save it anew with an image program")


def too_deep(name: str, bits: int) -> MediaError:
    """The error for an image of more than 8 bits per channel."""
    return MediaError(f"{name}: has {bits} bits per channel and vqc codes 8; convert it to 8 bits per channel first")


def why_unreadable(file: BinaryIO, image_format: str, name: str, error: Exception, *, opened: bool) -> MediaError:
    """The error for a file that Pillow did not read.

    Args:
        file: the whole file, wherever it stands.
        image_format: Pillow's name of what the file is.
        name: how the sentence calls the file.
        error: what Pillow raised.
        opened: whether Pillow took the header for one that it can read, and failed later.
    """
    file.seek(0)
    try:
        if image_format == "JPEG":
            return _why_jpeg(file, name)
        if image_format == "AVIF":
            return _why_avif(name, str(error))
        if opened:
            return damaged(name)
        if image_format == "BMP" and str(error).startswith("Unsupported"):
            return _why_bmp(file.read(HEAD_BYTES), name)
        if image_format == "PNG" and file.read(16)[12:] == b"CgBI":
            return _unsupported(name, "PNG", "made for iPhones")
        if image_format == "TIFF":
            return _why_tiff(file, name)
    except Exception:  # a header that cannot be read is a damaged one
        return damaged(name)
    return damaged(name)


def _unsupported(name: str, title: str, what: str) -> MediaError:
    return MediaError(f"{name}: this kind of {title} ({what}) is not supported; convert it to PNG")


def _why_bmp(head: bytes, name: str) -> MediaError:
    bits = struct.unpack_from("<H", head, 28 if head[14] != 12 else 24)[0]
    coding = struct.unpack_from("<I", head, 30)[0] if head[14] > 16 else 0
    if bits not in _BMP_BITS or coding not in _BMP_CODINGS:
        return damaged(name)
    layout = ", channels laid out unusually" if coding in (3, 6) else f", coding {coding}" if coding else ""
    return _unsupported(name, "BMP", f"{bits} bits per pixel{layout}")


def _why_jpeg(file: BinaryIO, name: str) -> MediaError:
    frame, bits, channels = _jpeg_frame(file)
    if frame not in _JPEG_READ:
        return _unsupported(name, "JPEG", _JPEG_OTHERS.get(frame, "a rare way of coding"))
    if bits in (12, 16):
        return too_deep(name, bits)
    return damaged(name) if bits != 8 or channels in (1, 3, 4) else _unsupported(name, "JPEG", f"{channels} channels")


def _jpeg_frame(file: BinaryIO) -> tuple[int, int, int]:
    """The marker of the first frame, its bits per channel and its channels; struct.error where the file ends before."""
    file.seek(2)
    while True:
        marker, length = struct.unpack(">HH", file.read(4))
        code = marker & 0xFF
        if marker >> 8 != 0xFF or length < 2:
            raise ValueError("no marker")
        if (0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC)) or code == 0xF7:
            body = file.read(6)
            return code, body[0], body[5]
        file.seek(length - 2, 1)


def _why_avif(name: str, text: str) -> MediaError:
    if not features.check("avif"):
        return MediaError(f"{name}: is an AVIF image, and this installation of Pillow reads none; convert it to PNG")
    if any(word in text.lower() for word in ("not implemented", "unsupported", "not supported", "no codec")):
        return _unsupported(name, "AVIF", "with a feature that libavif lacks")
    return damaged(name)


def _why_tiff(file: BinaryIO, name: str) -> MediaError:
    start = file.read(8)
    if start[2] == 43:  # BigTIFF
        start += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    file.seek(tags.next)
    tags.load(file)
    bits = max(tags.get(_BITS, (1,)))
    compression, colours = tags.get(_COMPRESSION, 1), tags.get(_COLOURS, 0)
    known = compression in _TIFF_COMPRESSIONS and colours in _TIFF_COLOURS and 0 < bits <= _MOST_BITS
    if not known or _WIDTH not in tags or not (_STRIPS in tags or _TILES in tags):
        return damaged(name)
    if compression in TiffImagePlugin.COMPRESSION_INFO and bits > 8:
        return too_deep(name, bits)
    return _unsupported(name, "TIFF", f"compression {compression}, photometric {colours}, {bits} bits per channel")
