"""The recipe that the decoder of the bundled `photo` comes from: it learns from codes as files hold them."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_priors import draw_model

from vqc.training.parts.code_cache import open_codes

SCRIPT = Path(__file__).parents[3] / "scripts/recipes/photo-decoder"


class Noise:
    digest = "noise"
    training, validation = [0, 1], [2]

    def image(self, i: int) -> NDArray[np.uint8]:
        return np.random.default_rng(i).integers(0, 256, (200, 220, 3), dtype=np.uint8)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, for pieces that are quickly done."""
    pytest.importorskip("pytorch_msssim")
    if not SCRIPT.exists():
        pytest.skip("an installed package has no recipes")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = spec_from_loader("photo_decoder", SourceFileLoader("photo_decoder", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PIECE", 192)
    monkeypatch.setattr(module, "CROP", 6)
    return module


@torch.no_grad()
def test_blocks_that_are_added_do_nothing_yet(recipe: Any) -> None:
    model: Any = draw_model("photo")
    codes = model.encode(torch.rand(1, 3, 64, 64), 2)
    before, blocks = model.decode(codes, 2), len(model.config.synthesis_blocks[0])
    recipe.add_fine_blocks(model, blocks + 1)
    assert len(model.config.synthesis_blocks[0]) == blocks + 1
    assert torch.equal(model.decode(codes, 2), before)


def test_a_decoder_learns_from_cached_codes(recipe: Any) -> None:
    model: Any = draw_model("photo")
    codes = {quality: open_codes(model, "m" * 64, Noise(), quality, piece=192) for quality in (1, 2)}
    task = recipe.DecoderTask(model, Noise(), codes, 0.0)
    held, losses = task.batch(0), list[float]()
    optimizer = torch.optim.Adam(model.synthesis.parameters(), 3e-3)
    for step in range(4):
        optimizer.zero_grad()
        loss = task.loss(held, step).total
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert {"score", "psnr_1", "ms_ssim_2"} <= task.validate().keys()
