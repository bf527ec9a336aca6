"""Damage to whole files, through the front door: one error, quickly, and never anything else.

The files are the golden ones, which are small and of every kind.
"""

from __future__ import annotations

import time
import tracemalloc
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from golden.cases import CASES, FOLDER

import vqc
from vqc.errors import ContainerError
from vqc.format.container import read_container
from vqc.format.shapes import AudioShape, ImageShape
from vqc.models.files import zoo

CHECKSUM = 4  # bytes at the end
TRIES = 6  # of each file; `scripts/fuzz` tries as many as it is given time for
FILES = sorted(path.name for path in FOLDER.glob("*.vqc"))
SMALL = [name for name in FILES if "two-" not in name]

each_small_file = pytest.mark.parametrize("name", SMALL)


@pytest.fixture(autouse=True)
def _golden_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", FOLDER)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def flipped(data: bytes, bit: int) -> bytes:
    position = bit // 8
    return data[:position] + bytes([data[position] ^ 1 << bit % 8]) + data[position + 1 :]


def with_right_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(CHECKSUM, "little")


def check_result(result: vqc.Image | vqc.Audio, data: bytes) -> None:
    """What comes out is what the header promises, and numbers."""
    shape = read_container(data).header.shape
    if isinstance(result, vqc.Image):
        assert isinstance(shape, ImageShape)
        assert result.array.shape[:2] == (shape.height, shape.width)
    else:
        assert isinstance(shape, AudioShape)
        assert result.samples.shape == (shape.samples, shape.channels)
        assert np.isfinite(result.samples).all()


def test_there_are_files() -> None:
    assert len(SMALL) >= len(FILES) - 4 >= len(CASES)
    assert {name.split(".")[1] for name in SMALL} == {"none", "static", "prior"}


@pytest.mark.parametrize("name", FILES)
def test_truncations_and_flipped_bits_give_the_one_error(name: str) -> None:
    """Each of them, and each seventh of a file that is not small."""
    data = FOLDER.joinpath(name).read_bytes()
    check_result(vqc.decompress(data), data)
    step = 1 if len(data) < 1000 else 7
    cut = (data[:length] for length in range(0, len(data), step))
    bent = (flipped(data, bit) for bit in range(0, 8 * len(data), step))
    begin = time.process_time()
    for rubbish in chain(cut, bent, [data + b"\0", data + data, b"\0" + data]):
        with pytest.raises(ContainerError):
            vqc.decompress(rubbish)
    assert time.process_time() - begin < 0.001 * 9 * len(data)  # nothing was decoded, no model looked for


@each_small_file
def test_a_flipped_bit_of_the_codes_under_a_right_checksum(name: str, rng: np.random.Generator) -> None:
    data = FOLDER.joinpath(name).read_bytes()
    container = read_container(data)
    last = len(data) - CHECKSUM
    first = last - len(container.body) - len(container.alpha or b"")
    for bit in rng.permutation(np.arange(8 * first, 8 * last))[:TRIES].tolist():
        rubbish = with_right_checksum(flipped(data, bit)[:last])
        try:
            check_result(vqc.decompress(rubbish), rubbish)
        except ContainerError:
            continue


@each_small_file
def test_a_wrong_shape_under_a_right_checksum(name: str, rng: np.random.Generator) -> None:
    """Sizes, flags, rates, channels, quality, entropy mode: anything but the digest, which is another model's."""
    data = FOLDER.joinpath(name).read_bytes()
    digest = data.index(read_container(data).header.digest)
    places = [p for p in range(4, 22) if not digest <= p < digest + 6]
    for _ in range(TRIES):
        content = bytearray(data[:-CHECKSUM])
        for place in rng.choice(places, 2):
            content[place] = rng.integers(256)
        rubbish = with_right_checksum(bytes(content))
        try:
            check_result(vqc.decompress(rubbish, limit=100_000), rubbish)
        except ContainerError:
            continue


@pytest.mark.parametrize("name", ["image-colour.static.vqc", "audio-mono.static.vqc"])
def test_a_huge_claim_is_refused_before_memory_is_asked_for(name: str) -> None:
    """A file of a few bytes that claims 2^28 (the limit of images), 2^42 or 2^56 pixels or samples."""
    data = FOLDER.joinpath(name).read_bytes()
    shape_at = data.index(read_container(data).header.digest) + 6
    rest = b"\1" if "image" in name else b"\4\1"  # height; sample rate and channels
    tracemalloc.start()
    try:
        for groups_of_seven_bits in (4, 6, 8):
            number = b"\x80" * groups_of_seven_bits + b"\1"
            rubbish = with_right_checksum(data[:shape_at] + number + rest + data[-20:-CHECKSUM])
            with pytest.raises(ContainerError, match=r"over the limit|no room|minutes of work"):
                vqc.decompress(rubbish)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
