"""The paper models: shapes that divide exactly, halos that suffice, tables and counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import vqc
from vqc.models.base import uniform_frequencies
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig


@pytest.fixture
def image_model() -> ImageVQVAE:
    torch.manual_seed(0)
    config = ImageVQVAEConfig(widths=(6, 8), residual_width=5, codebook_size=16, codebook_dim=4)
    model = ImageVQVAE(config).eval()
    latents = model.latents(torch.rand(2, 3, 64, 64))
    model.quantizer.initialise(latents.detach().movedim(1, -1).reshape(-1, 4))
    return model


@pytest.fixture
def audio_model() -> AudioVQVAE:
    torch.manual_seed(0)
    config = AudioVQVAEConfig(
        widths=(4, 6, 8), strides=(4, 2, 2), residual_width=5, residual_layers=1, codebook_size=16, codebook_dim=4
    )
    model = AudioVQVAE(config).eval()
    latents = model.latents(torch.randn(2, 1600))
    model.quantizer.initialise(latents.detach().movedim(1, -1).reshape(-1, 4))
    return model


@torch.inference_mode()
def test_image_training_pass_equals_encode_then_decode(image_model: ImageVQVAE) -> None:
    image = torch.rand(2, 3, 16, 24)
    codes = image_model.encode(image, 1)
    assert (codes.shape, codes.dtype) == ((2, 1, 4, 6), torch.int64)
    torch.testing.assert_close(image_model.decode(codes, 1), image_model(image).signal)


@torch.inference_mode()
def test_audio_training_pass_equals_encode_then_decode(audio_model: AudioVQVAE) -> None:
    waveform = torch.randn(2, 160)
    codes = audio_model.encode(waveform, 1)
    assert (codes.shape, codes.dtype) == ((2, 1, 10), torch.int64)
    torch.testing.assert_close(audio_model.decode(codes, 1), audio_model(waveform).signal)


@torch.inference_mode()
def test_a_tile_with_its_halo_gives_the_codes_and_pixels_of_the_whole(image_model: ImageVQVAE) -> None:
    halo, f = image_model.halo, image_model.downsampling_factor
    side = 2 * halo + 8 * f
    assert halo % f == 0
    image = torch.rand(1, 3, side + 16 * f, side + 16 * f)
    whole = image_model.encode(image, 1)
    tile = image_model.encode(image[..., 8 * f : 8 * f + side, 8 * f : 8 * f + side], 1)
    h = halo // f
    core = slice(8 + h, 8 + h + 8)
    assert torch.equal(tile[..., h:-h, h:-h], whole[..., core, core])
    pixels = image_model.decode(whole, 1)
    part = image_model.decode(whole[..., 8 : 8 + side // f, 8 : 8 + side // f], 1)
    place = slice(8 * f + halo, 8 * f + halo + 8 * f)
    torch.testing.assert_close(part[..., halo:-halo, halo:-halo], pixels[..., place, place])


@torch.inference_mode()
def test_a_chunk_with_its_halo_gives_the_codes_and_samples_of_the_whole(audio_model: AudioVQVAE) -> None:
    halo, hop = audio_model.halo, audio_model.hop_length
    waveform = torch.randn(1, (2 * halo + 30) * hop)
    whole = audio_model.encode(waveform, 1)
    frames = slice(5, 5 + 2 * halo + 20)
    chunk = audio_model.encode(waveform[:, frames.start * hop : frames.stop * hop], 1)
    assert torch.equal(chunk[..., halo:-halo], whole[..., 5 + halo : 5 + halo + 20])
    part = audio_model.decode(whole[..., frames], 1, first_frame=5)
    expected = audio_model.decode(whole, 1)[:, (5 + halo) * hop : (5 + halo + 20) * hop]
    torch.testing.assert_close(part[:, halo * hop : -halo * hop], expected)


def test_a_file_holds_the_entries_that_a_dynamic_codebook_ended_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    torch.manual_seed(0)
    config = ImageVQVAEConfig(
        widths=(6, 8),
        residual_width=5,
        codebook_size=4,
        codebook_dim=4,
        codebook_update="dynamic",
        max_codebook_size=40,
        codebook_decay=0.9,
    )
    model = ImageVQVAE(config)
    latents = model.latents(torch.rand(4, 3, 16, 16)).detach()
    model.quantizer.initialise(latents.movedim(1, -1).flatten(0, -2))
    for _ in range(60):
        model(torch.rand(4, 3, 16, 16))
    entries = model.quantizer.codebook_size
    assert 4 < entries <= 40
    file = tmp_path / "vqc" / "models" / "grown.safetensors"
    file.parent.mkdir(parents=True)
    save_checkpoint(file, model.eval(), name="grown", training={}, figures={})
    loaded, info = load_checkpoint(file)
    assert (info.config["codebook_size"], info.config["codebook_update"]) == (entries, "ema")
    assert "max_codebook_size" not in info.config
    image = torch.rand(1, 3, 16, 24)
    assert torch.equal(loaded.encode(image, 1), model.encode(image, 1))
    assert torch.equal(loaded.decode(loaded.encode(image, 1), 1), model.decode(model.encode(image, 1), 1))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    restored = vqc.decompress(vqc.compress(pixels, model="grown"))
    expected = loaded.decode(loaded.encode(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, 1), 1)
    error = restored.array - 255 * expected[0].clamp(0, 1).permute(1, 2, 0).numpy()
    assert np.abs(error).max() <= 1


@pytest.mark.parametrize("size", [1, 2, 3, 512, 65_536])
def test_untrained_tables_are_flat_and_exact(size: int) -> None:
    row, rest = uniform_frequencies(torch.tensor(size), size + 1).split([size, 1])
    assert rest == 0
    assert row.sum() == 65_536
    assert row.max() - row.min() <= 1


def test_only_frequency_tables_are_accepted(image_model: ImageVQVAE) -> None:
    good = image_model.static_frequencies(1)[None].copy()
    good[0, 0, :2] += (100, -100)
    image_model.set_static_table(good)
    assert image_model.static_frequencies(1)[0, 0] == good[0, 0, 0]
    zero = good.copy()
    zero[0, 0, :2] = (good[0, 0, :2].sum(), 0)
    for bad in (good * 2, zero, good[:, :, :8]):
        with pytest.raises(ValueError, match="static table"):
            image_model.set_static_table(bad)
