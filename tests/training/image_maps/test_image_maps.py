"""Training of models of several code maps on a handful of pictures."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_packs import image_pack

from vqc.data.batches import WHOLE
from vqc.data.datasets import ImageDataset
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.files.eight_bits import rounded
from vqc.models.image_maps.model import ImageMaps
from vqc.training.image_maps.recipe import MapsRecipe, favoured
from vqc.training.settings import Settings, resolve

TABLES = {
    "kind": "image-maps",
    "model": {
        "shapes": [[2, 1, 16], [2, 2, 16]],
        "width": 8,
        "analysis_layers": 1,
        "synthesis_layers": 1,
        "fine_width": 4,
        "fine_layers": 1,
    },
    "task": {"batch_size": 4, "max_shift": 2},
}


@pytest.fixture(scope="module")
def data() -> ImageDataset:
    generator = np.random.default_rng(0)
    waves = [generator.uniform(0.1, 0.5, 2) for _ in range(12)]
    y, x = np.mgrid[:16, :16]
    images = [127 + 100 * np.sin(a * x[..., None] + b * y[..., None] + np.arange(3)) for a, b in waves]
    return image_pack([image.astype(np.uint8) for image in images], held_out=(0, 11))


@pytest.fixture(scope="module")
def settings() -> Settings:
    return resolve(TABLES)


@pytest.fixture
def model(data: ImageDataset, settings: Settings) -> ImageMaps:
    torch.manual_seed(0)
    made = MapsRecipe().build(settings)
    MapsRecipe().initialise(made, data, settings)
    return made  # type: ignore[no-any-return]


def test_the_score_is_what_a_few_steps_make_better(data: ImageDataset, settings: Settings, model: ImageMaps) -> None:
    task = MapsRecipe().make_task(model, data, settings, WHOLE)
    before = task.validate()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(12):
        optimizer.zero_grad()
        task.loss(task.batch(step), step).total.backward()
        optimizer.step()
    after = task.model.eval() and task.validate()
    assert after["score"] < before["score"]
    assert after["psnr"] == pytest.approx(-10 * np.log10(after["mse"]))


def test_what_is_shipped_has_tables_and_figures(data: ImageDataset, settings: Settings, model: ImageMaps) -> None:
    exported = MapsRecipe().export(model, data, settings)
    assert set(exported.figures["quality_1"]) == {"mse", "psnr", "bits_per_dim"}
    table = exported.model.static_frequencies(1)
    assert table.sum(1).tolist() == [1 << 16] * 4
    assert len(set(table[0].tolist())) > 2, "counted, not uniform"
    weights = exported.model.analysis.enter.weight
    assert torch.equal(weights, rounded(weights)), "as the file has them"


def test_the_items_that_are_drawn_most_are_favoured(data: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert favoured(data) == data.training
    monkeypatch.setattr(data, "probabilities", np.array([0.2, 0.1, 0.2, *[0.1] * (len(data.training) - 3)]))
    assert favoured(data) == [data.training[0], data.training[2]]


def test_codes_reach_what_few_training_images_hold(tmp_path: Path, settings: Settings) -> None:
    """Both a model from nothing and one trained on from weights that have never seen it."""
    generator = np.random.default_rng(0)
    pale = [np.full((16, 16, 3), generator.integers(100, 156, 3), dtype=np.uint8) for _ in range(59)]
    magenta = np.full((16, 16, 3), (255, 0, 255), dtype=np.uint8)
    recipe, image = MapsRecipe(), torch.from_numpy(magenta).permute(2, 0, 1)[None] / 255
    plain, mixed = image_pack([*pale, pale[0]]), image_pack([*pale, magenta])

    def error(model: ImageMaps) -> float:
        with torch.no_grad():
            return float(255 * (model.eval().decode(model.encode(image, 1), 1).clamp(0, 1) - image).abs().mean())

    torch.manual_seed(0)
    model = recipe.build(settings)
    recipe.initialise(model, plain, settings)
    model = recipe.export(model, plain, settings).model
    save_checkpoint(tmp_path / "plain.safetensors", model, name="plain", training={}, figures={})
    assert error(model) > 30
    recipe.warm_start(model, str(tmp_path / "plain.safetensors"), mixed, settings)
    assert error(model) < 8
    recipe.initialise(model, mixed, settings)
    assert error(recipe.export(model, mixed, settings).model) < 8


def test_items_can_be_left_out_by_their_names(data: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vqc.training.media.open_images", lambda sources, **rest: copy.copy(data))
    kept = MapsRecipe().open_data((), resolve(TABLES, {"task.leave_out": "tiny/5"}), download=False, progress=None)
    assert kept.training == [i for i in data.training if i != 5]
