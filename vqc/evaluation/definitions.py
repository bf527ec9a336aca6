"""Meaning of the numbers of an evaluation, in words: printed by `vqc eval --explain` and in every report."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vqc.metrics.catalogue import METRICS

RATES: Mapping[str, str] = MappingProxyType(
    {
        "bpp": "Bits of the whole file, header and checksum included, for each pixel of an image.",
        "kbps": "Kilobits of the whole file, header and checksum included, for each second of audio.",
        "rate_bpd": "Bits of the whole files over dimensions; an image of H × W pixels has 3 · H · W of them, a mono "
        "recording as many as samples.",
        "ideal_bpd": "-log2 p(codes) over dimensions, p being the model's learned prior (its order-0 tables if it has "
        "none): what a perfect entropy coder would write, without header.",
        "total_bpd": "ideal_bpd + (-log2 p(x | codes)) over dimensions: bits of lossless compression by codes and "
        "residual, the quantity that the VQ-VAE paper gives for CIFAR-10 (4.67; VAE 4.51, VIMCO 5.14). p(x | codes) is "
        "a discretized mixture of logistics around the restored value, fitted on training data and kept in the model "
        "file; values are independent given the codes, but for the channels of one pixel. Images have 256 levels a "
        "value, recordings 65,536 (at the model's sample rate).",
        "BD-rate": "Bjøntegaard's mean difference of rate between two curves at the same score, in percent; negative "
        "when the model needs fewer bits.",
        "bits / code": "-log2 p(code), the mean over all codes of one kind.",
        "perplexity": "exp of the entropy of the histogram of codes over all files, from 1 to the size of the "
        "codebook; mean over the maps of a kind.",
        "in use": "Share of the codebook's entries that occur in these files.",
        "±": "Half of the 95 % confidence interval of the mean over files (Student's t).",
    }
)
ABOUT_THE_REPORT = (
    "The student report that this project began with prints 0.8092 bpd for CIFAR-10 without saying of what: the "
    "three rates above are told apart for that reason. Its MSE of 0.006 on LibriSpeech is about the power of the "
    "signal itself, which is why MSE / signal stands beside MSE here."
)


def definitions() -> dict[str, str]:
    """Name to meaning, rates first and then the metrics."""
    return dict(RATES) | {metric.label: metric.definition for metric in METRICS.values()}
