"""What comes before and after a training says how far it is; where the loops are does not matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from tiny_packs import image_pack

from vqc.models.photo.model import PhotoConfig, PhotoModel
from vqc.training.photo.recipe import PhotoRecipe
from vqc.training.photo.task import PhotoTaskConfig
from vqc.training.settings import resolve
from vqc.training.stages import PARTS, stage, tracked


def test_loops_one_after_the_other_share_a_stage() -> None:
    told: list[tuple[int, int]] = []
    with stage(2, lambda *given: told.append(given)):
        assert list(tracked([1, 2])) == [1, 2]
        for _ in tracked(range(4)):
            assert list(tracked("ab")) == ["a", "b"], "a loop within another is not counted"
    shares = [0, 1 / 4, 1 / 2, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1]
    assert told == [(int(PARTS * share), PARTS) for share in shares]


def test_more_loops_than_were_told_of_stay_at_the_end() -> None:
    told: list[int] = []
    with stage(1, lambda done, total: told.append(done)):
        for _ in range(3):
            list(tracked([0]))
    assert told == [0, *[PARTS] * 5]


def test_without_a_stage_and_without_a_length_nothing_is_told() -> None:
    told: list[int] = []
    assert list(tracked([1, 2])) == [1, 2]
    with stage(1, lambda done, total: told.append(done)):
        assert list(tracked(iter([1, 2]))) == [1, 2]
    assert list(tracked([3])) == [3]
    assert told == []


def test_start_and_end_of_a_photo_model_are_told_to_their_end() -> None:
    torch.manual_seed(0)
    config = PhotoConfig(
        lambdas=(4000.0, 400.0),
        shapes=((9, 1, 8), (10, 2, 8)),
        widths=(8, 8, 8),
        analysis_blocks=((4,), (4,), (4,)),
        synthesis_blocks=((4,), (4,), (4,)),
        prediction_width=4,
        default_quality=1,
    )
    sizes = {"start_crops": 4, "occupying_photos": 2, "table_photos": 3, "report_photos": 1}
    task = PhotoTaskConfig(side=64, validation_side=64, batch_size=2, **sizes)
    settings = dataclasses.replace(resolve({"kind": "photo"}), model=config, task=task)
    generator = np.random.default_rng(0)
    dataset = image_pack([generator.integers(0, 256, (64, 80, 3), dtype=np.uint8) for _ in range(6)], held_out=(0,))
    recipe, model = PhotoRecipe(), PhotoModel(config)
    for loops, work in ((recipe.initialise_loops, recipe.initialise), (recipe.export_loops, recipe.export)):
        told: list[int] = []
        with stage(loops, lambda done, total, told=told: told.append(done)):
            work(model, dataset, settings)
        assert told == sorted(told)
        assert told[0] == 0
        assert told[-2] < told[-1] == PARTS, "there are as many loops as the recipe says"
