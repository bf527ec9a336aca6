"""How near what was restored comes to a picture, by one score."""

from __future__ import annotations

from vqc.codec.hidden_colours import seen_pixels, without_hidden
from vqc.data.image_files import Picture
from vqc.errors import MediaError
from vqc.metrics.catalogue import METRICS
from vqc.metrics.mse import image_mse, psnr_of
from vqc.metrics.scores import score_images


def score_picture(signal: Picture, restored: Picture, metric: str) -> float:
    """The score by this metric, a key of the catalogue; MediaError when the picture is too small for it."""
    if metric == "psnr":  # as Report.psnr has it
        return psnr_of(image_mse(signal.pixels, restored.pixels, seen_pixels(signal)))
    found = score_images(without_hidden(signal).rgb, restored.rgb, [metric])
    if metric not in found:
        height, width = signal.pixels.shape[:2]
        label, size = METRICS[metric].label, f"{width:,} x {height:,} pixels"
        raise MediaError(f"an image of {size} is too small for {label}; give a target by PSNR")
    return found[metric]
