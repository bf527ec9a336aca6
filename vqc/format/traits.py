"""What a file says once of all of a recording, field 128 of format 2: a reader must know it.

    n    what the model says, of a length that it knows: the voice, of the kind `voice`
    2    low half of the CRC-32 of these bytes, little-endian: a reader that seeks sees no other checksum of them

A file without the field is of no voice in particular.
"""

from __future__ import annotations

import zlib

from vqc.errors import ContainerError

FIELD = 128
KINDS_WITH_TRAITS = frozenset({8})  # numbers of the kinds of models that write it: voice
_CHECK_BYTES = 2


def write_traits(traits: bytes) -> bytes:
    """The content of the field."""
    return traits + _check(traits)


def read_traits(content: bytes) -> bytes:
    """What `write_traits` was given.

    Raises:
        ContainerError: it is damaged.
    """
    traits, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    if not traits or check != _check(traits):
        raise ContainerError("the .vqc file is damaged: what it says of the voice cannot be right; get it again")
    return traits


def _check(traits: bytes) -> bytes:
    return (zlib.crc32(traits) & 0xFFFF).to_bytes(_CHECK_BYTES, "little")
