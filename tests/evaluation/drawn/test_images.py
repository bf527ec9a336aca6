"""Drawn images before a judge: a tiny model and a tiny CIFAR-10."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vqc.data.cifar10 import CLASSES
from vqc.errors import OptionError
from vqc.evaluation.drawn import images
from vqc.evaluation.drawn.classifier import Classifier, Judge, load_judge, save_judge
from vqc.evaluation.drawn.codes import DRAW, Draw, order_0_codes, prior_codes
from vqc.evaluation.drawn.images import mean_gradient, nearest_images, study_images
from vqc.models.kinds import build_prior
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig


def colours(count: int) -> np.ndarray:
    """Images of one colour each, which tells their row, with noise."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 20, (count, 32, 32, 3))
    return (noise + np.arange(count)[:, None, None, None] % 10 * 20).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vqc.data.cifar10.TEST_ROW", 60)
    monkeypatch.setattr("vqc.data.cifar10.VALIDATION_ROWS", 10)
    np.savez(tmp_path / "lossless_4000.npz", images=colours(90), labels=np.arange(90) % 10)
    return tmp_path


@pytest.fixture
def judge() -> Judge:
    torch.manual_seed(0)
    return Judge(Classifier(10).eval(), CLASSES, 0.5)


@pytest.fixture
def model() -> ImageVQVAE:
    torch.manual_seed(0)
    small = ImageVQVAEConfig(widths=(8, 8), strides=(2, 2), residual_layers=1, residual_width=4, codebook_size=8)
    made = ImageVQVAE(small).eval()
    prior = build_prior("pixelcnn", {"width": 8, "layers": 2, "head_width": 8, "classes": list(CLASSES)}, made)
    prior.initialise(made)
    made.attach_prior(prior)
    return made


def test_sets_of_a_study_are_as_many_images_each(folder: Path, judge: Judge, model: ImageVQVAE) -> None:
    shares: list[float] = []
    study = study_images(model, folder, judge, count=12, progress=shares.append)
    names = ["held out", "held out, restored", "training", "training, restored", "order-0", "drawn", "drawn of a class"]
    assert [row.name for row in study.rows] == names
    assert (study.images, len(study.nearest.images), shares[-1]) == (12, 12, 1.0)
    rows = {row.name: row for row in study.rows}
    assert [name for name, row in rows.items() if row.taken is not None] == [names[0], names[1], names[6]]
    assert rows["held out"].frechet is None
    assert min(row.frechet for row in study.rows if row.frechet is not None) > 0
    assert rows["training"].frechet < rows["order-0"].frechet  # they are the same colours
    assert rows["held out"].gradient == pytest.approx(mean_gradient(colours(90)[60:]), rel=0.05)


def test_each_class_is_drawn_of_its_label_and_as_often(
    folder: Path, judge: Judge, model: ImageVQVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int | None]] = []

    def note(model: Any, quality: int, count: int, grid: Any, how: Draw, label: int | None = None) -> torch.Tensor:
        asked.append((count, label))
        return torch.zeros(count, 1, *grid, dtype=torch.int64)

    monkeypatch.setattr(images, "prior_codes", note)
    study_images(model, folder, judge, count=23, progress=lambda share: None)
    assert asked == [(23, None), *[(3, label) for label in range(3)], *[(2, label) for label in range(3, 10)]]


def test_what_cannot_be_measured_is_one_sentence(folder: Path, judge: Judge, model: ImageVQVAE, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not CIFAR-10"):
        study_images(model, tmp_path / "nothing", judge, progress=print)
    model.prior = None
    with pytest.raises(OptionError, match="has no prior to draw from"):
        study_images(model, folder, judge, progress=print)


def test_order_0_codes_follow_the_tables(model: ImageVQVAE) -> None:
    table = np.full((1, 1, 8), 1, dtype=np.int64)
    table[..., 3] = (1 << 16) - 7
    model.set_static_table(table)
    codes = order_0_codes(model, 1, 5, (4, 6), 0)
    assert codes.shape == (5, 1, 4, 6)
    assert (codes == 3).float().mean() > 0.95
    assert torch.equal(codes, order_0_codes(model, 1, 5, (4, 6), 0))


def test_a_class_changes_what_is_drawn(model: ImageVQVAE) -> None:
    generator = torch.Generator().manual_seed(0)
    prior = build_prior("pixelcnn", {"width": 8, "layers": 2, "head_width": 8, "classes": list(CLASSES)}, model)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    model.attach_prior(prior)
    plain, cat, dog = (prior_codes(model, 1, 3, (8, 8), DRAW, label) for label in (None, 3, 5))
    assert not torch.equal(cat, dog)
    assert not torch.equal(cat, plain)
    assert torch.equal(plain, prior_codes(model, 1, 3, (8, 8), DRAW))
    assert not torch.equal(plain, prior_codes(model, 1, 3, (8, 8), Draw(temperature=0.1)))


def test_the_nearest_image_is_found(judge: Judge) -> None:
    training = colours(30)
    found = nearest_images(training[[7, 3]], training)
    assert np.array_equal(found.training, training[[7, 3]])
    assert found.rms == pytest.approx([0, 0], abs=0.2)
    moved = nearest_images(training[[7]] + 3, training[[7, 9]])
    assert moved.rms == pytest.approx([3], abs=0.05)


def test_the_gradient_of_a_slope_is_its_slope() -> None:
    y, x = np.mgrid[:32, :32]
    slope = np.repeat((3 * x + 4 * y)[..., None], 3, 2).astype(np.uint8)
    assert mean_gradient(slope[None]) == pytest.approx(5)


def test_a_classifier_is_read_as_it_was_written(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "judge.npz"
    save_judge(file, judge)
    again, seen = load_judge(file), colours(4)
    assert (again.classes, again.accuracy) == (CLASSES, 0.5)
    assert np.array_equal(again(seen).features, judge(seen).features)
    for bad in (tmp_path / "missing", tmp_path):
        with pytest.raises(OptionError, match="is no classifier"):
            load_judge(bad)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(OptionError, match="is no classifier"):
        load_judge(file)
