"""Tiny models that need no training: every step of a codec shows in what they give back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from tiny_priors import draw_model
from torch import Tensor
from torch.nn import functional as F

from vqc import processors
from vqc.entropy.tables import frequencies_from_counts
from vqc.models.base import AudioModel, ImageModel, Int64Array
from vqc.models.files.checkpoint import save_checkpoint


class TinyImageModel(ImageModel):
    """Blurs, then codes the mean colour of 4x4 blocks, one group each for red, green and blue; decoding blurs again.

    At quality 2 a fourth group with a single code does nothing. Symbols are differences along rows.
    """

    kind, config = "image-vqvae", None
    downsampling_factor = 4
    halo = 8

    def __init__(self) -> None:
        super().__init__()
        self.register_static_table()
        counts = np.full((4, 64), 1, np.int64)
        counts[:, :3] = counts[:, 62:] = 100  # small differences are likely
        tables = [
            frequencies_from_counts(counts * (np.arange(64) < np.array([[16], [16], [16], [1]])), [16, 16, 16, 1]),
            frequencies_from_counts(counts, [64, 64, 64, 1]),
        ]
        tables[0][3] = 0
        self.set_static_table(np.stack(tables))

    @property
    def qualities(self) -> int:
        return 2

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (16, 16, 16) if quality == 1 else (64, 64, 64, 1)

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        return np.diff(codes, axis=-1, prepend=0) % self._moduli(codes)

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        return np.cumsum(symbols, axis=-1) % self._moduli(symbols)

    @staticmethod
    def _moduli(codes: Int64Array) -> Int64Array:
        return np.array([16, 16, 16] if len(codes) == 3 else [64, 64, 64, 1]).reshape(-1, 1, 1)

    def encode(self, image: Tensor, quality: int) -> Tensor:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1
        levels = self.codebook_sizes(quality)[0]
        codes = (F.avg_pool2d(_blur(image), 4) * (levels - 1) + 0.4567).floor().long().clamp(0, levels - 1)
        return codes if quality == 1 else torch.cat([codes, torch.zeros_like(codes[:, :1])], 1)

    def decode(self, codes: Tensor, quality: int) -> Tensor:
        assert codes.dtype == torch.int64
        colours = codes[:, :3].float() / (self.codebook_sizes(quality)[0] - 1)
        return _blur(F.interpolate(colours, scale_factor=4, mode="nearest"))


class TinyAudioModel(AudioModel):
    """A frame is 8 samples, each coded by itself in 256 steps after and before a smoothing over 3 samples.

    Decoding adds a wave of amplitude 0.01 that is a function of the position in the file.
    """

    kind, config = "audio-vqvae", None
    sample_rate = 8000
    hop_length = 8
    halo = 12

    def __init__(self) -> None:
        super().__init__()
        self.register_static_table()
        near_zero = np.exp(-np.abs(np.arange(256) - 127.5) / 20)
        counts = np.broadcast_to((near_zero * 10_000).astype(np.int64), (1, 8, 256))
        self.set_static_table(frequencies_from_counts(counts))

    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        return (256,) * 8

    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        assert not self.training
        assert waveform.dim() == 2
        assert waveform.dtype == torch.float32
        assert waveform.abs().max() <= 1
        smooth = F.avg_pool1d(waveform, 3, 1, 1, count_include_pad=True)
        codes = (smooth * 127.5 + 127.5 + 0.4567).floor().long().clamp(0, 255)
        return codes.unflatten(1, (-1, 8)).transpose(1, 2)

    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        samples = (codes.transpose(1, 2).flatten(1).float() - 127.5) / 127.5
        positions = torch.arange(samples.shape[1], dtype=torch.float64) + first_frame * 8
        return F.avg_pool1d(samples, 3, 1, 1) + 0.01 * torch.sin(positions * 0.7).float()


def _blur(image: Tensor) -> Tensor:
    return F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)


@pytest.fixture(scope="session")
def image_model() -> ImageModel:
    return TinyImageModel()


@pytest.fixture(scope="session")
def audio_model() -> AudioModel:
    return TinyAudioModel()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests write need not outlast a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(soundfile.SoundFile, "flush", lambda file: None)


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that are run inside a test set threads for their process, which is that of all tests."""
    monkeypatch.setattr(processors, "_chosen", None)
    environment, threads = dict(os.environ), torch.get_num_threads()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    for name in (*processors.COUNTS, *processors.WAITING):
        os.environ.pop(name, None)
        os.environ.update({name: environment[name]} if name in environment else {})


@pytest.fixture(scope="session")
def _small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vqc.models.files.checkpoint import save_checkpoint
    from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig
    from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig

    folder = tmp_path_factory.mktemp("data")
    models = folder / "vqc" / "models"
    models.mkdir(parents=True)
    shared = {"residual_layers": 1, "residual_width": 4, "codebook_size": 16, "codebook_dim": 4}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        image = ImageVQVAE(ImageVQVAEConfig(widths=(8, 8), strides=(2, 2), **shared))
        audio = AudioVQVAE(AudioVQVAEConfig(sample_rate=8000, widths=(8, 8), strides=(4, 4), **shared))
    for name, model in {"tiny-image": image, "tiny-audio": audio}.items():
        save_checkpoint(models / f"{name}.safetensors", model, name=name, training={}, figures={})
    return folder


@pytest.fixture
def small_models(_small_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models `tiny-image` and `tiny-audio` (untrained) are in the user's model folder, which this returns."""
    monkeypatch.setenv("XDG_DATA_HOME", str(_small_models))
    return _small_models / "vqc" / "models"


@pytest.fixture(scope="session")
def _models_with_priors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_priors import draw_model, draw_prior

    from vqc.models.files.checkpoint import save_checkpoint

    folder = tmp_path_factory.mktemp("priors")
    for kind in ("photo", "speech"):
        model = draw_model(kind)
        model.attach_prior(draw_prior(model))
        save_checkpoint(folder / f"tiny-{kind}.safetensors", model, name=f"tiny-{kind}", training={}, figures={})
    return folder


@pytest.fixture
def models_with_priors(_models_with_priors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models `tiny-photo` and `tiny-speech`, which have priors, are in the user's model folder, and no others."""
    folder = tmp_path / "data" / "vqc" / "models"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(_models_with_priors)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return folder


@pytest.fixture
def training_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder with eight `pictures` and eight `talks`; models and caches lie below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for folder in ("pictures", "talks"):
        Path(folder).mkdir()
    for i in range(8):
        colours = generator.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(colours.repeat(8, 0).repeat(8, 1)).save(f"pictures/{i}.png")
        soundfile.write(f"talks/{i}.wav", 0.3 * np.sin(np.arange(4000) * generator.uniform(0.02, 0.3)), 16_000)
    return tmp_path


@pytest.fixture
def photo_codec(training_media: Path) -> Path:
    """A tiny photo model of random weights, as a file with a history."""
    path = training_media / "codec.safetensors"
    described = {"name": "tiny", "training": {"steps": 7}, "figures": {"quality_1": {"bpp": 1.5}}}
    save_checkpoint(path, draw_model("photo"), weights="float16", **described)
    for i in range(8):  # of one size with the codes of several blocks
        Image.open(f"pictures/{i}.png").resize((96, 64)).save(f"pictures/{i}.png")
    return path


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, emptied afterwards."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]
