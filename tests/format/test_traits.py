"""What a file says once of all of a recording: field 128, beside metadata and an index."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vqc.errors import ContainerError
from vqc.format.container import Container, Header, join_streams, read_container, read_front, write_container
from vqc.format.metadata import Metadata
from vqc.format.shapes import AudioShape
from vqc.format.traits import read_traits, write_traits

HEADER = Header(
    codec=8, entropy="none", quality=1, digest=b"digest", shape=AudioShape(samples=9, sample_rate=16_000, channels=1)
)
PLAIN = Container(header=HEADER, body=b"codes")


@pytest.mark.parametrize("tags", [(), (("title", "talk"),)])
@pytest.mark.parametrize("indexed", [False, True])
def test_traits_come_back(tags: tuple[tuple[str, str], ...], indexed: bool) -> None:
    body = join_streams([b"one", b"two"]) if indexed else b"codes"
    container = replace(PLAIN, body=body, metadata=Metadata(tags=tags), indexed=indexed, traits=bytes(range(67)))
    data = write_container(container)
    assert read_container(data) == container
    assert read_front(data).traits == container.traits


def test_a_file_without_traits_has_none() -> None:
    data = write_container(PLAIN)
    assert read_container(data).traits == b""
    assert data[3] == 1  # format 1, as ever


def test_damaged_traits_are_told_where_no_other_checksum_is_seen() -> None:
    data = bytearray(write_container(replace(PLAIN, traits=b"a voice")))
    data[data.index(b"a voice")] ^= 1
    with pytest.raises(ContainerError, match="voice"):
        read_front(bytes(data))
    for content in (b"", b"ab", write_traits(b"voice")[:-1]):
        with pytest.raises(ContainerError):
            read_traits(content)
