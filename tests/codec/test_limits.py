"""Small files may not ask for much work, unless whoever opens them says so."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from golden.cases import FOLDER

import vqc
from vqc.codec import limits
from vqc.codec.api import compress_file, decompress_file, verify
from vqc.codec.framing import Framing
from vqc.codec.limits import check_work, restoring_seconds
from vqc.codec.open import codec_with
from vqc.errors import ContainerError, MediaError
from vqc.format.container import Container, Entropy, Header, join_streams, write_container
from vqc.format.shapes import AudioShape, ImageShape
from vqc.models.files import zoo
from vqc.models.kinds import KINDS


@pytest.fixture(autouse=True)
def _golden_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", FOLDER)


def header_of(name: str, shape: ImageShape | AudioShape, entropy: Entropy = "static") -> Header:
    info = zoo.find_by_name(name)
    digest = bytes.fromhex(info.digest)[:6]
    return Header(codec=KINDS[info.kind].wire_id, entropy=entropy, quality=info.qualities, digest=digest, shape=shape)


def framing_of(name: str) -> Framing:
    model = zoo.load_model(name).model
    return codec_with(model, bytes(6)).framing


def test_a_bomb_of_a_few_hundred_bytes_is_refused_at_once(tmp_path: Path) -> None:
    """2^28 pixels, the most that a file may have, in 256 streams of no byte: it kept a core busy for minutes."""
    header = header_of("golden-photo", ImageShape(width=1 << 14, height=1 << 14))
    bomb = write_container(Container(header=header, body=join_streams([b""] * 256)))
    assert len(bomb) == 279
    zoo.load_model("golden-photo")
    begin = time.process_time()
    for use in (vqc.decompress, verify, lambda data: decompress_file(data, tmp_path / "x.png")):
        with pytest.raises(ContainerError, match=r"279 bytes .* 16,384 x 16,384 pixels.*--limit 268435456"):
            use(bomb)
    assert time.process_time() - begin < 1
    assert not list(tmp_path.iterdir())


def test_long_silence_is_refused_in_a_small_file_only() -> None:
    day = AudioShape(samples=48_000 * 86_400, sample_rate=48_000, channels=1)
    header, framing = header_of("golden-speech", day), framing_of("golden-speech")
    with pytest.raises(ContainerError, match="1,440 minutes of 1 channel"):
        check_work(framing, header, 2000, None)
    check_work(framing, header, 2000, 10**12)
    check_work(framing, header, 1_000_000, None)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("golden-photo", ImageShape(width=6000, height=4000)),  # a camera's 24 megapixels
        ("golden-speech", AudioShape(samples=48_000 * 3600, sample_rate=48_000, channels=1)),  # an hour
    ],
)
def test_usual_sizes_are_believed(name: str, shape: ImageShape | AudioShape) -> None:
    check_work(framing_of(name), header_of(name, shape), 1000, None)


def test_a_prior_counts() -> None:
    framing = framing_of("golden-image-prior")
    shape = ImageShape(width=1000, height=1000)
    assert restoring_seconds(framing, shape, 1, prior=True) > 2 * restoring_seconds(framing, shape, 1, prior=False)


def test_more_audio_than_belongs_in_memory_is_refused() -> None:
    shape = AudioShape(samples=1 << 24, sample_rate=1_000_000, channels=9)
    header = header_of("golden-audio", shape)
    frames = -(-(1 << 24) * 16_000 // 1_000_000 // 16)
    chunks = -(-frames // 4096)
    data = write_container(Container(header=header, body=join_streams([b"\0\0"] * chunks)))
    with pytest.raises(ContainerError, match="more than should be held in memory"):
        vqc.decompress(data)


def test_compressing_has_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "flat.png", tmp_path / "flat.vqc"
    PIL.Image.fromarray(np.zeros((100, 120, 3), np.uint8)).save(source)
    with pytest.raises(MediaError, match=r"flat\.png.*limit"):
        compress_file(source, target, model="golden-image", limit=11_999)
    monkeypatch.setattr(limits, "MOST_SECONDS", 0.001)
    with pytest.raises(MediaError, match=r"flat\.png has .* bytes and claims 120 x 100 pixels.*--limit 12000"):
        compress_file(source, target, model="golden-image")
    assert not target.exists()
    compress_file(source, target, model="golden-image", limit=12_000)
    assert target.exists()
