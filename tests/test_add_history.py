"""A description can be changed; what it describes stays."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vqc.errors import CheckpointError
from vqc.models.files.checkpoint import load_checkpoint, read_info, save_checkpoint
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from add_history import set_history

CONFIG = ImageVQVAEConfig(widths=(2, 3), residual_width=2, residual_layers=1, codebook_size=8, codebook_dim=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, ImageVQVAE(CONFIG), name="tiny", training={"steps": 3}, figures={})
    return path


@pytest.mark.parametrize("length", range(8))
def test_a_history_changes_neither_tensors_nor_digest(path: Path, length: int) -> None:
    tensors, before = load_file(path), load_checkpoint(path).info
    history = {"loss": [[step, 0.5] for step in range(length)]}
    told = set_history(path, history)
    info = load_checkpoint(path).info
    assert info == told
    assert (info.history, info.digest, info.training) == (history, before.digest, before.training)
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    after = load_file(path)
    assert after.keys() == tensors.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in tensors.items())


def test_a_second_history_takes_the_place_of_the_first(path: Path) -> None:
    set_history(path, {"loss": [[1, 2.0]]})
    set_history(path, {"mse": [[3, 4.0]]})
    assert read_info(path).history == {"mse": [[3, 4.0]]}


def test_what_is_no_model_stays_as_it_is(path: Path, tmp_path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"tiny")] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="checksum"):
        set_history(path, {})
    assert path.read_bytes() == damaged
    with pytest.raises(CheckpointError, match="cannot read"):
        set_history(tmp_path / "none", {})
