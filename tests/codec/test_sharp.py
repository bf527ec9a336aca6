"""Files restored with a sharp decoder: the same files, other pixels and samples, in tiles and chunks as ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile
import torch
from tiny_priors import draw_model, draw_perceptual, draw_prior

import vqc
from vqc.codec.audio_io import Recording
from vqc.codec.open import codec_with, with_perceptual_decoder
from vqc.data.image_files import Picture
from vqc.errors import OptionError
from vqc.format import chunking, tiling
from vqc.format.container import read_container
from vqc.models.base import AudioModel, CodecModel, ImageModel
from vqc.models.files.checkpoint import save_checkpoint

DIGEST = bytes(range(32))


def complete(kind: str) -> CodecModel:
    """With a prior and a sharp decoder."""
    model = draw_model(kind)
    model.attach_prior(draw_prior(model))
    model.attach_perceptual(draw_perceptual(model))
    return model


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`both-photo` and `both-speech` have sharp decoders, `plain-photo` and `plain-speech` none."""
    folder = tmp_path / "data" / "vqc" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for kind in ("photo", "speech"):
        model = complete(kind)
        save_checkpoint(folder / f"both-{kind}.safetensors", model, name=f"both-{kind}", training={}, figures={})
        model.prior = model.perceptual = None  # without its prior it is another model to files
        save_checkpoint(folder / f"plain-{kind}.safetensors", model, name=f"plain-{kind}", training={}, figures={})
    return tmp_path


def pixels(height: int = 70, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def voice(samples: int = 14_000) -> np.ndarray:
    time = np.arange(samples) / 16_000
    return (0.4 * np.sin(900 * time) * np.sin(5 * time)).astype(np.float32)


def test_one_file_is_restored_either_way(models: Path) -> None:
    data = vqc.compress(pixels(), model="both-photo")
    own, sharp = vqc.decompress(data), vqc.decompress(data, sharp=True)
    assert own.array.shape == sharp.array.shape
    assert not np.array_equal(own.array, sharp.array)
    assert np.array_equal(vqc.decompress(data).array, own.array), "also after the other"
    data = vqc.compress(voice(), sample_rate=16_000, model="both-speech")
    own, sharp = vqc.decompress(data), vqc.decompress(data, sharp=True)
    assert own.samples.shape == sharp.samples.shape
    assert not np.array_equal(own.samples, sharp.samples)


def test_files_to_files(models: Path) -> None:
    (models / "p.vqc").write_bytes(vqc.compress(pixels(), model="both-photo"))
    (models / "s.vqc").write_bytes(vqc.compress(voice(), sample_rate=16_000, model="both-speech"))
    for sharp in (False, True):
        vqc.decompress_file(models / "p.vqc", models / f"{sharp}.png", sharp=sharp)
        vqc.decompress_file(models / "s.vqc", models / f"{sharp}.wav", sharp=sharp)
        with PIL.Image.open(models / f"{sharp}.png") as image:
            restored = np.asarray(image)
        assert np.array_equal(restored, vqc.decompress(models.joinpath("p.vqc").read_bytes(), sharp=sharp).array)
    heard = [soundfile.read(models / f"{sharp}.wav")[0] for sharp in (False, True)]
    assert not np.array_equal(*heard)


@pytest.mark.parametrize("kind", ["photo", "speech"])
def test_a_model_without_one_says_so(models: Path, kind: str) -> None:
    name = f"plain-{kind}"
    if kind == "photo":
        data = vqc.compress(pixels(), model=name)
    else:
        data = vqc.compress(voice(), sample_rate=16_000, model=name)
    with pytest.raises(OptionError, match=f"the model {name} has no sharp decoder"):
        vqc.decompress(data, sharp=True)
    with pytest.raises(OptionError, match="no sharp decoder"):
        vqc.decompress_file(data, models / "out.png" if kind == "photo" else models / "out.wav", sharp=True)
    assert not list(models.glob("out.*"))


def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "tile_core", lambda factor: 5)
    model = complete("photo")
    assert isinstance(model, ImageModel)
    codec = codec_with(model, DIGEST)
    data = codec.compress(Picture(pixels(200, 176), None), quality=2, entropy="static")
    codes = torch.from_numpy(codec.reader(read_container(data)).read_grid().astype(np.int64))[None]
    own, sharp = (
        m.decode(codes, 2)[0, :, :200].mul(255).round().clamp(0, 255) for m in (model, model.with_perceptual_decoder())
    )
    restored = with_perceptual_decoder(codec).decompress(data)
    assert isinstance(restored, Picture)
    apart = np.abs(restored.pixels - sharp.permute(1, 2, 0).numpy())
    assert apart.mean() < 0.02 * float((own - sharp).abs().mean()), "these weights reach a little beyond the halo"


def test_every_chunk_and_channel_is_restored_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "chunk_core", lambda hop: 8)
    model = complete("speech")
    assert isinstance(model, AudioModel)
    codec = codec_with(model, DIGEST)
    stereo = np.stack([voice(40_000), voice(40_000)[::-1]], 1)
    data = codec.compress(Recording([stereo], 16_000), quality=2)
    own, sharp = (np.concatenate(list(one.decompress(data))) for one in (codec, with_perceptual_decoder(codec)))  # type: ignore[arg-type]
    assert own.shape == sharp.shape == stereo.shape
    apart = np.abs(own - sharp).reshape(-1, 4_000, 2).max(1)
    assert apart.min() > 0, "quarters of a second, three chunks"
