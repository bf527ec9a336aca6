"""Table of the baselines, and which of them are here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vqc.errors import OptionError
from vqc.evaluation.baselines.audio_codecs import FLAC, Codec2, Opus
from vqc.evaluation.baselines.baseline import Baseline
from vqc.evaluation.baselines.image_codecs import AVIF, JPEG, PNG, AVIFVariant, WebP
from vqc.evaluation.baselines.jpeg_xl import JPEGXL, LosslessJPEGXL
from vqc.format.shapes import Media

_AVIF = tuple(AVIFVariant(tune, subsampling) for tune in ("iq", "psnr") for subsampling in ("4:4:4", "4:2:0"))
_ALL: tuple[Baseline, ...] = (
    *(JPEG(), WebP(), AVIF(), *_AVIF, JPEGXL()),
    *(PNG(), LosslessJPEGXL(), Opus(), Codec2(), FLAC()),
)
BASELINES: Mapping[str, Baseline] = MappingProxyType({baseline.name: baseline for baseline in _ALL})

_USUAL = tuple(baseline.name for baseline in _ALL if not baseline.is_variant)


def baseline_named(name: str) -> Baseline:
    """The codec with this name; OptionError when there is none."""
    if name not in BASELINES:
        raise OptionError(
            f"--against {name}: the codecs to compare with are {', '.join(BASELINES)}, or all of a medium"
        )
    return BASELINES[name]


def choose_baselines(text: str, media: Media) -> tuple[tuple[str, ...], list[str]]:
    """Names of the codecs that can run here, and a sentence for each one that was asked for and cannot.

    Args:
        text: names with commas between; `all` for those of the medium; or nothing. Those of the other medium are passed
            over, so that one list can serve models of both.

    Raises:
        OptionError: no codec has such a name.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    names = [name for part in asked for name in (_USUAL if part == "all" else [baseline_named(part).name])]
    baselines = [BASELINES[name] for name in dict.fromkeys(names) if BASELINES[name].media == media]
    reasons = {baseline: baseline.available() for baseline in baselines}
    absent = [f"{baseline.label} is left out: {reason}" for baseline, reason in reasons.items() if reason is not None]
    return tuple(baseline.name for baseline, reason in reasons.items() if reason is None), absent
