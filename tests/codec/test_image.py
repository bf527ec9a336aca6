"""Pictures of any size and sort come back with the same size and sort, and hostile files do not hurt."""

from __future__ import annotations

import contextlib
import lzma
import tracemalloc
import zlib

import numpy as np
import pytest
import torch

from vqc.codec.codec import Codec
from vqc.codec.open import codec_with
from vqc.data.image_files import Picture
from vqc.entropy.tables import ideal_bits
from vqc.errors import ContainerError, MediaError, ModelNotFoundError, OptionError, VQCError
from vqc.format.alpha import _FILTERS, decode_alpha, encode_alpha
from vqc.format.container import Container, read_container, split_streams, write_container
from vqc.format.shapes import ImageShape
from vqc.models.base import ImageModel

DIGEST = bytes(range(32))


@pytest.fixture
def codec(image_model: ImageModel) -> Codec:
    return codec_with(image_model, DIGEST, "tiny")


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([3 * x % 256, 2 * y % 256, (x + y) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (4, 4), (33, 65), (64, 48)])
@pytest.mark.parametrize("grayscale", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_every_size_and_sort_comes_back(
    codec: Codec, size: tuple[int, int], grayscale: bool, alpha: bool, rng: np.random.Generator
) -> None:
    pixels = np.full(size if grayscale else (*size, 3), 100, np.uint8)
    if not grayscale:
        pixels[:] = 40, 130, 220
    plane = rng.integers(0, 256, size, dtype=np.uint8) if alpha else None
    restored = codec.decompress(codec.compress(Picture(pixels, plane), quality=2))
    assert restored.pixels.shape == pixels.shape
    assert restored.pixels.dtype == np.uint8
    assert np.abs(restored.pixels.astype(int) - pixels).max() <= 3  # 64 steps of 4 levels
    assert (restored.alpha is None) == (not alpha)
    if alpha:
        assert np.array_equal(restored.alpha, plane)


def test_quality_and_entropy_decide_the_bytes(codec: Codec) -> None:
    picture = Picture(gradient(64, 96))
    sizes = {(q, e): len(codec.compress(picture, quality=q, entropy=e)) for q in (1, 2) for e in ("none", "static")}
    assert sizes[1, "none"] < sizes[2, "none"]
    pixels = {q: codec.decompress(codec.compress(picture, quality=q)).pixels.astype(int) for q in (1, 2)}
    errors = {q: np.mean((pixels[q] - picture.pixels) ** 2) for q in (1, 2)}
    assert errors[2] < errors[1]
    for q in (1, 2):
        both = {e: codec.decompress(codec.compress(picture, quality=q, entropy=e)).pixels for e in ("none", "static")}
        assert np.array_equal(both["none"], both["static"])
        assert len(codec.compress(picture, quality=q)) == min(sizes[q, "none"], sizes[q, "static"])


def test_auto_takes_plain_bits_when_the_tables_do_not_fit(codec: Codec, rng: np.random.Generator) -> None:
    def entropy_of(pixels: np.ndarray) -> str:
        return read_container(codec.compress(Picture(pixels), quality=2)).header.entropy

    assert entropy_of(np.full((64, 64, 3), 99, np.uint8)) == "static"
    blocks = rng.integers(0, 2, (32, 32, 3), dtype=np.uint8) * 90 + 80  # large differences between neighbours
    assert entropy_of(blocks.repeat(4, 0).repeat(4, 1)) == "none"


def test_bytes_are_the_information_and_a_small_header(codec: Codec, image_model: ImageModel) -> None:
    picture = Picture(gradient(256, 256))
    data = codec.compress(picture, quality=2, entropy="static")
    codes = codec.reader(read_container(data)).read_grid().astype(np.int64)
    symbols = image_model.to_symbols(codes).reshape(len(codes), -1)
    ideal = ideal_bits(symbols, image_model.static_frequencies(2)) / 8
    assert ideal < len(data) <= ideal * 1.001 + 24 + 1


def test_pixels_are_rounded_and_clamped(codec: Codec) -> None:
    for level in (0, 255):
        picture = Picture(np.full((8, 8), level, np.uint8))
        assert (codec.decompress(codec.compress(picture)).pixels == level).all()


def test_progress_ends_at_one(codec: Codec) -> None:
    shares: list[float] = []
    data = codec.compress(Picture(gradient(1100, 16)), progress=shares.append)
    assert shares == [pytest.approx(1024 / 1100), 0.99, 1.0]  # without a prior, the tiles by their size
    codec.decompress(data, progress=shares.append)
    assert shares[3:] == [pytest.approx(3 / 4), pytest.approx(0.995), 1.0]  # half is for reading codes


@pytest.mark.parametrize("quality", [0, 3, -1, True, 2.5])
def test_a_quality_the_model_lacks(codec: Codec, quality: int) -> None:
    with pytest.raises(OptionError, match="tiny are 1 to 2"):
        codec.compress(Picture(gradient(8, 8)), quality=quality)


@pytest.mark.parametrize(("entropy", "words"), [("prior", "tiny has no learned prior"), ("zip", "no such mode")])
def test_an_entropy_mode_there_is_not(codec: Codec, entropy: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        codec.compress(Picture(gradient(8, 8)), entropy=entropy)


def test_an_image_without_pixels(codec: Codec) -> None:
    with pytest.raises(MediaError, match="0 x 5 pixels"):
        codec.compress(Picture(np.zeros((5, 0, 3), np.uint8)))


def test_a_file_of_another_model_names_both(codec: Codec, image_model: ImageModel) -> None:
    data = codec_with(image_model, bytes(32)).compress(Picture(gradient(8, 8)))
    with pytest.raises(ModelNotFoundError, match=r"000000000000.*tiny.*000102030405"):
        codec.decompress(data)


def test_every_cut_and_every_flipped_bit_is_noticed(codec: Codec) -> None:
    data = codec.compress(Picture(gradient(20, 20), gradient(20, 20)[..., 0].copy()))
    broken = [data[:length] for length in range(len(data))] + [data + b"\0"]
    broken += [data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :] for i in range(len(data)) for bit in range(8)]
    for rubbish in broken:
        with pytest.raises(ContainerError):
            codec.decompress(rubbish)


def test_a_correct_checksum_does_not_make_rubbish_good(codec: Codec, rng: np.random.Generator) -> None:
    """Whatever stands in the file: the right size, or one of our errors."""
    picture = Picture(gradient(20, 20), gradient(20, 20)[..., 0].copy())
    for entropy in ("static", "none"):
        content = bytearray(codec.compress(picture, entropy=entropy)[:-4])
        for _ in range(300):
            rubbish = content.copy()
            for position in rng.integers(4, len(content), 2):
                rubbish[position] = rng.integers(256)
            data = bytes(rubbish) + zlib.crc32(rubbish).to_bytes(4, "little")
            try:
                restored = codec.decompress(data, limit=10_000)
            except VQCError:
                continue
            shape = read_container(data).header.shape
            assert isinstance(shape, ImageShape)
            assert restored.pixels.shape[:2] == (shape.height, shape.width)


def test_an_implausible_size_is_refused_and_the_limit_can_be_moved(codec: Codec) -> None:
    data = codec.compress(Picture(gradient(20, 30)))
    with pytest.raises(ContainerError, match="over the limit of 599"):
        codec.decompress(data, limit=599)
    codec.decompress(data, limit=600)
    container = read_container(data)
    claims = ImageShape(width=2**16, height=2**16)
    header = type(container.header)(**{**vars(container.header), "shape": claims})
    huge = write_container(Container(header=header, body=container.body))
    with pytest.raises(ContainerError, match="over the limit"):
        codec.decompress(huge)
    with pytest.raises(ContainerError, match="no room for its 4,096 streams"):
        codec.decompress(huge, limit=2**40)


def test_one_tile_is_one_stream_and_the_whole_body(codec: Codec) -> None:
    container = read_container(codec.compress(Picture(gradient(1024, 8)), entropy="none"))
    assert len(container.body) == 256 * 2 * 3 // 2
    container = read_container(codec.compress(Picture(gradient(1025, 8)), entropy="none"))
    assert [len(stream) for stream in split_streams(container.body, 2)] == [256 * 2 * 3 // 2, 2 * 3 // 2]


# Alpha


def planes(rng: np.random.Generator) -> dict[str, np.ndarray]:
    y, x = np.mgrid[0:50, 0:61]
    disc = (x - 30) ** 2 + (y - 25) ** 2
    return {
        "opaque": np.full((50, 61), 255, np.uint8),
        "half": np.full((50, 61), 128, np.uint8),
        "two values": np.where(disc < 300, 255, 0).astype(np.uint8),
        "edge": np.clip(300 - disc, 0, 255).astype(np.uint8),
        "gradient": (4 * x).astype(np.uint8),
        "soft": np.clip(disc // 4, 0, 255).astype(np.uint8),
        "noise": rng.integers(0, 256, (50, 61), dtype=np.uint8),
        "a pixel": np.full((1, 1), 7, np.uint8),
        "a row": np.arange(200, dtype=np.uint8)[None],
        "a column": np.arange(200, dtype=np.uint8)[:, None],
    }


def test_alpha_is_lossless_and_compact(rng: np.random.Generator) -> None:
    for name, plane in planes(rng).items():
        section = encode_alpha(plane)
        assert np.array_equal(decode_alpha(section, *plane.shape), plane), name
        assert len(section) <= plane.size + 8, name
    sizes = {name: len(encode_alpha(plane)) for name, plane in planes(rng).items()}
    assert sizes["opaque"] == sizes["half"] == 2
    assert sizes["two values"] < 150
    assert sizes["gradient"] < 40
    assert sizes["soft"] < 700


def test_each_way_of_alpha_is_used(rng: np.random.Generator) -> None:
    assert {encode_alpha(plane)[0] for plane in planes(rng).values()} >= {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("method", [1, 5])
def test_a_bomb_in_alpha_is_not_unpacked(method: int) -> None:
    bomb = bytes([method]) + lzma.compress(bytes(10_000_000), format=lzma.FORMAT_RAW, filters=_FILTERS)
    assert len(bomb) < 5_000
    tracemalloc.start()
    try:
        with pytest.raises(ContainerError, match="alpha"):
            decode_alpha(bomb, 30, 40)
        assert tracemalloc.get_traced_memory()[1] < (1 << 22) + 1_000_000  # the dictionary, and little more
    finally:
        tracemalloc.stop()


def test_rubbish_in_alpha_gives_the_one_error(rng: np.random.Generator) -> None:
    for plane in planes(rng).values():
        section = encode_alpha(plane)
        wrong = [section[:length] for length in range(len(section))]
        wrong += [section + b"\0", b"\x06" + section[1:], b"\xff" + section[1:]]
        for rubbish in wrong:
            with pytest.raises(ContainerError):
                decode_alpha(rubbish, *plane.shape)
        for _ in range(20):
            flipped = bytearray(section)
            flipped[rng.integers(len(section))] ^= 1 << rng.integers(8)
            with contextlib.suppress(ContainerError):
                assert decode_alpha(bytes(flipped), *plane.shape).shape == plane.shape


def test_tiles_at_once_are_those_one_after_the_other(codec: Codec, rng: np.random.Generator) -> None:
    picture = Picture(rng.integers(0, 256, (40, 2100, 3), dtype=np.uint8))
    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            data = codec.compress(picture, quality=2)
            made.append((data, codec.decompress(data).pixels.tobytes()))
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]
