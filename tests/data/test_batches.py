"""Batches are functions of (seed, step), whoever reads which rows, and hold what their documentation says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny_packs import audio_pack, image_pack
from torch import Tensor

from vqc.data.batches import CropBatches, ImageBatches, ItemSampler, Prefetched, Shard, WaveformBatches
from vqc.errors import TrainingError

Maker = Callable[..., Callable[[int], Tensor]]
RNG = np.random.default_rng(0)


IMAGES = image_pack(list(RNG.integers(0, 256, (20, 8, 10, 3), dtype=np.uint8)))
SEVERAL = image_pack([RNG.integers(0, 256, (h, 60 - h, 3), dtype=np.uint8) for h in range(6, 50)])
SPEECH = audio_pack([RNG.uniform(-1, 1, n).astype(np.float32) for n in (900, 500, 2_000, 10)])

MAKERS: dict[str, Maker] = {
    "whole": lambda **options: ImageBatches(IMAGES, max_shift=2, **options),
    "squares": lambda **options: ImageBatches(SEVERAL, side=12, **options),
    "crops": lambda **options: CropBatches(SEVERAL, side=12, **options),
    "cuts": lambda **options: WaveformBatches(SPEECH, length=100, **options),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_batches_depend_on_seed_and_step_alone(make: Maker) -> None:
    first = make(batch_size=6, seed=1)(7)
    assert torch.equal(make(batch_size=6, seed=1)(7), first)
    assert not torch.equal(make(batch_size=6, seed=1)(8), first)
    assert not torch.equal(make(batch_size=6, seed=2)(7), first)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_processes_see_together_what_one_would_see(make: Maker) -> None:
    whole = make(batch_size=6, seed=1)(7)
    parts = [make(batch_size=6, seed=1, shard=Shard(rank, 3))(7) for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    with pytest.raises(TrainingError, match="batch of 6 cannot be divided evenly among 4 processes"):
        make(batch_size=6, seed=1, shard=Shard(0, 4))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_preparing_ahead_changes_nothing(make: Maker) -> None:
    batches = make(batch_size=3, seed=1)
    ahead = Prefetched(make(batch_size=3, seed=1))
    for step in (5, 6, 7, 2, 3, 3, 9):
        assert torch.equal(ahead(step), batches(step))


def test_the_next_batch_is_prepared_by_another_thread_and_its_error_comes_when_asked_for() -> None:
    threads: dict[int, str] = {}

    def batches(step: int) -> int:
        threads[step] = threading.current_thread().name
        if step == 3:
            raise TrainingError("step 3")
        return step

    ahead = Prefetched(batches)
    assert [ahead(step) for step in (0, 1, 2)] == [0, 1, 2]
    with pytest.raises(TrainingError, match="step 3"):
        ahead(3)
    assert threads[0] == threading.current_thread().name
    assert all(threads[step].startswith("batches") for step in (1, 2, 3))


def test_whole_images_are_shifted_by_a_few_pixels_and_half_are_mirrored() -> None:
    y, x = np.mgrid[:9, :12]
    image = np.stack([20 * y, 20 * x, np.full_like(x, 7)], axis=-1).astype(np.uint8)
    batches = ImageBatches(image_pack([image] * 2), batch_size=300, seed=0, max_shift=2)
    batch = (255 * batches(0)).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    seen: dict[tuple[int, int, bool], int] = {}
    for row in batch:
        found = [
            (dy, dx, mirrored)
            for dy in range(5)
            for dx in range(5)
            for mirrored in (False, True)
            if np.array_equal(padded[dy : dy + 9, dx : dx + 12][:, :: -1 if mirrored else 1], row)
        ]
        assert len(found) == 1
        seen[found[0]] = seen.get(found[0], 0) + 1
    assert len(seen) == 50
    assert sum(count for (_, _, mirrored), count in seen.items() if mirrored) == pytest.approx(150, abs=30)


def test_squares_are_cut_from_anywhere_in_the_image() -> None:
    y, x = np.mgrid[:20, :30]
    image = np.stack([y, x, y], axis=-1).astype(np.uint8)
    batch = 255 * ImageBatches(image_pack([image] * 2), side=8, batch_size=400, seed=0)(0)
    tops, lefts = batch[:, 0, 0, 0].round(), batch[:, 1, 0].min(1).values.round()
    assert (tops.min(), tops.max(), lefts.min(), lefts.max()) == (0, 12, 0, 22)
    assert torch.allclose(batch[:, 0, :, 0] - tops[:, None], torch.arange(8.0), atol=1e-3)


def test_small_images_are_enlarged_and_photos_shrunk_by_two_at_most() -> None:
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[:, None, None], 120, axis=1).repeat(3, axis=2)
    crops = 255 * CropBatches(image_pack([ramp] * 2), side=16, batch_size=400, seed=0)(0)
    slopes = (crops[:, 0, 11, 8] - crops[:, 0, 4, 8]) / 7
    assert slopes.min() == pytest.approx(2, abs=0.1)
    assert 3.7 < slopes.max() < 4.1
    assert int((slopes < 2.02).sum()) == pytest.approx(200, abs=45), "half keep their size"
    small = 255 * CropBatches(image_pack([ramp[:8, :8]] * 2), side=16, batch_size=8, seed=0)(0)
    assert ((small[:, 0, 11, 8] - small[:, 0, 4, 8]) / 7).tolist() == pytest.approx([1.0] * 8, abs=0.2)


def test_whole_images_need_one_size() -> None:
    with pytest.raises(TrainingError, match="several sizes, such as 53 × 7 and 52 × 8; set the side"):
        ImageBatches(SEVERAL, batch_size=2, seed=0)


def test_images_come_channels_last() -> None:
    for name in ("whole", "squares", "crops"):
        assert MAKERS[name](batch_size=4, seed=0)(0).is_contiguous(memory_format=torch.channels_last)


def test_items_are_drawn_with_their_chances() -> None:
    generator = np.random.default_rng(0)
    drawn = ItemSampler([4, 7, 9], np.array([0.5, 0.0, 1.5]))(4_000, generator)
    counts: Any = {i: int((drawn == i).sum()) for i in (4, 7, 9)}
    assert counts == {4: pytest.approx(1_000, abs=120), 7: 0, 9: pytest.approx(3_000, abs=120)}
    even = ItemSampler([4, 7], None)(1_000, generator)
    assert set(even.tolist()) == {4, 7}


def test_waveform_batches_are_cuts_of_the_recordings() -> None:
    long = np.arange(1, 1_001, dtype=np.float32) / 2**15
    short = -np.arange(1, 11, dtype=np.float32) / 2**15
    pack = audio_pack([long, long, short], held_out=[0])
    batch = (WaveformBatches(pack, length=40, batch_size=400, seed=0)(3) * 2**15).numpy()
    padded = np.concatenate([short * 2**15, np.zeros(30, dtype=np.float32)])
    cuts = [row for row in batch if row[0] > 0]
    assert all(np.array_equal(row, padded) for row in batch if row[0] < 0)
    assert 380 < len(cuts) < 400, "recordings count by their length"
    assert all(np.array_equal(row, np.arange(row[0], row[0] + 40)) for row in cuts)
    assert max(row[0] for row in cuts) > 900


def test_shrinking_does_not_alias() -> None:
    """A pattern of single pixels, shrunk by nearly two, is gray; every second pixel of it would still be a pattern."""
    pattern = (np.indices((90, 90)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    crops = CropBatches(image_pack([pattern] * 2), side=32, batch_size=100, seed=0)(0)
    spread = crops[:, 0, 4:-4, 4:-4].std((1, 2))
    assert int((spread > 0.49).sum()) == pytest.approx(50, abs=15), "half keep their size"
    assert int((spread < 0.05).sum()) > 10
