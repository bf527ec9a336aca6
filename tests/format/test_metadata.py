"""Fields beside the codes: format 2 holds them, format 1 stays as it was, and rubbish is refused in one way."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.errors import ContainerError
from vqc.format.container import Container, Header, peek_header, read_container, write_container
from vqc.format.metadata import MAX_BYTES, NO_METADATA, Metadata, from_fields, to_fields
from vqc.format.shapes import ImageShape

PLAIN = Container(
    header=Header(
        codec=3, entropy="static", quality=4, digest=bytes(range(6)), shape=ImageShape(width=640, height=480)
    ),
    body=b"codes",
)
FULL = Metadata(exif=b"II*\0exif" * 20, xmp=b"<xmp/>", profile="Display P3", tags=(("title", "Ä\nB"), ("date", "1999")))

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
metadata = st.builds(
    Metadata,
    exif=st.binary(max_size=50),
    xmp=st.binary(max_size=50),
    profile=texts,
    tags=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
)


def with_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def file_with(fields: bytes) -> bytes:
    """A file of format 2 with these bytes in place of the fields."""
    plain = write_container(PLAIN)
    return with_checksum(plain[:3] + b"\2" + plain[4:17] + bytes([len(fields)]) + fields + PLAIN.body)


@settings(deadline=None)
@given(metadata)
def test_what_is_written_is_read(given: Metadata) -> None:
    container = replace(PLAIN, metadata=given)
    data = write_container(container)
    assert read_container(data) == container
    assert data[3] == (2 if given else 1)
    assert peek_header(data[:64]) == PLAIN.header


def test_a_file_without_fields_is_one_of_format_1_and_of_the_same_bytes() -> None:
    data = write_container(PLAIN)
    assert data == write_container(replace(PLAIN, metadata=NO_METADATA))
    assert data == with_checksum(bytes.fromhex("56514301 030104 000102030405 8005 e003") + b"codes")


def test_the_bytes_of_a_field() -> None:
    data = write_container(replace(PLAIN, metadata=Metadata(tags=(("date", "1999"),))))
    packed = zlib.compress(b"date\x001999\0", 9, wbits=-15)
    assert data == file_with(bytes([4, len(packed)]) + packed)


def test_fields_are_compressed() -> None:
    assert sum(map(len, to_fields(FULL).values())) < len(FULL.exif)


def test_a_field_that_may_be_passed_over_is_and_one_that_must_be_known_is_not() -> None:
    assert read_container(file_with(b"\x7f\2ab")) == PLAIN
    with pytest.raises(ContainerError, match="field 144, which this version does not know; update vqc"):
        read_container(file_with(b"\x90\1\2ab"))


@pytest.mark.parametrize(
    "fields",
    [b"", b"\1", b"\1\1", b"\1\3\3\0", b"\0\0", b"\1\2\3\0\1\2\3\0", b"\1\2ab", b"\4\2\3\0", b"\1\3\3\0x"],
    ids=["none", "no length", "no content", "short", "0", "twice", "no stream", "empty tags", "rest"],
)
def test_fields_that_are_not_as_they_should_be(fields: bytes) -> None:
    with pytest.raises(ContainerError, match="damaged"):
        read_container(file_with(fields))


def test_tags_without_an_end_are_refused() -> None:
    for content in (b"date", b"date\0", b"date\x001999"):
        with pytest.raises(ContainerError, match="metadata cannot be right"):
            from_fields({4: zlib.compress(content, wbits=-15)})


def test_a_field_never_inflates_to_more_than_a_megabyte() -> None:
    with pytest.raises(ContainerError, match="metadata cannot be right"):
        from_fields({1: zlib.compress(bytes(MAX_BYTES + 1), wbits=-15)})
    assert from_fields({1: zlib.compress(bytes(MAX_BYTES), wbits=-15)}).exif == bytes(MAX_BYTES)
    assert not to_fields(Metadata(exif=bytes(MAX_BYTES + 1)))


def test_a_file_cut_anywhere_is_refused() -> None:
    data = write_container(replace(PLAIN, metadata=FULL))
    for end in range(len(data)):
        with pytest.raises(ContainerError):
            read_container(data[:end])
        with pytest.raises(ContainerError):  # the body may be of any length, but what is before it is not
            read_container(with_checksum(data[: min(end, len(data) - 10)]))
