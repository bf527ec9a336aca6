"""Pictures above quality 8, as AVIF: there it takes fewer bits than a model for the same error (docs/results.md)."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from PIL import Image, features

from vqc.codec.codec import Compressed
from vqc.codec.hidden_colours import without_hidden
from vqc.codec.picture_score import score_picture
from vqc.codec.plain import WITHOUT_AVIF, plain_file, restore_plain
from vqc.codec.rate import Rate, Score
from vqc.codec.score_search import out_of_reach
from vqc.data.image_files import Picture
from vqc.errors import MediaError, MissingPackageError, OptionError, TargetError
from vqc.format.alpha import encode_alpha
from vqc.format.metadata import Metadata
from vqc.format.plain import AVIF, MAX_SIDE_OF_AVIF
from vqc.format.shapes import MAX_PIXELS
from vqc.metrics.catalogue import check_available

# AVIF's own quality at these of vqc: that of 8 takes as many bits as the model, the others are 35.5 and 38 dB
_SETTINGS = {8: 38, 9: 44, 10: 55}
_BEST = 100
_GROWTH, _LEAST_GROWTH, _MOST_GUESSES = 0.04, 0.005, 6  # of the logarithm of bytes with each of AVIF's qualities
_HOW = {"speed": 4, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}, "autotiling": False}


def is_above(quality: float) -> bool:
    """Whether a quality is above those of the model of images."""
    return isinstance(quality, int | float | np.integer | np.floating) and quality > min(_SETTINGS)


def avif_of_quality(picture: Picture, quality: float, metadata: Metadata) -> Compressed:
    """The file of a picture at a quality above 8, which may lie between two.

    Raises:
        OptionError: there is no such quality. MediaError: a side is too long.
        MissingPackageError: Pillow has no AVIF here.
    """
    if not quality <= max(_SETTINGS):
        raise OptionError(f"quality {quality:g}: the qualities of images are 1 to {max(_SETTINGS)}")
    if not features.check("avif"):
        raise MissingPackageError(f"quality {quality:g} is kept as AVIF, and {WITHOUT_AVIF}; or take 8, or --lossless")
    setting = round(float(np.interp(quality, list(_SETTINGS), list(_SETTINGS.values()))))
    return _files(picture, metadata)(setting)


def avif_for_target(picture: Picture, rate: Rate, metadata: Metadata, least: int = _SETTINGS[8]) -> Compressed | None:
    """The file of the size or score that is asked for; None where Pillow has no AVIF, or a model's file will do.

    Args:
        least: AVIF's own quality; where a file of it is too large, or reaches the score, a model's will do.

    Raises:
        TargetError: the score is out of reach.
    """
    if not features.check("avif") or max(picture.height, picture.width) > MAX_SIDE_OF_AVIF:
        return None
    make, wanted = _files(picture, metadata), rate.target_score
    if wanted is None:
        size = rate.target_size(picture.height * picture.width)
        largest = _last_of_size(size, least, lambda setting: len(make(setting)))
        return None if largest < least else make(largest)
    check_available(wanted.metric)

    @cache
    def score(setting: int) -> float:
        made = make(setting)
        restored = restore_plain(made.container, len(made), limit=MAX_PIXELS)
        return score_picture(picture, restored, wanted.metric)

    found = 1 + _last(least, lambda setting: score(setting) < wanted.value)
    if found > _BEST:
        raise TargetError(
            out_of_reach(wanted.metric, wanted.value, score(_BEST), "AVIF") + "; --lossless keeps every pixel"
        )
    made = replace(make(found), score=Score(wanted.metric, score(found)))
    return made if found > least or least == 0 else None


def _last(least: int, holds: Callable[[int], bool]) -> int:
    """The last of AVIF's qualities from `least` on that something holds for, as for all before; or the one before."""
    low, high = least - 1, _BEST if holds(least) else least - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _last_of_size(size: int, least: int, length: Callable[[int], int]) -> int:
    """The last of AVIF's qualities from `least` on whose file has at most `size` bytes; or the one before.

    Files grow by about the same factor with each quality. So trials are made where that factor, as last seen, meets the
    size: five in place of seven. Halving is left for when `_MOST_GUESSES` have not found it.
    """
    if length(least) > size:
        return least - 1
    low, high, growth, guesses = least, _BEST + 1, _GROWTH, 0  # the first fits; the second does not, or is none
    while high - low > 1:
        guess = low + int(math.log(size / length(low)) / growth) if guesses < _MOST_GUESSES else (low + high) // 2
        guesses += 1
        middle = min(max(guess, low + 1), high - 1)
        growth = max(math.log(length(middle) / length(low)) / (middle - low), _LEAST_GROWTH)
        low, high = (middle, high) if length(middle) <= size else (low, middle)
    return low


def _files(picture: Picture, metadata: Metadata) -> Callable[[int], Compressed]:
    """What makes the file at one of AVIF's own qualities, 0 to 100, each once; MediaError when a side is too long."""
    if max(picture.height, picture.width) > MAX_SIDE_OF_AVIF:
        size = f"{picture.width:,} x {picture.height:,} pixels"
        raise MediaError(f"the image has {size}; as AVIF its sides may have {MAX_SIDE_OF_AVIF:,}, so take quality 8")
    image = Image.fromarray(without_hidden(picture).pixels)
    alpha = None if picture.alpha is None else encode_alpha(picture.alpha)
    how = _HOW | ({"subsampling": "4:0:0"} if picture.grayscale else {})

    @cache
    def file(setting: int) -> Compressed:
        out = io.BytesIO()
        image.save(out, "AVIF", quality=setting, max_threads=torch.get_num_threads(), **how)
        quality = next((quality for quality in AVIF if setting <= _SETTINGS[quality]), AVIF[-1])
        return plain_file(out.getvalue(), quality, picture, metadata, alpha)

    return file
