"""The rest of an image or recording of which a part is given, drawn from the prior of a model.

    file ─ the part that is kept ─ encoded alone, so that nothing of the rest shows ─► known codes ─┐
    seed ─ prior.sample, given these ─► codes of the rest ───────────────────────────────────────────► all codes

How far what is drawn takes account of what is given follows from the order of coding. A PixelCNN and a WaveNet draw
from exact conditional probabilities, as the kept part comes first. The priors of `photo` and `speech` go from coarse to
fine over all positions, and what is drawn of a slice knows the given codes of this slice and of those before, not of
finer ones. So it joins in colour, pitch and rough shape, and less in detail.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.codec.audio_io import Recording, recordings_of
from vqc.codec.codec import Codec
from vqc.codec.codes import SILENT, Codes, encoded, restore
from vqc.codec.image_io import pictures_of
from vqc.codec.media import Audio, Image
from vqc.codec.open import Model, open_codec
from vqc.codec.rate import Rate
from vqc.data.audio_files import read_mono
from vqc.data.image_files import Picture, read_image
from vqc.data.media_type import media_of_file
from vqc.errors import MediaError, OptionError
from vqc.format.shapes import Shape
from vqc.sampling.options import KEEP, Hole, SampleOptions
from vqc.sampling.sample import audio_shape, draw_shape, image_shape, prior_of, quality_of

MISSING = 128  # grey, in the place of what is not given

Pixels = NDArray[np.uint8]  # [H, W, 3]


class Given(NamedTuple):
    """What is given of an image or recording."""

    shape: Shape  # of all of it
    known: Tensor  # int64 [G, *grid]
    mask: Tensor  # bool [*grid]: what is to be drawn
    shown: Pixels | None  # the image, grey where nothing is given; None for a recording


def complete(
    source: str | os.PathLike[str],
    n: int = 1,
    *,
    model: Model = None,
    keep: float | None = None,
    hole: Hole | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    quality: int | None = None,
    seconds: float | None = None,
    label: str | int | None = None,
    guidance: float = 1.0,
    device: str = "auto",
) -> list[Image] | list[Audio]:
    """Draw the rest of an image or recording of which a part is kept, several times over.

    Args:
        source: image or audio file; of audio its channels are mixed to one.
        n: how many proposals.
        model: name or path of a model with a prior, or what `load_model` gave; by default the one for the medium.
        keep: share of the file that is kept, from the top or the beginning; by default half.
        hole: left, top, width and height in pixels of a rectangle; all but that is kept. Not of every model.
        seed: as for `vqc.sample`, like the others that have the same name there.
        temperature: see there.
        top_p: see there.
        quality: see there.
        seconds: length of recordings; by default that of the file.
        label: see there.
        guidance: see there.
        device: see there.

    Raises:
        MediaError: the file cannot be read.
        OptionError: the model cannot do this, or an option has a value that cannot be used.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    numbers: dict[str, Any] = {"seed": seed, "temperature": temperature, "top_p": top_p, "quality": quality}
    numbers |= {"keep": keep, "hole": hole, "seconds": seconds, "label": None if label is None else str(label)}
    numbers["guidance"] = guidance
    options = SampleOptions(n=n, complete=os.fspath(source), **numbers)
    codec = open_codec(media_of_file(source), model, device)
    _, items = draw_rest(codec, options)
    return [restore(codec, item) for item in items]  # type: ignore[return-value]  # all of one medium


def draw_rest(codec: Codec[Any, Any], options: SampleOptions) -> tuple[Given, Iterator[Codes]]:
    """Draw the rest of the file that is to be completed; returns what is given of it, and the items.

    Raises:
        MediaError: the file cannot be read, or there is nothing in what is kept.
        OptionError: the model cannot do what is asked for.
    """
    prior_of(codec)  # without one nothing need be read
    given = (_of_image if codec.model.media == "image" else _of_recording)(codec, options)
    return given, draw_shape(codec, options, given.shape, given.known, given.mask)


def _of_image(codec: Codec[Any, Any], options: SampleOptions) -> Given:
    model, picture = pictures_of(codec.framing).model, read_image(_source(options))
    factor = model.downsampling_factor
    pixels = picture.pixels if picture.pixels.ndim == 3 else np.dstack([picture.pixels] * 3)  # [H, W, 3]
    height, width, _ = pixels.shape
    shape = image_shape(codec, options, (height, width))
    mask = np.zeros(codec.framing.segments(shape).grid, bool)  # [h, w]
    if options.hole is None:
        rows = _kept(options.keep, len(mask), options)
        mask[rows:] = True
        part = pixels[: rows * factor]
    else:
        part = _without_hole(codec, pixels, options.hole)
        left, top, across, down = options.hole
        mask[top // factor : -(-(top + down) // factor), left // factor : -(-(left + across) // factor)] = True
        if mask.all():
            raise OptionError(f"hole {_words(options.hole)}: nothing of the image is left; make it smaller")
    quality = quality_of(codec, options.quality)
    codes = encoded(codec, Picture(np.ascontiguousarray(part)), quality, Rate()).array  # [G, rows, w]
    known = torch.zeros(len(codes), *mask.shape, dtype=torch.int64)
    known[:, : codes.shape[1]] = torch.from_numpy(codes)
    missing = mask.repeat(factor, 0).repeat(factor, 1)[:height, :width]
    return Given(shape, known, torch.from_numpy(mask), np.where(missing[..., None], np.uint8(MISSING), pixels))


def _without_hole(codec: Codec[Any, Any], pixels: Pixels, hole: Hole) -> Pixels:
    """Fill a hole smoothly from the pixels at its border; OptionError when there can be none there."""
    (left, top, across, down), (height, width, _) = hole, pixels.shape
    if prior_of(codec).block is not None:
        raise OptionError(
            f"hole: the prior of {codec.name} draws from the top down and takes no account of what lies below; use keep"
        )
    right, bottom = left + across, top + down
    if right > width or bottom > height:
        raise OptionError(f"hole {_words(hole)}: the image has {width} x {height} pixels; choose a rectangle inside it")
    filled = pixels.astype(np.float64)
    y, x = np.arange(down)[:, None, None], np.arange(across)[None, :, None]
    total, weights = np.zeros((down, across, 3)), np.zeros((down, across, 1))
    borders = [  # each side of the hole that lies inside the image: its pixels, and how far they are
        (left > 0, filled[top:bottom, left - 1 : left], x + 1),
        (right < width, filled[top:bottom, right : right + 1], across - x),
        (top > 0, filled[top - 1 : top, left:right], y + 1),
        (bottom < height, filled[bottom : bottom + 1, left:right], down - y),
    ]
    for is_there, border, distance in borders:
        if is_there:
            total += border / distance
            weights += 1 / distance
    if not weights.all():
        raise OptionError(f"hole {_words(hole)}: nothing of the image is left; make it smaller")
    filled[top:bottom, left:right] = total / weights
    return np.rint(filled).astype(np.uint8)


def _of_recording(codec: Codec[Any, Any], options: SampleOptions) -> Given:
    model, source = recordings_of(codec.framing).model, _source(options)
    if options.hole is not None:
        raise OptionError("hole: this is for images; of a recording give the share to keep")
    samples, _ = read_mono(source, model.sample_rate)  # [T]
    seconds = len(samples) / model.sample_rate if options.seconds is None else options.seconds
    shape, hop = audio_shape(codec, options, seconds), model.hop_length
    frames = _kept(options.keep, len(samples) // hop, options, of=-(-shape.samples // hop))
    part = Recording([samples[: frames * hop, None]], model.sample_rate)
    codes = encoded(codec, part, quality_of(codec, options.quality), Rate()).array[0]  # [G, frames]
    if (codes == SILENT).any():
        raise MediaError(f"{source}: part of what is kept is digital silence, which has no codes; keep another share")
    known = torch.zeros(len(codes), *codec.framing.segments(shape).grid, dtype=torch.int64)
    known[:, :frames] = torch.from_numpy(codes)
    return Given(shape, known, torch.arange(known.shape[1]) >= frames, None)


def _kept(keep: float | None, there: int, options: SampleOptions, *, of: int | None = None) -> int:
    """Return how many of the rows or frames that are there are kept, of all that there are to be in the end."""
    share, of = KEEP if keep is None else keep, there if of is None else of
    kept = math.floor(share * there + 0.5)
    if not 0 < kept < of:
        what = "all" if kept else "nothing"
        raise OptionError(
            f"keep {share:g}: {what} of {_source(options)} is kept then, in whole codes; choose another share"
        )
    return kept


def _source(options: SampleOptions) -> str:
    assert options.complete is not None, "whoever calls has looked"
    return options.complete


def _words(hole: Hole) -> str:
    return ",".join(map(str, hole))
