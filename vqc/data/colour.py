"""Colours of image files to sRGB.

A file says what its numbers mean by an ICC profile, or by a transfer curve and primaries alone: gAMA and cHRM in PNG,
code points (ITU-T H.273) in PNG and AVIF. The latter two are made into a profile, so that one way leads to sRGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Convert = Callable[[Image.Image], Image.Image]

_MOST_INVISIBLE = 2  # levels of 255; a profile that changes no colour by more is taken for sRGB
_LEVELS = np.arange(256, dtype=np.uint8)


class Chromaticities(NamedTuple):
    """CIE 1931 x and y of white and of the primaries, in the order of PNG's cHRM."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


class Curve(NamedTuple):
    """An ICC parametric curve from numbers to light, both 0..1: its function type and parameters."""

    kind: int
    parameters: tuple[float, ...]


class UnknownColourError(Exception):
    """The numbers of a file have a meaning that cannot be brought to sRGB; the text says which."""


_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
SRGB_PRIMARIES = Chromaticities(_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SRGB_CURVE = Curve(3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
# ITU-T H.273, tables 2 and 3. 2 is "unspecified", and the curves of video cameras are shown as sRGB by browsers too.
_PRIMARIES = MappingProxyType(
    {
        1: SRGB_PRIMARIES,
        2: SRGB_PRIMARIES,
        4: Chromaticities(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
        5: Chromaticities(_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
        6: Chromaticities(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
        7: Chromaticities(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
        8: Chromaticities(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
        9: Chromaticities(_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
        11: Chromaticities((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
        12: Chromaticities(_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
        22: Chromaticities(_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
    }
)
_CURVES = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 6, 11, 12, 13, 14, 15), SRGB_CURVE),
        4: Curve(0, (2.2,)),
        5: Curve(0, (2.8,)),
        8: Curve(0, (1.0,)),
    }
)
_HIGH_DYNAMIC_RANGE = MappingProxyType({16: "PQ", 18: "HLG"})
_SRGB_GAMMA = 0.45455  # what PNGs in sRGB have in gAMA
_GAMMA_TOLERANCE = 0.05  # of it, as libpng has it: what is nearer stands for the curve of sRGB
_PLAUSIBLE_GAMMA = (0.1, 10.0)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ, the white of ICC profiles


def profile_of_code_points(primaries: int, transfer: int, *, gray: bool) -> bytes | None:
    """The ICC profile of colours given by H.273 code points; None for those of sRGB.

    Raises:
        UnknownColourError: they are of high dynamic range, or none of these.
    """
    if transfer in _HIGH_DYNAMIC_RANGE:
        raise UnknownColourError(f"high dynamic range ({_HIGH_DYNAMIC_RANGE[transfer]})")
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        raise UnknownColourError(f"colours of a rare kind (code points {primaries} and {transfer})")
    return _profile(_PRIMARIES[primaries], _CURVES[transfer], gray=gray)


def profile_of_gamma(gamma: float | None, chromaticities: Sequence[float] | None, *, gray: bool) -> bytes | None:
    """The ICC profile of what PNG's gAMA and cHRM say; None for sRGB, and where they say nothing that can be."""
    curve = SRGB_CURVE
    if gamma is not None and abs(gamma / _SRGB_GAMMA - 1) > _GAMMA_TOLERANCE:
        if not _PLAUSIBLE_GAMMA[0] <= gamma <= _PLAUSIBLE_GAMMA[1]:
            return None
        curve = Curve(0, (1 / gamma,))
    primaries = SRGB_PRIMARIES
    if chromaticities is not None:
        pairs = iter(chromaticities)
        primaries = Chromaticities(*zip(pairs, pairs, strict=True))
    try:
        return _profile(primaries, curve, gray=gray)
    except (np.linalg.LinAlgError, ArithmeticError, ValueError, struct.error):  # primaries on one line, or a y of 0
        return None


def to_srgb(mode: str, profile: bytes | None) -> Convert:
    """Return what brings images of one of Pillow's modes without alpha to mode L or RGB in sRGB.

    Without a profile that fits, the numbers are taken for sRGB. It can be given an image in parts.
    """
    plain = {"1": "L", "L": "L", "CMYK": "CMYK"}.get(mode, "RGB")
    with suppress(Exception):  # whatever lcms does not like about the profile
        if profile:
            change = _with_profile(plain, profile)
            return lambda image: change(_in_mode(image, plain))
    return lambda image: _in_mode(image, "L" if plain == "L" else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _with_profile(mode: str, profile: bytes) -> Convert:
    """Return what brings images of a mode to sRGB; it changes nothing if the profile hardly changes any colour."""
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0),
    )
    if mode == "L":
        grays = _transformed(Image.fromarray(_LEVELS[None]), transform).getchannel("G")
        table = _LEVELS.tobytes() if _are_alike(grays, _LEVELS) else grays.tobytes()
        return lambda image: image.point(table)
    if mode == "RGB":
        cube = np.stack(np.meshgrid(_LEVELS[::15], _LEVELS[::15], _LEVELS[::15]), axis=-1).reshape(18, -1, 3)
        if _are_alike(_transformed(Image.fromarray(cube), transform), cube):
            return lambda image: image  # rounding is all that the transform would do
    return lambda image: _transformed(image, transform)


def _transformed(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    result = ImageCms.applyTransform(image, transform)
    assert result is not None, "it is None only when it works in place"
    return result


def _are_alike(image: Image.Image, pixels: NDArray[np.uint8]) -> bool:
    return int(np.abs(np.asarray(image).astype(int) - pixels).max()) <= _MOST_INVISIBLE


def _profile(primaries: Chromaticities, curve: Curve, *, gray: bool) -> bytes | None:
    """A version 4 ICC profile of three primaries, or of gray, and a curve; None where it would be sRGB."""
    if curve == SRGB_CURVE and (gray or np.allclose(primaries, SRGB_PRIMARIES, atol=0.001)):
        return None
    parameters = struct.pack(f">{len(curve.parameters)}i", *_fixed(curve.parameters))
    trc = b"para" + bytes(4) + struct.pack(">HH", curve.kind, 0) + parameters
    tags = {b"wtpt": _xyz(_D50)}
    if gray:
        tags[b"kTRC"] = trc
    else:
        for letter, column in zip((b"r", b"g", b"b"), _to_d50(primaries).T, strict=True):
            tags |= {letter + b"XYZ": _xyz(column), letter + b"TRC": trc}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    space, length = b"GRAY" if gray else b"RGB ", 128 + len(table) + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s", length, 0x04300000, b"mntr", space, b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + _xyz(_D50)[8:] + bytes(48) + table + body


def _to_d50(primaries: Chromaticities) -> NDArray[np.float64]:
    """XYZ of full red, green and blue as columns, adapted from their white to D50 by Bradford's matrix."""
    white, *colours = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    columns = np.stack(colours, axis=1)  # [3, 3]: XYZ of red, green, blue
    columns = columns * np.linalg.solve(columns, white)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ (gains[:, None] * _BRADFORD) @ columns
    return adapted


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *_fixed(values))


def _fixed(values: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Numbers with 16 bits after the point."""
    return [round(float(value) * 65536) for value in values]
