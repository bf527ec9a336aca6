"""Which rivals there are, and which of them are here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vqc.errors import OptionError
from vqc.evaluation.baselines.audio_codecs import FLAC, Codec2, Opus
from vqc.evaluation.baselines.baseline import Rival
from vqc.evaluation.baselines.image_codecs import AVIF, JPEG, PNG, WebP
from vqc.evaluation.baselines.jpeg_xl import JPEGXL, LosslessJPEGXL
from vqc.evaluation.results import Media

_ALL: tuple[Rival, ...] = (JPEG(), WebP(), AVIF(), JPEGXL(), PNG(), LosslessJPEGXL(), Opus(), Codec2(), FLAC())
RIVALS: Mapping[str, Rival] = MappingProxyType({rival.name: rival for rival in _ALL})


def rival_named(name: str) -> Rival:
    """The codec with this name; OptionError when there is none."""
    if name not in RIVALS:
        raise OptionError(f"--against {name}: the codecs to compare with are {', '.join(RIVALS)}, or all of a medium")
    return RIVALS[name]


def choose_rivals(text: str, media: Media) -> tuple[tuple[str, ...], list[str]]:
    """Names of the codecs that can run here, and a sentence for each one that was asked for and cannot.

    Args:
        text: names with commas between; `all` for those of the medium; or nothing. Those of the other medium are passed
            over, so that one list can serve models of both.

    Raises:
        OptionError: no codec has such a name.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    names = [name for part in asked for name in (RIVALS if part == "all" else [rival_named(part).name])]
    rivals = [RIVALS[name] for name in dict.fromkeys(names) if RIVALS[name].media == media]
    reasons = {rival: rival.available() for rival in rivals}
    absent = [f"{rival.label} is left out: {reason}" for rival, reason in reasons.items() if reason is not None]
    return tuple(rival.name for rival, reason in reasons.items() if reason is None), absent
