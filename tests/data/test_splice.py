"""A file of pieces reads like the bytes it stands for, wherever one seeks and however much is asked for."""

from __future__ import annotations

import io
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from vqc.data.splice import ByteRange, file_size, splice

BASE = bytes(range(256)) * 3


@st.composite
def piece(draw: st.DrawFn) -> ByteRange | bytes:
    if draw(st.booleans()):
        return draw(st.binary(max_size=20))
    start = draw(st.integers(0, len(BASE)))
    return ByteRange(start, draw(st.integers(start, len(BASE))))


@settings(max_examples=200, deadline=None)
@given(st.lists(piece(), max_size=6), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), max_size=6))
def test_a_file_of_pieces_is_the_pieces_end_to_end(
    pieces: list[ByteRange | bytes], reads: list[tuple[int, int]]
) -> None:
    meant = io.BytesIO(b"".join(p if isinstance(p, bytes) else BASE[p.start : p.stop] for p in pieces))
    file = splice(io.BytesIO(BASE), pieces)
    assert file.read() == meant.getvalue()
    assert file_size(file) == len(meant.getvalue())
    for offset, count in reads:
        assert file.seek(offset) == meant.seek(offset)
        assert file.read(count) == meant.read(count)
        assert file.tell() == meant.tell()
        assert file.seek(-1, os.SEEK_CUR) == meant.seek(-1, os.SEEK_CUR) if meant.tell() else True
