"""Where the bits go: what is explained is what is in the file, by kind, by place and with every entropy mode."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_priors import draw_model, draw_prior

from vqc.codec.audio_io import Recording
from vqc.codec.codec import Codec
from vqc.codec.codes import codes_in, container_of
from vqc.codec.files import compress_file
from vqc.codec.inspect.explain import AudioBits, Explanation, bytes_by_mode, explanation_of
from vqc.codec.open import codec_with
from vqc.codec.prior_coding import CHECK_BYTES
from vqc.data.image_files import Picture
from vqc.drawing.heat_map import draw_heat_map, heat_map_path, is_heat_map
from vqc.errors import ContainerError, OutputError
from vqc.format.container import Entropy, read_container, split_streams, write_container
from vqc.models.base import AudioModel, ImageModel
from vqc.models.files.checkpoint import save_checkpoint

DIGEST = bytes(32)
MODES: tuple[Entropy, ...] = ("prior", "static", "none")
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def photo() -> Codec:
    model = draw_model("photo")
    model.attach_prior(draw_prior(model))
    assert isinstance(model, ImageModel)
    return codec_with(model, DIGEST)


@pytest.fixture(scope="module")
def speech() -> Codec:
    model = draw_model("speech")
    model.attach_prior(draw_prior(model))
    assert isinstance(model, AudioModel)
    return codec_with(model, DIGEST)


def noise(height: int, width: int) -> Picture:
    return Picture(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def waves(samples: int, channels: int) -> np.ndarray:
    """Noise that swells."""
    rng = np.random.default_rng(0)
    swell = np.linspace(0.01, 0.3, samples, dtype=np.float32)[:, None]
    return (rng.normal(size=(samples, channels)).astype(np.float32) * swell).clip(-1, 1)


def explained(codec: Codec, data: bytes) -> Explanation:
    return explanation_of(codec, read_container(data), len(data))


def check_sums(code_bits: float, mode: Entropy, body: bytes, streams: int, silence: int = 0) -> None:
    """The bits of the codes are the bytes of the streams, up to what the coder loses."""
    parts = split_streams(body, streams)
    least = sum(8 * (len(part) - silence - CHECK_BYTES * (mode == "prior")) for part in parts)
    if mode == "none":
        assert least - 8 * streams < code_bits <= least
    else:
        # a stream that happens to end in zeros is a byte shorter
        assert 0.9999 * code_bits - 8 * streams <= least <= 1.001 * code_bits + 8 * streams


@each_mode
@pytest.mark.parametrize(("size", "tiles"), [((100, 70), 1), ((1040, 20), 2)])
def test_bits_of_an_image_are_those_of_its_streams(
    photo: Codec, mode: Entropy, size: tuple[int, int], tiles: int
) -> None:
    data = photo.compress(noise(*size), quality=2, entropy=mode)
    explanation = explained(photo, data)
    check_sums(explanation.code_bits, mode, read_container(data).body, tiles)
    assert explanation.entropy == mode
    assert explanation.bytes == len(data)
    assert explanation.code_bits + explanation.other_bits == pytest.approx(8 * len(data))
    where = explanation.image
    assert where.blocks.shape == (-(-size[0] // 16), -(-size[1] // 16))
    assert where.blocks.sum() == pytest.approx(explanation.code_bits)
    assert where.per_pixel.max() == pytest.approx(where.blocks.max() / 256)
    assert [(kind.label, kind.codes) for kind in explanation.kinds] == [
        ("mean colours", 3 * where.blocks.size),
        ("detail 1-3 (1 dim)", 3 * where.blocks.size),
        ("detail 4-5 (2 dims)", 2 * where.blocks.size),
    ]


@each_mode
def test_bits_of_audio_are_those_of_its_streams(speech: Codec, mode: Entropy) -> None:
    waveform = waves(340_000, 3)  # two chunks
    waveform[:, 1] = 0
    data = speech.compress(Recording([waveform], 16_000), quality=2, entropy=mode)
    explanation = explained(speech, data)
    check_sums(explanation.code_bits, mode, read_container(data).body, 2, silence=1)
    where = explanation.audio
    assert where.seconds.shape == (22,)
    assert where.seconds.sum() == pytest.approx(explanation.code_bits)
    frames = -(-340_000 // 1280)
    groups = {"pitch": 4, "envelope": 4, "waveform": 16}
    assert {kind.label: kind.codes for kind in explanation.kinds} == {
        label: 2 * count * frames for label, count in groups.items()
    }


def test_a_kind_costs_what_its_tables_say(photo: Codec) -> None:
    data = photo.compress(noise(90, 80), quality=3, entropy="static")
    codes = photo.reader(read_container(data)).read_grid().astype(np.int64)
    symbols, tables = photo.model.to_symbols(codes).reshape(len(codes), -1), photo.model.static_frequencies(3)
    bits = [float(np.sum(16 - np.log2(table[row]))) for row, table in zip(symbols, tables, strict=True)]
    expected = [sum(bits[:3]), sum(bits[3:6]), sum(bits[6:])]
    assert [kind.bits for kind in explained(photo, data).kinds] == pytest.approx(expected)


def test_each_place_costs_what_its_codes_do(image_model: ImageModel) -> None:
    """Gray on the left, noise on the right: with tables for small differences the noise is dear."""
    codec = codec_with(image_model, DIGEST)
    picture = Picture(np.full((64, 128, 3), 99, np.uint8))
    picture.pixels[:, 64:] = noise(16, 16).pixels.repeat(4, 0).repeat(4, 1)
    where = explained(codec, codec.compress(picture, quality=2, entropy="static")).image
    assert where.blocks.shape == (16, 32)
    assert where.blocks[:, 17:].min() > where.blocks[:, 1:15].max()
    plain = explained(codec, codec.compress(picture, quality=2, entropy="none")).image
    assert (plain.blocks == 18).all()  # three codes of 6 bits, and one group with a single code


def test_sound_is_dear_where_it_is(audio_model: AudioModel) -> None:
    codec = codec_with(audio_model, DIGEST)
    waveform = waves(8_000 * 3 + 5, 1)
    waveform[8_000:16_000] = 0
    seconds = explained(codec, codec.compress(Recording([waveform], 8_000), entropy="static")).audio
    first, silent, last, rest = seconds.seconds
    assert silent < min(first, last)
    assert 0 < rest < last


def test_a_second_that_ends_within_a_frame_is_shared(speech: Codec) -> None:
    """Frames of 80 ms: the thirteenth lies half in the first second and half in the second."""
    data = speech.compress(Recording([waves(32_000, 1)], 16_000), quality=2, entropy="none")
    where = explained(speech, data).audio
    assert where.seconds == pytest.approx([where.seconds.sum() / 2] * 2)


@pytest.mark.parametrize(
    ("seconds", "width", "bars"),
    [(1, 1, 1), (60, 1, 60), (61, 2, 31), (601, 20, 31), (3600, 60, 60), (86_400, 1800, 48), (800_000, 14_400, 56)],
)
def test_bars_fit_whatever_the_length(seconds: int, width: int, bars: int) -> None:
    bits = np.arange(seconds, dtype=np.float64)
    each, heights = AudioBits(seconds=bits).bars(60)
    assert (each, len(heights)) == (width, bars)
    assert heights.sum() == bits.sum()
    assert heights[0] == bits[:width].sum()


def test_bytes_with_each_mode_are_those_of_such_a_file(photo: Codec, speech: Codec) -> None:
    picture, waveform = noise(1040, 40), waves(340_000, 2)
    for codec, data in (
        (photo, photo.compress(picture, quality=2)),
        (speech, speech.compress(Recording([waveform], 16_000), quality=1)),
    ):
        codes = codes_in(codec, read_container(data))
        files = {mode: write_container(container_of(codec, codes, mode)) for mode in MODES}
        assert files["prior"] == data
        for file in files.values():
            lengths = bytes_by_mode(codec, read_container(file))
            assert lengths == {mode: len(made) for mode, made in files.items()}


def test_a_mode_that_the_model_lacks_has_no_bytes(image_model: ImageModel) -> None:
    codec = codec_with(image_model, DIGEST)
    lengths = bytes_by_mode(codec, read_container(codec.compress(noise(20, 20))))
    assert lengths["prior"] is None
    assert lengths["static"] is not None


def test_damaged_codes_are_not_explained(photo: Codec) -> None:
    container = read_container(photo.compress(noise(40, 40), entropy="static"))
    broken = type(container)(header=container.header, body=container.body + b"\1")
    with pytest.raises(ContainerError):
        bytes_by_mode(photo, broken)


def test_transparency_is_no_code(image_model: ImageModel) -> None:
    codec, plain = codec_with(image_model, DIGEST), noise(20, 30)
    glass = Picture(plain.pixels, plain.pixels[..., 0].copy())
    without, with_alpha = (explained(codec, codec.compress(p, entropy="static")) for p in (plain, glass))
    assert with_alpha.alpha_bytes > 500
    assert with_alpha.code_bits == without.code_bits
    assert with_alpha.other_bits == pytest.approx(without.other_bits + 16)  # the length of alpha


# The map


def test_a_map_has_the_pixels_of_the_image_and_a_bar_below() -> None:
    bits = np.arange(12, dtype=np.float64).reshape(3, 4)
    with Image.open(io.BytesIO(draw_heat_map(bits, 16, 40, 200))) as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB")).astype(int)
    assert colours.shape[1] == 200
    assert 50 < colours.shape[0] < 70
    assert colours[0, 0].tolist() == [68, 1, 84]
    bright = draw_heat_map(bits, 16, 48, 64)
    with Image.open(io.BytesIO(bright)) as image:
        colours = np.asarray(image.convert("RGB")).astype(int)
    blocks = colours[:48].reshape(3, 16, 4, 16, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    lightness = blocks[:, 0, :, 0].sum(-1).ravel()
    assert (np.diff(lightness) > 0).all()
    assert blocks[2, 0, 3, 0].tolist() == [253, 231, 37]
    bar = colours[48 + 10]
    assert bar[0].tolist() == [68, 1, 84]
    assert bar[-1].tolist() == [253, 231, 37]


def test_the_image_stands_below_its_map_under_a_title() -> None:
    bits = np.arange(1, 13, dtype=np.float64).reshape(3, 4)
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), np.uint8)
    with Image.open(io.BytesIO(draw_heat_map(bits, 64, 192, 256, title="Where the bytes go", pixels=pixels))) as image:
        drawn = np.asarray(image)
    assert drawn.shape == (192 + 192 + 2 * 20, 256, 3)  # title and bar are two lines of 10 pixels each
    assert np.array_equal(drawn[-192:], pixels)
    assert set(np.unique(drawn[:20])) == {0, 255}  # ink on paper
    gray = draw_heat_map(bits, 64, 192, 256, pixels=pixels[..., 0])
    with Image.open(io.BytesIO(gray)) as image:
        assert np.array_equal(np.asarray(image)[-192:, :, 1], pixels[..., 0])


def test_large_images_are_drawn_smaller() -> None:
    pixels = np.full((16, 5000, 3), 77, np.uint8)
    with Image.open(io.BytesIO(draw_heat_map(np.ones((1, 313)), 16, 16, 5000, pixels=pixels))) as image:
        assert image.width == 5000 // 3 + 1
        assert np.asarray(image)[-1].tolist() == [[77, 77, 77]] * image.width


def test_one_dear_block_does_not_darken_the_rest() -> None:
    bits = np.ones((30, 30))
    bits[7, 9] = 1000
    with Image.open(io.BytesIO(draw_heat_map(bits, 4, 120, 120))) as image:
        assert len(set(np.asarray(image)[:120, :120].ravel().tolist())) == 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 900), (900, 3)])
def test_maps_of_any_size(height: int, width: int) -> None:
    blocks = np.zeros((-(-height // 4), -(-width // 4)))
    with Image.open(io.BytesIO(draw_heat_map(blocks, 4, height, width))) as image:
        image.load()
        assert image.width == width
        assert image.height > height


def test_maps_are_known_by_a_mark(tmp_path: Path) -> None:
    path = heat_map_path(tmp_path / "a.vqc")
    assert path == tmp_path / "a.bits.png"
    assert not is_heat_map(path)
    path.write_bytes(draw_heat_map(np.ones((2, 2)), 4, 8, 8))
    assert is_heat_map(path)
    path.rename(tmp_path / "a.png")
    assert not is_heat_map(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(path)
    assert not is_heat_map(path)
    assert heat_map_path(tmp_path / "b.bin") == tmp_path / "b.bin.bits.png"
    assert heat_map_path(os.devnull) is None


# Files


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    model = draw_model("photo")
    model.attach_prior(draw_prior(model))
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, model, name="tiny", training={}, figures={})
    return path


def test_a_file_and_its_map_come_together_or_not_at_all(model_file: Path, tmp_path: Path) -> None:
    source, target, drawn = tmp_path / "a.png", tmp_path / "a.vqc", tmp_path / "a.bits.png"
    Image.fromarray(noise(40, 50).pixels).save(source)
    drawn.write_text("precious")
    with pytest.raises(OutputError, match=r"a\.bits\.png: this file exists"):
        compress_file(source, target, model=model_file, explain=True)
    assert drawn.read_text() == "precious"
    assert not target.exists()
    report = compress_file(source, target, model=model_file, explain=True, overwrite=True)
    assert report.heat_map == drawn
    assert is_heat_map(drawn)
    assert report.explanation is not None
    assert report.explanation.bytes == target.stat().st_size
    assert report.explanation.entropy == report.entropy
    target.unlink()
    drawn.unlink()
    drawn.mkdir()
    with pytest.raises(OutputError, match="a folder has this name"):
        compress_file(source, target, model=model_file, explain=True, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bits.png", "a.png", "tiny.safetensors"]


def test_only_what_is_explained_has_a_map(model_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.fromarray(noise(40, 50).pixels).save(source)
    report = compress_file(source, tmp_path / "a.vqc", model=model_file)
    assert (report.explanation, report.heat_map) == (None, None)
    assert not (tmp_path / "a.bits.png").exists()
