"""Evaluations as `vqc eval` would find them, of signals that are made here and codecs that are only noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vqc.evaluation.results import (
    CodeMaps,
    Curve,
    Estimate,
    Evaluation,
    Example,
    FileScore,
    Media,
    Origin,
    Point,
    QualityResult,
    Version,
)

RATES = {"image": (0.1, 0.2, 0.4, 0.8), "audio": (0.6, 1.5, 3.0, 6.0)}
FILES = ("one.png", "two & <three>.png")
SAMPLE_RATE = 16_000


def tiny_evaluation(media: Media = "image", *, examples: bool = True, history: bool = True) -> Evaluation:
    """A model with four qualities, two codecs measured beside it and one from a table, on two files."""
    curves = (
        tiny_curve(media, "vqc", "vqc tiny", "vqc", 0.0),
        tiny_curve(media, "good", "Good codec", "measured", 0.8),
        tiny_curve(media, "bad", "Bad <codec>", "measured", -1.6),
        tiny_curve(media, "paper", "Paper's codec", "published", 1.2),
    )
    return Evaluation(
        media=media,
        model="tiny",
        digest="0123456789abcdef" * 4,
        info={
            "training": {"data": "noise", "steps": 2_000, "minutes": 3.5},
            "figures": {},
            "config": {},
            "history": tiny_history() if history else {},
        },
        data=f"2 {media} files of noise",
        dimensions=2 * 96 * 64 * 3,
        curves=curves,
        qualities=tuple(tiny_quality(media, quality) for quality in range(1, 5)),
        files=tuple(file for curve in curves[:3] for point in curve.points for file in tiny_files(curve, point)),
        examples=tuple(tiny_example(media, item, q) for item in FILES for q in (2, 4)) if examples else (),
        notes=("left out: three.png is not an image", "AVIF is not compared: Pillow has been built without it"),
        bd_rates={"psnr" if media == "image" else "pesq_wb": {"good": 21.3, "bad": -38.46}},
    )


def tiny_curve(media: Media, codec: str, label: str, origin: Origin, better: float) -> Curve:
    """A curve that is `better` dB (or as many tenths of PESQ) than the model's; a table gives no intervals."""
    points = []
    for i, rate in enumerate(RATES[media]):
        width = 0.0 if origin == "published" else 0.4
        if media == "image":
            psnr = 26 + 3.0 * i + better
            scores = {
                "mse": Estimate(10 ** (-psnr / 10), 0.0),
                "psnr": Estimate(psnr, width),
                "ms_ssim": Estimate(1 - 0.08 * 0.5**i - 0.01 * (1 - better) / 2, width / 100),
            }
        else:
            scores = {"pesq_wb": Estimate(1.5 + 0.6 * i + better / 10, width / 5), "stoi": Estimate(0.8 + 0.04 * i, 0)}
        points.append(Point(setting=f"q{i + 1}", rate=rate, files=2 if width else 0, scores=scores))
    return Curve(codec=codec, label=label, origin=origin, source="version 1.2", points=tuple(points))


def tiny_files(curve: Curve, point: Point) -> list[FileScore]:
    """Each file with the means as its scores."""
    scores = {key: mean for key, (mean, _) in point.scores.items()}
    return [
        FileScore(item=item, codec=curve.codec, setting=point.setting, bytes=1_000, rate=point.rate, scores=scores)
        for item in FILES
    ]


def tiny_quality(media: Media, quality: int) -> QualityResult:
    """Two code maps whose codes are distributed like the words of a language."""
    rate = RATES[media][quality - 1] / (3 if media == "image" else 16)
    histogram = (10_000 / np.arange(1, 257)).astype(np.int64)
    maps = [
        CodeMaps(
            label=label,
            codes=int(histogram.sum()),
            codebook_size=256,
            bits_per_code=5.1,
            perplexity=120.5,
            fraction_used=0.97,
            histogram=histogram // divisor,
        )
        for label, divisor in (("means", 1), ("details", 40))
    ]
    return QualityResult(
        quality=quality,
        files=2,
        seconds=1.5,
        rate_bpd=rate,
        ideal_bpd=0.99 * rate,
        total_bpd=4.2 if media == "image" else None,
        maps=tuple(maps),
    )


def tiny_example(media: Media, item: str, quality: int) -> Example:
    """A file with what three codecs made of it."""
    generator = np.random.default_rng(len(item))
    original = tiny_picture() if media == "image" else tiny_clip()
    versions = []
    for codec, label, noise in (("vqc", "vqc", 0.05), ("good", "Good codec", 0.02), ("bad", "Bad <codec>", 0.12)):
        versions.append(
            Version(
                codec=codec,
                label=label,
                setting=f"q{quality}",
                bytes=900 * quality,
                scores=_scores(media, 30 - 60 * noise),
                signal=_disturbed(original, noise / quality, generator),
            )
        )
    rate = None if media == "image" else SAMPLE_RATE
    return Example(item=item, original=original, sample_rate=rate, bytes=20_000, versions=tuple(versions))


def tiny_picture(height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """A smooth picture with an edge in it, uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    picture = np.stack([x, y, 0.5 + 0.5 * np.sin(20 * x * y)], axis=-1)
    picture[height // 3 : height // 2, width // 4 : width // 2] = 0.9
    return (255 * picture).astype(np.uint8)


def tiny_clip(seconds: float = 1.5) -> NDArray[np.float32]:
    """A rising tone, float32 [T] at 16 kHz."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * (300 + 400 * t) * t) * np.sin(np.pi * 3 * t) ** 2).astype(np.float32)


def tiny_history() -> dict[str, list[list[float]]]:
    """A run that learns, and its validation."""
    return {
        "loss": [[step, 2.0 / (1 + step / 200)] for step in range(50, 2001, 50)],
        "mse": [[step, 0.02 / (1 + step / 300)] for step in range(50, 2001, 50)],
        "val_mse": [[step, 0.021 / (1 + step / 300)] for step in range(500, 2001, 500)],
        "val_perplexity": [[step, 100 + step / 100] for step in range(500, 2001, 500)],
        "codebook_size": [[step, 256] for step in range(500, 2001, 500)],
    }


def _scores(media: Media, value: float) -> Mapping[str, float]:
    return {"psnr": value, "ms_ssim": value / 31} if media == "image" else {"pesq_wb": value / 10, "stoi": 0.9}


def _disturbed(signal: NDArray[np.generic], noise: float, generator: np.random.Generator) -> NDArray[np.generic]:
    scale = 255.0 if signal.dtype == np.uint8 else 1.0
    noisy = signal.astype(np.float64) + scale * noise * generator.standard_normal(signal.shape)
    if signal.dtype == np.uint8:
        return noisy.clip(0, 255).astype(np.uint8)
    return noisy.clip(-1, 1).astype(np.float32)
