"""Models as converters: what they are told of a target, and clips that are as long afterwards as before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from vqc.codec.media import Audio
from vqc.evaluation.conversion import model_converter
from vqc.evaluation.conversion.model_converter import ConvertingModel, open_converter
from vqc.evaluation.conversion.trials import Trial, Voice
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig

CLIP = np.linspace(-0.5, 0.5, 5_003, dtype=np.float32)
TRIAL = Trial(Path("a.wav"), "ann", (), Voice("bob", np.ones(16_000, np.float32), ()))


def test_any_codec_of_audio_restores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = AudioVQVAE(AudioVQVAEConfig(widths=(8, 8), strides=(8, 20), codebook_size=16, codebook_dim=4))
    save_checkpoint(tmp_path / "tiny.safetensors", model, name="tiny", training={}, figures={})
    opened = open_converter(str(tmp_path / "tiny.safetensors"), by_name=False, pitch="target")
    assert not opened.converts
    assert opened.name == "tiny"
    restored = opened.restore(CLIP)
    assert restored.shape == CLIP.shape
    assert np.isfinite(restored).all()


@pytest.mark.parametrize("by_name", [True, False])
def test_a_converter_is_told_a_name_or_shown_a_reference(by_name: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def convert(samples: Any, rate: int, **options: Any) -> Audio:
        asked.append(options)
        return Audio(np.stack([samples[:-3], samples[:-3]], 1), rate)

    monkeypatch.setattr(model_converter, "convert", convert)
    info, loaded = SimpleNamespace(name="voice", digest="0"), SimpleNamespace()
    model = ConvertingModel(info, loaded, by_name=by_name, pitch=3.0)  # type: ignore[arg-type]
    assert np.array_equal(model.convert(TRIAL, CLIP), np.append(CLIP[:-3], [0, 0, 0]).astype(np.float32))
    assert asked[0]["pitch"] == 3.0
    to = asked[0]["to"]
    assert to == "bob" if by_name else to[0] is TRIAL.target.reference and to[1] == 16_000
    model.restore(CLIP)
    assert asked[1] == {"to": None, "model": loaded}
