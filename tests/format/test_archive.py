"""The bytes of an archive: what is written is read, and what is bent or cut gives the one error."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vqc.errors import ContainerError
from vqc.format.archive import (
    HEADER_BYTES,
    MAX_NAME_BYTES,
    ArchiveHeader,
    Index,
    Item,
    check_name,
    read_entries,
    read_head,
    read_header,
    read_index,
    trailer_length,
    write_header,
    write_index,
    write_items,
)
from vqc.format.shapes import AudioShape, ImageShape

HEADER = ArchiveHeader(codec=1, entropy="static", quality=3, digest=b"digest")
SMALL, WIDE = ImageShape(width=32, height=32), ImageShape(width=700, height=5, grayscale=True, alpha=True)
ITEMS = [
    Item("frog/0001.png", "frog", SMALL, b"abc"),
    Item("frog/0002.png", "frog", SMALL, b""),
    Item("łąka/żaba 蛙.png", "łąka", WIDE, b"\0" * 300),
    Item("x", "", SMALL, b"z"),
]


def entries_of(block: bytes, codec: int = 1) -> list[tuple[str, str, object, bytes]]:
    head = read_head(block)
    assert head.length == len(block)
    data = block[head.front :]
    entries = read_entries(block[: head.front], head, codec)
    assert all(entry.is_whole(data[entry.start : entry.start + entry.length]) for entry in entries)
    return [(e.name, e.label, e.shape, data[e.start : e.start + e.length]) for e in entries]


def test_what_is_written_is_read() -> None:
    assert read_header(write_header(HEADER)) == HEADER
    assert entries_of(write_items(ITEMS)) == ITEMS
    sound = Item("a", "", AudioShape(samples=5, sample_rate=16_000, channels=2, mid_side=True), b"1")
    assert entries_of(write_items([sound]), codec=2) == [sound]
    index = Index(70_000, [(300, 2), (20_500, 4096)])
    block = write_index(index)
    head = read_head(block)
    assert read_index(block[: head.front], head) == index
    assert trailer_length(block[-8:]) == len(block) - 8
    assert trailer_length(block[-9:-1]) is None


def test_numbered_names_take_little() -> None:
    """Besides its name and bytes an item takes at most four bytes: its length, its check, and what the names share."""
    items = [Item(f"frog/{n:05}.png", "frog", SMALL, bytes(90)) for n in range(256)]
    extra = len(write_items(items)) - sum(len(item.name) + len(item.data) for item in items)
    assert extra <= 4 * len(items)


@pytest.mark.parametrize("name", ["", "/x", "x/", "a//b", "../x", "a/./b", "a\0b", "\udcff.png", "x" * 1025])
def test_names_that_are_no_paths_below_a_folder_are_refused(name: str) -> None:
    with pytest.raises(ContainerError):
        check_name(name)
    assert len(check_name("ż" * (MAX_NAME_BYTES // 2))) == MAX_NAME_BYTES


@pytest.mark.parametrize("data", [write_header(HEADER), write_items(ITEMS), write_index(Index(9, [(300, 2)]))])
def test_every_cut_and_every_flipped_bit_is_found(data: bytes) -> None:
    """But for the data of the items, which their own checks cover, and the trailer."""

    def read(bent: bytes) -> None:
        if len(data) == HEADER_BYTES:
            read_header(bent)
            return
        head = read_head(bent)
        if head.kind == 1:
            read_entries(bent[: head.front], head, 1)
        else:
            read_index(bent[: head.front], head)

    read(data)
    front = len(data) if len(data) == HEADER_BYTES else read_head(data).front
    for length in range(front):
        with pytest.raises(ContainerError):
            read(data[:length])
    for bit in range(8 * front):
        bent = bytearray(data)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ContainerError):
            read(bytes(bent))


def test_a_directory_may_not_claim_more_than_it_is_worth(rng: np.random.Generator) -> None:
    """Directories of noise, their checksum mended: one error, or items within the limits."""
    from vqc.format.archive import _block

    good = write_items(ITEMS)
    head = read_head(good)
    inside = good[head.head : head.front - 4]
    for _ in range(2000):
        bent = bytearray(inside)
        for _ in range(int(rng.integers(1, 4))):
            bent[int(rng.integers(len(bent)))] = int(rng.integers(256))
        block = _block(1, bytes(bent), good[head.front :])
        head_of = read_head(block)
        try:
            entries = read_entries(block[: head_of.front], head_of, 1)
        except ContainerError:
            continue
        assert all(len(entry.name.encode()) <= MAX_NAME_BYTES for entry in entries)
        assert sum(entry.length for entry in entries) == head_of.data


def test_the_dump_on_the_page_is_an_archive() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/format.md").read_text(encoding="utf-8")
    lines = re.findall(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  .*)?$", page, re.MULTILINE)
    data = bytes.fromhex(" ".join(digits for _, digits in lines))
    header = ArchiveHeader(codec=3, entropy="static", quality=4, digest=bytes.fromhex("9f1c02d755e0"))
    shape = ImageShape(width=64, height=48)
    items = [Item(f"cat/{n}.png", "cat", shape, bytes.fromhex(code)) for n, code in ((1, "0badc0de"), (2, "00c0ffee"))]
    block = write_items(items)
    assert data == write_header(header) + block + write_index(Index(0, [(len(block), 2)]))
    starts = [int(start, 16) for start, _ in lines]
    assert starts == [sum(len(bytes.fromhex(digits)) for _, digits in lines[:n]) for n in range(len(lines))]
