"""From a model with a prior to images and recordings that nobody took.

    seed ─ prior.sample ─► codes [G, *grid] ─ as if they had been searched ─► container ─► image or recording, or .vqc

What is drawn is a file like any other: the codec restores it, and what its `.vqc` costs is its own −log2 P.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqc.codec.audio_io import recordings_of
from vqc.codec.codec import Codec
from vqc.codec.codes import Codes, container_of, restore
from vqc.codec.image_io import pictures_of
from vqc.codec.media import Audio, Image
from vqc.codec.open import Model, open_codec
from vqc.errors import OptionError, did_you_mean
from vqc.format.container import write_container
from vqc.format.shapes import AudioShape, ImageShape, Shape
from vqc.format.spans import tile_core
from vqc.models.prior import CodePrior
from vqc.sampling.options import DEFAULT_MODEL, SampleOptions

SIDE, SECONDS = 256, 5.0  # where nothing else is asked for
MOST_PIXELS, MOST_SECONDS = 1 << 26, 3600.0  # of all that is drawn at once: it is held in memory


def sample(
    model: Model = None,
    n: int = 1,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    quality: int | None = None,
    size: tuple[int, int] | None = None,
    seconds: float | None = None,
    label: str | int | None = None,
    guidance: float = 1.0,
    device: str = "auto",
) -> list[Image] | list[Audio]:
    """Draw images or recordings from the prior of a model.

    The same seed gives the same codes on every machine, and item k of a seed is the same whatever `n` is.

    Args:
        model: name or path of a model with a prior, or what `load_model` gave; by default cifar10.
        n: how many.
        seed: 0 to 2^64 − 1.
        temperature: what the prior's logits are divided by: below 1 likely codes are drawn more often. In thousandths.
        top_p: draw only from the likeliest codes that have this share of the probability together. In thousandths.
        quality: 1 up to the model's `qualities`; by default the model's own choice.
        size: height and width of images in pixels; by default 256 × 256, or as much as the prior sees together.
        seconds: length of recordings; by default 5.
        label: name or number of what images are to show, of a prior of classes; by default nothing is said.
        guidance: above 1 codes are likelier that tell the class from others, and items differ less. In thousandths.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.

    Raises:
        OptionError: the model has no prior, or an option has a value that cannot be used.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    numbers = {"seed": seed, "temperature": temperature, "top_p": top_p, "quality": quality, "seconds": seconds}
    numbers["guidance"] = guidance
    options = SampleOptions(n=n, size=size, label=None if label is None else str(label), **numbers)  # type: ignore[arg-type]
    codec = open_codec(None, DEFAULT_MODEL if model is None else model, device)
    return [restore(codec, item) for item in draw(codec, options)]  # type: ignore[return-value]  # all of one medium


def draw(codec: Codec[Any, Any], options: SampleOptions) -> Iterator[Codes]:
    """Draw the codes of items from the prior of a codec's model; OptionError when it cannot do what is asked for."""
    return draw_shape(codec, options, shape_of(codec, options))


def draw_shape(
    codec: Codec[Any, Any],
    options: SampleOptions,
    shape: Shape,
    known: Tensor | None = None,
    mask: Tensor | None = None,
) -> Iterator[Codes]:
    """Draw the codes of items of a shape; `known` and `mask` are those of `CodePrior.sample`."""
    prior, quality = prior_of(codec), quality_of(codec, options.quality)
    with prior.showing(labels_of(codec, options.label)):
        codes = prior.sample(
            options.count(codec.model.media),
            codec.framing.segments(shape).grid,
            quality,
            seed=options.seed,
            temperature=options.temperature,
            top_p=options.top_p,
            guidance=options.guidance,
            known=known,
            mask=mask,
        )
    for item in codes.cpu().numpy():  # [G, *grid]
        yield Codes(item if codec.model.media == "image" else item[None], codec.name, codec.digest, quality, shape)


def file_of(codec: Codec[Any, Any], codes: Codes) -> bytes:
    """The `.vqc` file that decompresses to codes that were drawn; coded with the prior, it takes their −log2 P."""
    return write_container(container_of(codec, codes, "prior"))


def arrays_of(drawn: Sequence[Codes]) -> bytes:
    """The `.npz` file of what was drawn from one model.

    codes: uint16 [n, G, h, w] or [n, 1, G, T].
    quality: at which they are.
    digest: first digits of the model's.
    """
    codes, held = np.stack([item.array for item in drawn]).astype(np.uint16), io.BytesIO()
    np.savez_compressed(held, codes=codes, quality=drawn[0].quality, digest=drawn[0].digest.hex())
    return held.getvalue()


def prior_of(codec: Codec[Any, Any]) -> CodePrior:
    """The prior of a codec's model; OptionError says how to come by one."""
    prior = codec.model.prior
    if prior is None:
        raise OptionError(
            f"the model {codec.name} has no prior to draw from; train one with vqc train prior -m {codec.name}"
        )
    return prior


def quality_of(codec: Codec[Any, Any], quality: int | None) -> int:
    """The quality, or the model's default; OptionError when the model does not have it."""
    last = codec.model.qualities
    if quality is not None and quality not in range(1, last + 1):
        raise OptionError(f"quality {quality}: the qualities of the model {codec.name} are 1 to {last}, in whole steps")
    return codec.model.default_quality if quality is None else quality


def labels_of(codec: Codec[Any, Any], label: str | None) -> Tensor | None:
    """The label of all items, int64 [1], by the name or number of a class; OptionError when there is none such."""
    if label is None:
        return None
    names = prior_of(codec).classes
    if not names:
        raise OptionError(f"class {label}: the prior of {codec.name} knows no classes; leave it out")
    numbers = [str(number) for number in range(len(names))]
    if label not in (*names, *numbers):
        known = ", ".join(f"{number} {name}" for number, name in enumerate(names))
        raise OptionError(f"class {label}: there is none such{did_you_mean(label, names)}; {codec.name} knows {known}")
    place = names.index(label) if label in names else int(label)
    return torch.tensor([place], device=codec.framing.device)


def shape_of(codec: Codec[Any, Any], options: SampleOptions) -> Shape:
    """The shape of what is drawn; OptionError when the model has no place for it."""
    image = codec.model.media == "image"
    given = {"size": options.size, "seconds": options.seconds}
    for name, medium, other in [("seconds", True, "a size"), ("size", False, "seconds")]:
        if image == medium and given[name] is not None:
            raise OptionError(f"{name}: {codec.name} is a model for {'images' if image else 'audio'}; give {other}")
    if image:
        usual = min(largest_side(codec), SIDE)
        return image_shape(codec, options, options.size or (usual, usual))
    return audio_shape(codec, options, SECONDS if options.seconds is None else options.seconds)


def largest_side(codec: Codec[Any, Any]) -> int:
    """The largest side of an image in pixels whose codes are drawn together."""
    model = pictures_of(codec.framing).model
    return model.downsampling_factor * (prior_of(codec).block or tile_core(model.downsampling_factor))


def image_shape(codec: Codec[Any, Any], options: SampleOptions, size: tuple[int, int]) -> ImageShape:
    """The shape of images of this height and width in pixels; OptionError when they are too large, or too many."""
    (height, width), most, count = size, largest_side(codec), options.count("image")
    if max(height, width) > most:
        raise OptionError(
            f"size {height}x{width}: the prior of {codec.name} sees at most {most}x{most} pixels together; "
            + ("draw several images of that size" if options.complete is None else "give a smaller file")
        )
    if count * height * width > MOST_PIXELS:
        raise OptionError(f"{count} images of {height}x{width} are more than {MOST_PIXELS:,} pixels; draw fewer")
    return ImageShape(width=width, height=height)


def audio_shape(codec: Codec[Any, Any], options: SampleOptions, seconds: float) -> AudioShape:
    """The shape of recordings of this length at the rate of the model; OptionError when they are too long."""
    model, count = recordings_of(codec.framing).model, options.count("audio")
    if count * seconds > MOST_SECONDS:
        raise OptionError(f"{count} recordings of {seconds:g} s are more than an hour; draw fewer at once")
    samples = max(1, round(seconds * model.sample_rate))
    return AudioShape(samples=samples, sample_rate=model.sample_rate, channels=1)
