"""Channel layouts of recordings: which channel is the left surround, which the bass.

Inside vqc channels are in the order of WAV and FLAC: by the number of their bit in the channel mask of WAV. Ogg has an
order of its own for Vorbis and Opus (Vorbis I specification, 4.3.9; RFC 7845, 5.1.1.2).
"""

from __future__ import annotations

from types import MappingProxyType

FL, FR, FC, LFE, BL, BR, FLC, FRC, BC, SL, SR = range(11)  # bits of the mask: front, bass, back, between, side

_USUAL = MappingProxyType(
    {
        1: (FC,),
        2: (FL, FR),
        3: (FL, FR, FC),
        4: (FL, FR, BL, BR),
        5: (FL, FR, FC, BL, BR),
        6: (FL, FR, FC, LFE, BL, BR),
        7: (FL, FR, FC, LFE, BC, SL, SR),
        8: (FL, FR, FC, LFE, BL, BR, SL, SR),
    }
)
_VORBIS = MappingProxyType(
    {
        3: (FL, FC, FR),
        5: (FL, FC, FR, BL, BR),
        6: (FL, FC, FR, BL, BR, LFE),
        7: (FL, FC, FR, SL, SR, BC, LFE),
        8: (FL, FC, FR, SL, SR, BL, BR, LFE),
    }
)


def default_mask(channels: int) -> int:
    """Return the mask of a number of channels where nothing else is said; 0, for places unknown, of more than 8."""
    return mask_of(_USUAL.get(channels, ()))


def unless_default(mask: int, channels: int) -> int | None:
    """Return the mask, or None if it is the usual one of this number of channels."""
    return None if mask == default_mask(channels) else mask


def mask_of(places: tuple[int, ...]) -> int:
    """The mask of channels with these bits."""
    return sum(1 << place for place in places)


def vorbis_layout(channels: int) -> tuple[int, ...] | None:
    """The bits of channels as they follow each other in Ogg; None where they do as they do in WAV."""
    return _VORBIS.get(channels)


def vorbis_order(channels: int) -> list[int] | None:
    """Return which channel comes first in Ogg, which second and so on; None where the order is the same."""
    places = _VORBIS.get(channels)
    return None if places is None else [_USUAL[channels].index(place) for place in places]


def equals_default(mask: int, channels: int) -> bool:
    """Return whether channels with this mask mean to a listener what the usual ones do: beside instead of behind."""
    usual = default_mask(channels)
    behind, beside = mask_of((BL, BR)), mask_of((SL, SR))
    return mask == usual or (usual & beside == 0 and mask == usual & ~behind | beside)
