"""Items held out for validation: decided by a hash of each, so that adding files moves none of the others."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from vqc.data.data_source import DataItem
from vqc.errors import TrainingError

SHARE = 0.05

_SPEAKER = re.compile(
    r"(\d+)-\d+-\d{4}"  # LibriSpeech: speaker, chapter, number
    r"|(\d+)_\d+_\d{6}_\d{6}"  # LibriTTS: speaker, chapter, paragraph, sentence
    r"|([ps]\d+)_\d+(?:_mic\d)?"  # VCTK
    r"|([0-9a-f]{8})_nohash_\d+"  # SpeechCommands
)


def is_held_out(key: str, share: float = SHARE) -> bool:
    """Return whether what has this key is for validation; of many keys, about this share are."""
    return _fraction(key) < share


def split_key(name: str) -> str:
    """Return what a file is split by: the speaker where names of speech corpora tell it, else its path in the folder.

    A voice that is trained on would make validation look better than new voices sound.
    """
    match = _SPEAKER.fullmatch(PurePosixPath(name).stem)
    if match:
        return f"speaker {next(group for group in match.groups() if group)}"
    return unicodedata.normalize("NFC", name)  # macOS tells the names of files decomposed


def split(*sets: Sequence[DataItem], share: float = SHARE) -> tuple[list[int], list[int]]:
    """Indices, in all sets in sequence, of the training and of the validation items; neither is empty.

    A set with a validation part of its own keeps it; of any other the hash takes its share, unless all of it is marked
    as training and another set has a validation part. Where nothing is left, the item with the lowest hash is held out.

    Raises:
        TrainingError: all items have one key, or all are marked as validation.
    """
    items = [item for one in sets for item in one]
    marked = any(item.part == "validation" for item in items)
    held = [held for one in sets for held in _held_out(one, share, marked)]
    if not any(held):
        lowest = min((item.key for item in items), key=_fraction)
        held = [item.key == lowest for item in items]
    elif all(held):
        highest = max((item.key for item in items), key=_fraction)
        held = [item.key != highest or item.part == "validation" for item in items]
    if all(held) or not any(held):
        raise TrainingError(_no_split(items))
    return [i for i, is_held in enumerate(held) if not is_held], [i for i, is_held in enumerate(held) if is_held]


def _held_out(items: Sequence[DataItem], share: float, marked: bool) -> list[bool]:
    parts = {item.part for item in items}
    if "validation" in parts or (marked and parts == {"training"}):
        return [item.part == "validation" for item in items]
    return [is_held_out(item.key, share) for item in items]


def _no_split(items: Sequence[DataItem]) -> str:
    if all(item.part == "validation" for item in items):
        return "the data is a validation part with nothing to train on; give the folder above it"
    return f"the data cannot be split into training and validation, all of it is {items[0].key}; give more data"


def _fraction(key: str) -> float:
    """Return a number in [0, 1), pseudorandom and always the same."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
