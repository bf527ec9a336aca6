"""The metrics: their names, units and definitions, and what has to be installed for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal

from vqc._distribution import install_command
from vqc.errors import MissingPackageError, OptionError

Media = Literal["image", "audio"]


@dataclass(frozen=True)
class Metric:
    """One number for one file.

    unit: "" when there is none.
    decimals: with which it is printed.
    needs: modules that only an extra installs.
    extra: of this package, which installs them.
    """

    key: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    decimals: int
    media: frozenset[Media]
    needs: tuple[str, ...] = ()
    extra: str = "eval"

    @property
    def definition(self) -> str:
        """Return what is measured, for people, in one or two sentences."""
        return _DEFINITIONS[self.key]


_IMAGE: frozenset[Media] = frozenset({"image"})
_AUDIO: frozenset[Media] = frozenset({"audio"})
_RIPPLE = (
    "How far the ripple of the spectrum is from the original's: the standard deviation in dB from 4.5 to 7.5 kHz, in "
    "bins of 25 Hz, around a running mean over 1 kHz, of the power of each 60 ms. It grows where noise becomes a comb."
)
_BANDS = "How far the energy of a third octave is off, the mean of 19 of them from 125 Hz to 8 kHz."
_DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "mse": "Mean squared error of all values of a file; pixels are taken from 0 to 1 in RGB, samples from -1 to 1.",
        "psnr": "10 log10(1 / MSE) of each image in RGB, averaged over the images; "
        "an image restored without any error has none.",
        "ms_ssim": "Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003), "
        "the mean of the channels R, G and B; images with a side of less than 161 pixels have none.",
        "relative_mse": "MSE over the mean square of the original: 1 is what silence scores.",
        "si_sdr": "Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019) "
        "of the waveforms without their means; "
        "codecs that do not follow the waveform score below 0 and may sound well.",
        "mel": "Mean absolute difference of mel spectra in dB above -80 dB of full scale, over windows of "
        "2, 4, 8, 16, 32, 64 and 128 ms with 5 to 128 bands.",
        "pesq_wb": "Wide-band perceptual evaluation of speech quality at 16 kHz (ITU-T P.862.2), 1.04 to 4.64; "
        "recordings without speech have none.",
        "stoi": "Short-time objective intelligibility (Taal et al. 2011), up to 1; "
        "recordings with less than half a second of speech have none.",
        "estoi": "Extended STOI (Jensen and Taal 2016), which also heeds noise that comes and goes.",
        "ripple_fricatives": f"{_RIPPLE} Frames of the original with more energy above 4 kHz than below and no period; "
        "recordings without 60 ms of such have none.",
        "ripple_vowels": f"{_RIPPLE} Frames of the original with more energy below 4 kHz and a period.",
        "bands_fricatives": f"{_BANDS} Frames as for the ripple of fricatives, ten or more.",
        "bands_vowels": f"{_BANDS} Frames as for the ripple of vowels, ten or more.",
        "dnsmos": "Overall quality of the restored speech from 1 to 5 as a network guesses it without the original "
        "(DNSMOS P.835, Reddy et al. 2022).",
    }
)
_ALL = (
    Metric("mse", "MSE", "", "lower", 6, _IMAGE | _AUDIO),
    Metric("psnr", "PSNR", "dB", "higher", 2, _IMAGE),
    Metric("ms_ssim", "MS-SSIM", "", "higher", 4, _IMAGE, needs=("pytorch_msssim",)),
    Metric("relative_mse", "MSE / signal", "", "lower", 3, _AUDIO),
    Metric("si_sdr", "SI-SDR", "dB", "higher", 2, _AUDIO),
    Metric("mel", "Mel distance", "dB", "lower", 2, _AUDIO),
    Metric("pesq_wb", "PESQ-WB", "", "higher", 2, _AUDIO, needs=("pesq",)),
    Metric("stoi", "STOI", "", "higher", 3, _AUDIO, needs=("pystoi",)),
    Metric("estoi", "ESTOI", "", "higher", 3, _AUDIO, needs=("pystoi",)),
    Metric("ripple_fricatives", "Ripple of fricatives", "dB", "lower", 1, _AUDIO),
    Metric("ripple_vowels", "Ripple of vowels", "dB", "lower", 1, _AUDIO),
    Metric("bands_fricatives", "Bands of fricatives", "dB", "lower", 1, _AUDIO),
    Metric("bands_vowels", "Bands of vowels", "dB", "lower", 1, _AUDIO),
    Metric("dnsmos", "DNSMOS", "", "higher", 2, _AUDIO, needs=("speechmos", "librosa", "onnxruntime"), extra="dnsmos"),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.key: metric for metric in _ALL})


def metrics_of(media: Media) -> tuple[str, ...]:
    """The metrics of a medium that can be computed here, in the order of the catalogue."""
    return tuple(m.key for m in _ALL if media in m.media and all(map(_installed, m.needs)))


def missing(media: Media, wanted: Collection[str] | None = None) -> list[str]:
    """A sentence for each metric of a medium, or of those wanted, that cannot be computed here."""
    known = [metric for metric in _ALL if media in metric.media and (wanted is None or metric.key in wanted)]
    return [_sentence(metric) for metric in known if not all(map(_installed, metric.needs))]


def check_available(key: str) -> None:
    """Raise MissingPackageError when a metric cannot be computed here."""
    metric = METRICS[key]
    if not all(map(_installed, metric.needs)):
        raise MissingPackageError(
            f"{metric.label} cannot be computed: {_absent(metric)}; get it with {install_command(metric.extra)}"
        )


def choose_metrics(text: str | None, media: Media) -> tuple[tuple[str, ...], list[str]]:
    """Parse an option: the metrics that can be computed here, and a sentence for each that cannot.

    Args:
        text: keys with commas between, or "none"; all when it is None.

    Raises:
        OptionError: a key is of no metric of this medium.
    """
    known = [metric.key for metric in _ALL if media in metric.media]
    wanted = known if text is None else [] if text == "none" else [part.strip() for part in text.split(",")]
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise OptionError(f"--metrics {text}: choose from {', '.join(known)}, or none")
    return tuple(key for key in metrics_of(media) if key in wanted), missing(media, wanted)


def _sentence(metric: Metric) -> str:
    return f"{metric.label} is left out: {_absent(metric)}; get it with {install_command(metric.extra)}"


def _absent(metric: Metric) -> str:
    absent = [name for name in metric.needs if not _installed(name)]
    names = " and ".join(name.replace("_", "-") for name in absent)
    return f"{names} {'is' if len(absent) == 1 else 'are'} not installed"


@cache
def _installed(module: str) -> bool:
    return find_spec(module) is not None
