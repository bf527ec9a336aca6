"""Which file of a picture: a model's; or one of AVIF, above its qualities and of drawings; or one without loss.

That without loss is taken where it is smaller.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from vqc.codec.avif import avif_for_target, avif_of_quality, is_above
from vqc.codec.codec import Compressed
from vqc.codec.lossless import lossless_below, lossless_file
from vqc.codec.picture_score import score_picture
from vqc.codec.plain import restore_plain
from vqc.codec.rate import Rate, Score
from vqc.data.image_files import Picture
from vqc.errors import OptionError, TargetError
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.shapes import MAX_PIXELS

_NEARLY = 2.0  # a file without loss that is so many times as large is worth a word
_DRAWN = 1.0  # bits per pixel that a drawn picture has at most without loss; photos have more than three
_EXACT = {"psnr": math.inf, "ms_ssim": 1.0}


class Choice(NamedTuple):
    """What is asked for.

    lossless: whether to keep every pixel; None where that is smaller, or meets the size that is asked for.
    codes: whether nothing but a model's file will do.
    quality: None for a target, or the model's own.
    """

    lossless: bool | None = None
    codes: bool = False
    quality: float | None = None
    rate: Rate = Rate()

    @property
    def is_avif(self) -> bool:
        """Whether the quality of an image is above those of the model."""
        return not self.codes and not self.rate.is_target and self.quality is not None and is_above(self.quality)


def choose(
    picture: Picture, lossy: Callable[[], Compressed], choice: Choice, metadata: Metadata = NO_METADATA
) -> Compressed:
    """The file of a picture.

    Args:
        lossy: makes the file with a model.

    Raises:
        MediaError: it cannot be kept without loss.
        TargetError: no file with loss is small enough; or none reaches the score, and without loss it may not be.
        MissingPackageError: its quality needs AVIF, which Pillow lacks here.
        OptionError: its quality is kept as AVIF, and an effort is given.
    """
    if choice.lossless:
        return lossless_file(picture, metadata)
    if choice.codes:
        return lossy()
    rate, score = choice.rate, choice.rate.target_score
    rate.check_media("image")
    if rate.is_size and choice.lossless is None:
        fits = lossless_below(picture, rate.target_size(picture.height * picture.width) + 1, metadata)
        if fits is not None:
            return fits
    try:
        made = _with_loss(picture, lossy, choice, metadata)
    except TargetError:
        found = None if score is None or choice.lossless is not None else lossless_below(picture, sys.maxsize, metadata)
        if found is None:
            raise
        return _exact(found, score)
    if rate.is_size or choice.lossless is not None:
        return made
    worth_a_word = round(_NEARLY * len(made))
    drawn_below = int(_DRAWN * picture.height * picture.width / 8)
    found = lossless_below(picture, worth_a_word, metadata, drawn=drawn_below)
    if found is None:
        return made
    if len(found) > len(made):
        drawn = _of_a_drawing(picture, made, choice, metadata)
        return replace(drawn, lossless_bytes=len(found)) if len(found) < worth_a_word else drawn
    return _exact(found, score)


def _exact(found: Compressed, wanted: Score | None) -> Compressed:
    """A file without loss, with the score that is asked for."""
    return found if wanted is None else replace(found, score=Score(wanted.metric, _EXACT[wanted.metric]))


def _with_loss(picture: Picture, lossy: Callable[[], Compressed], choice: Choice, metadata: Metadata) -> Compressed:
    """The file of a model, or one of AVIF: above its qualities, and where a score takes fewer bytes so."""
    if choice.is_avif:
        assert choice.quality is not None, "it is above those of the model"
        if choice.rate.effort is not None:
            raise OptionError(f"quality {choice.quality:g} is kept as AVIF, which takes no effort; leave it out")
        return avif_of_quality(picture, choice.quality, metadata)
    if not choice.rate.is_target:
        return lossy()
    above = avif_for_target(picture, choice.rate, metadata)
    if above is not None:
        return above
    # near the best that a model comes to it takes far more bits, and where that is differs from photo to photo
    found = None if choice.rate.is_size else avif_for_target(picture, choice.rate, metadata, least=0)
    if found is None:
        return lossy()
    try:
        return min(lossy(), found, key=len)
    except TargetError:
        return found


def _of_a_drawing(picture: Picture, made: Compressed, choice: Choice, metadata: Metadata) -> Compressed:
    """The model's file, or one of AVIF that is no larger and nearer to the picture; of a score, what reaches it."""
    if made.restore is None or choice.rate.lmbda is not None or choice.rate.target_score is not None:
        return made
    found = avif_for_target(picture, Rate(target_bytes=len(made)), metadata, least=0)
    if found is None:
        return made
    restored = restore_plain(found.container, len(found), limit=MAX_PIXELS)
    nearer = score_picture(picture, restored, "psnr") > score_picture(picture, made.restore(), "psnr")
    return found if nearer else made


def choice_of(lossless: bool | None, *, model: object, quality: float | None, entropy: str, rate: Rate) -> Choice:
    """What `choose` is to be told: who names a model or an entropy mode asks for codes.

    Raises:
        OptionError: lossless stands beside an option that only files with loss have.
    """
    codes = {"a model": model is not None, f"entropy {entropy}": entropy != "auto"}
    others = {"a quality": quality is not None, "a target": rate.is_target, "lambda": rate.lmbda is not None}
    if not lossless:
        contradicting = quality is not None and (rate.is_target or rate.lmbda is not None)  # making codes says so
        return Choice(lossless, contradicting or any(codes.values()), quality, rate)
    for name, given in {**codes, **others, "an effort": rate.effort is not None}.items():
        if given:
            raise OptionError(f"lossless and {name} exclude each other; give one")
    return Choice(lossless)
