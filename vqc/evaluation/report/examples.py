"""Originals beside what codecs made of them: pictures that zoom together, and sounds to switch between."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.drawing.sounds import spectrogram, waveform
from vqc.evaluation.report.markup import data_uri, escape, size
from vqc.evaluation.result_tables import keys_of, name, score
from vqc.evaluation.results import Evaluation, Example, Version
from vqc.metrics.catalogue import METRICS

SIDE = 768  # pixels of a picture at most: of a larger one the centre is shown
SMALL = 128  # pixels up to which a picture is kept exactly, and shown enlarged
QUALITY = 92  # of the WebP pictures in the page
SECONDS = 10.0  # of a recording at most
SCORES = 2  # metrics below each version


def examples(evaluation: Evaluation) -> list[str]:
    """A block for each item: the original, and beside it the versions of all codecs at the size that is chosen."""
    items: dict[str, list[Example]] = {}
    for example in evaluation.examples:
        items.setdefault(example.item, []).append(example)
    draw = _pictures if evaluation.media == "image" else _sounds
    keys = keys_of(evaluation.curves)
    return [draw(item, group, telling(keys)) for item, group in items.items()]


def telling(keys: Sequence[str]) -> list[str]:
    """The few metrics that say most, of those that there are."""
    preferred = [key for key in ("psnr", "ms_ssim", "pesq_wb", "stoi") if key in keys]
    return (preferred or list(keys))[:SCORES]


def _pictures(item: str, group: Sequence[Example], keys: Sequence[str]) -> str:
    original = group[0].original
    first = _tile("Original", size(group[0].bytes), original, "original", item)
    sizes = [
        [_tile(v.label, _facts(v, keys), v.signal, _style(v), f"{item} {v.setting}") for v in example.versions]
        for example in group
    ]
    small = " small" if max(original.shape[:2]) <= SMALL else ""
    height, width = original.shape[:2]
    return (
        f'<div class="example pictures{small}" tabindex="0" role="group" '
        f'aria-label="{escape(item)}: Enter enlarges, arrows move, plus and minus change the scale, Escape ends">'
        f"<h3>{escape(item)} <small>{width} × {height}</small></h3>{_choice(item, group)}"
        f'<div class="shots">{first}{_sized(sizes)}</div></div>'
    )


def _choice(item: str, group: Sequence[Example]) -> str:
    """One button for each size; the style sheet shows what belongs to the one that is pressed."""
    if len(group) < 2:
        return ""
    buttons = []
    for i, example in enumerate(group):
        own = example.versions[0]
        checked = " checked" if i == 0 else ""
        buttons.append(
            f'<label><input type="radio" name="{escape(item)}" value="{i}"{checked}>'
            f"{size(own.bytes)} <small>{escape(own.setting)}</small></label>"
        )
    return f'<div class="choice" role="radiogroup" aria-label="size of the files">{"".join(buttons)}</div>'


def _sized(sizes: Sequence[Sequence[str]]) -> str:
    return "".join(f'<div class="size n{i}">{"".join(tiles)}</div>' for i, tiles in enumerate(sizes))


def _style(version: Version) -> str:
    return "own" if version.codec == "vqc" else ""


def _tile(title: str, facts: str, pixels: NDArray[Any], style: str, item: str) -> str:
    source, shown = picture(pixels)
    height, width = shown
    return (
        f'<figure class="shot {style}"><div class="frame" style="aspect-ratio:{width}/{height}">'
        f'<img src="{source}" alt="{escape(f"{item}, {title}")}" width="{width}" height="{height}"></div>'
        f"<figcaption><b>{escape(title)}</b> <span>{facts}</span></figcaption></figure>"
    )


def _facts(version: Version, keys: Sequence[str]) -> str:
    scores = []
    for key in keys:
        if key in version.scores:
            unit = f" {METRICS[key].unit}" if key in METRICS and METRICS[key].unit else ""
            scores.append(f"{name(key)} {score(key, version.scores[key])}{unit}")
    return escape(" · ".join([f"{size(version.bytes)} ({version.setting})", *scores]))


def picture(pixels: NDArray[Any], side: int = SIDE, quality: int = QUALITY) -> tuple[str, tuple[int, int]]:
    """The centre of a picture as a data URI, and its height and width, each at most `side`."""
    from PIL import Image

    height, width = pixels.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    centre = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    data = io.BytesIO()
    exact = max(centre.shape[:2]) <= SMALL
    Image.fromarray(centre).save(data, "WEBP", quality=quality, lossless=exact, method=4)
    return data_uri(data.getvalue(), "image/webp"), centre.shape[:2]


def _sounds(item: str, group: Sequence[Example], keys: Sequence[str]) -> str:
    first = group[0]
    assert first.sample_rate is not None, "audio has a rate"
    peak = float(np.abs(first.original).max(initial=0.0)) or 1.0
    original = _sound("Original", size(first.bytes), first.original, first.sample_rate, peak, "original", item)
    sizes = [
        [
            _sound(v.label, _facts(v, keys), v.signal, first.sample_rate, peak, _style(v), f"{item} {v.setting}")
            for v in example.versions
        ]
        for example in group
    ]
    seconds = len(first.original) / first.sample_rate
    part = f", the first {SECONDS:g} of them here" if seconds > SECONDS else ""
    return (
        f'<div class="example sounds"><h3>{escape(item)} <small>{seconds:.1f} seconds{part}</small></h3>'
        f'{_choice(item, group)}<div class="tracks">{original}{_sized(sizes)}</div></div>'
    )


def _sound(title: str, facts: str, samples: NDArray[Any], sample_rate: int, peak: float, style: str, item: str) -> str:
    samples = samples[: int(SECONDS * sample_rate)]
    said = escape(f"{item}, {title}")
    picture = data_uri(spectrogram(samples, sample_rate), "image/webp")
    return (
        f'<figure class="sound {style}"><figcaption><b>{escape(title)}</b> <span>{facts}</span></figcaption>'
        f'<div class="seen">{waveform(samples, peak)}'
        f'<img src="{picture}" alt="Spectrogram of {said}"></div>'
        f'<audio controls preload="metadata" aria-label="{said}" src="{flac(samples, sample_rate)}"></audio></figure>'
    )


def flac(samples: NDArray[Any], sample_rate: int) -> str:
    """Return float [T] as a data URI of a 16-bit FLAC file: nothing is lost that a loudspeaker would tell."""
    import soundfile

    data = io.BytesIO()
    soundfile.write(data, np.clip(samples, -1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    return data_uri(data.getvalue(), "audio/flac")
